//! The protocols of the load generator; `workload` writes their requests, `replies` reads their replies.

/// A protocol of the load generator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// `get`, `set`.
    #[default]
    Text,
    /// `mg`, `ms`, and `mn` after a series of quiet requests.
    Meta,
    /// Get, Set, and Noop after a series of GetKQ.
    Binary,
}

impl Protocol {
    /// All protocols, in the order of the report.
    pub const ALL: [Self; 3] = [Self::Text, Self::Meta, Self::Binary];

    /// Name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Meta => "meta",
            Self::Binary => "binary",
        }
    }
}
