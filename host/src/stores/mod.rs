//! Where the stores are.

pub(crate) mod shards;
