//! Administrative commands.

mod listing;

pub(super) use listing::Dumping;
