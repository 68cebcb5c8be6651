//! How a guest is compiled and known to be fresh; shared by the host's build script and the build tool.

pub(crate) mod guest;
pub(crate) mod inputs;
