//! The protocols that the load generator speaks; how each is written is in `workload`, how each is read in `replies`.

/// How requests and replies look on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// `get`, `set`.
    #[default]
    Text,
    /// `mg`, `ms`, and `mn` at the end of many quiet ones.
    Meta,
    /// Get, Set, and Noop at the end of many GetKQ.
    Binary,
}

impl Protocol {
    /// All protocols, in the order of the report.
    pub const ALL: [Self; 3] = [Self::Text, Self::Meta, Self::Binary];

    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Meta => "meta",
            Self::Binary => "binary",
        }
    }
}
