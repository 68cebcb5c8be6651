//! Records of numbered fields: one row a field declares the field, its default, and its form in bytes.
//!
//! A record is a sequence of fields in any order, each a number in one byte and a value in the size of its type. A
//! missing field has its default, so an empty record is valid, and a record of an older version stays so. A field with
//! an unknown number makes a record invalid: its sender relies on something that the receiver cannot do.

use crate::{
    command::Eviction,
    hash::Seed,
    settings::Setting,
    wire::{Reader, Writer},
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// A type of values with a fixed form in bytes.
pub trait FieldValue: Sized {
    /// The type in the documentation.
    const TYPE: &'static str;
    /// The size of a value.
    const BYTES: usize;

    /// Appends a value.
    fn put(&self, w: &mut Writer<'_>);

    /// Takes a value from the front; `None` if it is cut or invalid.
    fn take(r: &mut Reader<'_>) -> Option<Self>;

    /// The value in the documentation.
    fn text(&self) -> String;
}

/// The type of a field: a [`FieldValue`], or a list that has one field for each element.
pub trait Field {
    /// The type in the documentation.
    const TYPE: &'static str;
    /// The size of a value; `None` if it varies.
    const BYTES: Option<usize>;

    /// Appends the field with its number.
    fn encode(&self, number: u8, w: &mut Writer<'_>);

    /// Takes the value behind a number; `None` if it is cut or invalid.
    fn decode(&mut self, r: &mut Reader<'_>) -> Option<()>;

    /// The value in the documentation.
    fn text(&self) -> String;
}

/// A field of a record, for the documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The byte before the value.
    pub number: u8,
    /// The name in this crate and in the documentation.
    pub name: &'static str,
    /// See [`Field::TYPE`].
    pub type_name: &'static str,
    /// See [`Field::BYTES`].
    pub bytes: Option<usize>,
    /// The value of a missing field.
    pub default: String,
    /// The doc comment of the field.
    pub meaning: &'static str,
}

/// A struct that the macro `record!` declares.
pub trait Record: Default {
    /// Appends every field.
    fn put_fields(&self, w: &mut Writer<'_>);

    /// Takes the value of the field `number`: whether the record has such a field; `None` if the value is invalid.
    fn take_field(&mut self, number: u8, r: &mut Reader<'_>) -> Option<bool>;

    /// Appends every row to `rows`.
    fn push_rows(rows: &mut Vec<Row>);

    /// The form that crosses the boundary.
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.put_fields(&mut Writer(&mut bytes));
        bytes
    }

    /// Reads a record; `None` if a field is unknown, cut or invalid.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut record = Self::default();
        let mut r = Reader(bytes);
        while !r.is_empty() {
            let number = r.u8()?;
            if !record.take_field(number, &mut r)? {
                return None;
            }
        }
        Some(record)
    }

    /// All fields, those of nested records included.
    fn rows() -> Vec<Row> {
        let mut rows = Vec::new();
        Self::push_rows(&mut rows);
        rows
    }
}

/// Declares a struct and its form in bytes. A row is: doc comment, number, name, type, default. The fields of nested
/// records follow; they share the numbers of the record around them.
macro_rules! record {
    (
        $(#[$meta:meta])*
        pub struct $record:ident {
            $($(#[doc = $doc:literal])* $number:literal $field:ident: $type:ty = $default:expr,)*
            $(.. $(#[$nested_doc:meta])* $nested:ident: $nested_type:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $record {
            $($(#[doc = $doc])* pub $field: $type,)*
            $($(#[$nested_doc])* pub $nested: $nested_type,)*
        }

        impl Default for $record {
            fn default() -> Self {
                Self { $($field: $default,)* $($nested: <$nested_type>::default(),)* }
            }
        }

        impl $crate::boundary::record::Record for $record {
            fn put_fields(&self, w: &mut $crate::wire::Writer<'_>) {
                $($crate::boundary::record::Field::encode(&self.$field, $number, w);)*
                $(self.$nested.put_fields(w);)*
            }

            fn take_field(&mut self, number: u8, r: &mut $crate::wire::Reader<'_>) -> Option<bool> {
                match number {
                    $($number => $crate::boundary::record::Field::decode(&mut self.$field, r)?,)*
                    _ => return Some(false $(|| self.$nested.take_field(number, r)?)*),
                }
                Some(true)
            }

            fn push_rows(rows: &mut alloc::vec::Vec<$crate::boundary::record::Row>) {
                let _defaults = Self::default();
                $(rows.push($crate::boundary::record::Row {
                    number: $number,
                    name: stringify!($field),
                    type_name: <$type as $crate::boundary::record::Field>::TYPE,
                    bytes: <$type as $crate::boundary::record::Field>::BYTES,
                    default: $crate::boundary::record::Field::text(&_defaults.$field),
                    meaning: concat!($($doc),*),
                });)*
                $(<$nested_type>::push_rows(rows);)*
            }
        }
    };
}
pub(crate) use record;

macro_rules! integers {
    ($($type:ident)*) => {$(
        impl FieldValue for $type {
            const TYPE: &'static str = stringify!($type);
            const BYTES: usize = size_of::<Self>();

            fn put(&self, w: &mut Writer<'_>) {
                w.$type(*self);
            }

            fn take(r: &mut Reader<'_>) -> Option<Self> {
                r.$type()
            }

            fn text(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

integers! { u8 u32 u64 }

impl FieldValue for bool {
    const TYPE: &'static str = "bool";
    const BYTES: usize = 1;

    fn put(&self, w: &mut Writer<'_>) {
        w.u8(u8::from(*self));
    }

    fn take(r: &mut Reader<'_>) -> Option<Self> {
        Some(r.u8()? != 0)
    }

    fn text(&self) -> String {
        u8::from(*self).to_string()
    }
}

/// Gives an enum without fields the form of its number in one byte; the list is in the order of the numbers.
macro_rules! enumeration {
    ($type:ty: $($variant:ident)*) => {
        impl $crate::boundary::record::FieldValue for $type {
            const TYPE: &'static str = "u8";
            const BYTES: usize = 1;

            fn put(&self, w: &mut $crate::wire::Writer<'_>) {
                w.u8(*self as u8);
            }

            fn take(r: &mut $crate::wire::Reader<'_>) -> Option<Self> {
                [$(Self::$variant),*].get(usize::from(r.u8()?)).copied()
            }

            fn text(&self) -> alloc::string::String {
                alloc::format!("{}", *self as u8)
            }
        }
    };
}
pub(crate) use enumeration;

enumeration! { Eviction: Lru S3Fifo }

impl FieldValue for Seed {
    const TYPE: &'static str = "2 × u64";
    const BYTES: usize = 16;

    fn put(&self, w: &mut Writer<'_>) {
        w.u64(self.0);
        w.u64(self.1);
    }

    fn take(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self(r.u64()?, r.u64()?))
    }

    fn text(&self) -> String {
        self.0.to_string()
    }
}

impl FieldValue for [u64; 4] {
    const TYPE: &'static str = "4 × u64";
    const BYTES: usize = 32;

    fn put(&self, w: &mut Writer<'_>) {
        self.iter().for_each(|&number| w.u64(number));
    }

    fn take(r: &mut Reader<'_>) -> Option<Self> {
        Some([r.u64()?, r.u64()?, r.u64()?, r.u64()?])
    }

    fn text(&self) -> String {
        self[0].to_string()
    }
}

impl<T: FieldValue> Field for T {
    const TYPE: &'static str = T::TYPE;
    const BYTES: Option<usize> = Some(T::BYTES);

    fn encode(&self, number: u8, w: &mut Writer<'_>) {
        w.u8(number);
        self.put(w);
    }

    fn decode(&mut self, r: &mut Reader<'_>) -> Option<()> {
        *self = T::take(r)?;
        Some(())
    }

    fn text(&self) -> String {
        FieldValue::text(self)
    }
}

/// One field a line of `stats settings`: the setting's number in one byte, the length of its value, the value in UTF-8.
impl Field for Vec<(Setting, String)> {
    const TYPE: &'static str = "setting";
    const BYTES: Option<usize> = None;

    fn encode(&self, number: u8, w: &mut Writer<'_>) {
        for (setting, value) in self {
            w.u8(number);
            w.u8(*setting as u8);
            w.bytes(value.as_bytes());
        }
    }

    fn decode(&mut self, r: &mut Reader<'_>) -> Option<()> {
        let setting = Setting::of(r.u8()?)?;
        let value = core::str::from_utf8(r.bytes()?).ok()?;
        self.push((setting, value.into()));
        Some(())
    }

    fn text(&self) -> String {
        if self.is_empty() { "none".to_string() } else { format!("{} lines", self.len()) }
    }
}
