//! The libraries of the checked sources, with the locks and atomics of loom. Their paths are those of the real ones.

pub(crate) mod atomic;
pub(crate) mod parking_lot;
pub(crate) mod spin;

pub(crate) use loom::{hint, sync::Arc};
