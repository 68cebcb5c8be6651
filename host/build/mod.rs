//! The compilation of guests and the check of their freshness, shared by the host's build script and the build tool.

pub(crate) mod guest;
pub(crate) mod inputs;
