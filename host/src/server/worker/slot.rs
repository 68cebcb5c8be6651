//! The place of a worker's front, which is empty only while a front that trapped is being replaced: its memory is given
//! back before the new one asks for its own, which a limit could refuse.

use crate::guest::{Fault, Front};
use std::ops::{Deref, DerefMut};

/// See the module.
pub(super) struct FrontSlot(Option<Front>);

impl FrontSlot {
    /// A slot with a front in it.
    pub(super) fn new(front: Front) -> Self {
        Self(Some(front))
    }

    /// Drops the front, then makes another in its place.
    ///
    /// # Errors
    /// There is none now. Nothing but this function may be called before it succeeds.
    pub(super) fn replace(&mut self, make: impl FnOnce() -> Result<Front, Fault>) -> Result<(), Fault> {
        self.0 = None;
        self.0 = Some(make()?);
        Ok(())
    }
}

impl Deref for FrontSlot {
    type Target = Front;

    #[inline]
    fn deref(&self) -> &Front {
        self.0.as_ref().expect("the worker waits until it has a front again")
    }
}

impl DerefMut for FrontSlot {
    #[inline]
    fn deref_mut(&mut self) -> &mut Front {
        self.0.as_mut().expect("the worker waits until it has a front again")
    }
}
