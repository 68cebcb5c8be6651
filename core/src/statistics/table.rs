//! The list that makes fields, reset, merge and the record that crosses the boundary.

/// How a field behaves under `stats reset`.
macro_rules! reset_field {
    ($self:ident, $field:ident, counter) => {
        $self.$field = 0;
    };
    ($self:ident, $field:ident, gauge) => {};
}

macro_rules! counters {
    ($(#[$struct_doc:meta])* $struct:ident { $($(#[$doc:meta])* $kind:ident $field:ident,)* }) => {
        $(#[$struct_doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $struct { $($(#[$doc])* pub $field: u64,)* }

        impl $struct {
            /// `stats reset`: counters to zero, gauges stay.
            pub fn reset(&mut self) {
                $(reset_field!(self, $field, $kind);)*
            }

            /// Adds another shard's numbers.
            pub fn merge(&mut self, other: &Self) {
                $(self.$field = self.$field.wrapping_add(other.$field);)*
            }

            /// Appends the form that crosses the boundary.
            pub fn encode(&self, out: &mut Vec<u8>) {
                Writer(out).counters(&[$(self.$field),*]);
            }

            /// Takes one record from the front of `r`; `None` at the end.
            pub fn decode(r: &mut Reader<'_>) -> Option<Self> {
                let [$($field),*] = r.counters()?;
                Some(Self { $($field),* })
            }
        }
    };
}
