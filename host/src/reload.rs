//! What the server reads again when it is told to (SIGHUP), without letting go of a connection: the contents of files,
//! never the flags. Whoever keeps something from a file registers here; whoever cannot read it any more keeps what it has.

use parking_lot::Mutex;

/// Reads something again, and puts it in force if it is good.
type Action = Box<dyn Fn() -> Result<(), String> + Send>;

/// Everything that can be read again.
#[derive(Default)]
pub(crate) struct Reloads(Mutex<Vec<(&'static str, Action)>>);

impl Reloads {
    /// From now on `what` is read again by `action`, which says in one line why it cannot.
    pub(crate) fn register(&self, what: &'static str, action: impl Fn() -> Result<(), String> + Send + 'static) {
        self.0.lock().push((what, Box::new(action)));
    }

    /// Reads everything again, because `who` asked for it. What fails is logged and stays as it was.
    pub(crate) fn run(&self, who: &str) {
        let actions = self.0.lock();
        if actions.is_empty() {
            tracing::warn!("{who}: there is nothing to read again");
        }
        for (what, action) in actions.iter() {
            match action() {
                Ok(()) => tracing::warn!("{who}: {what}: read again"),
                Err(reason) => tracing::error!("{who}: {what}: {reason}; what was read before stays in force"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    #[test]
    fn one_that_fails_keeps_no_other_from_being_read() {
        let (reloads, count) = (Reloads::default(), Arc::new(AtomicU32::new(0)));
        for fails in [true, false] {
            let count = Arc::clone(&count);
            reloads.register("file", move || {
                count.fetch_add(1, Ordering::Relaxed);
                if fails { Err("gone".to_owned()) } else { Ok(()) }
            });
        }
        reloads.run("a test");
        reloads.run("a test");
        assert_eq!(count.load(Ordering::Relaxed), 4);
    }
}
