//! Files that a running server reads again on SIGHUP: their contents, never the flags. Each owner of such contents registers
//! an action; if it fails, the old contents stay in force.

use parking_lot::Mutex;

/// Reads a file again and puts valid contents in force.
type ReloadAction = Box<dyn Fn() -> Result<(), String> + Send>;

/// All registered actions.
#[derive(Default)]
pub(crate) struct Reloads(Mutex<Vec<(&'static str, ReloadAction)>>);

impl Reloads {
    /// Registers the action that reads `what` again. Its error is one line for the log.
    pub(crate) fn register(&self, what: &'static str, action: impl Fn() -> Result<(), String> + Send + 'static) {
        self.0.lock().push((what, Box::new(action)));
    }

    /// Reads everything again on behalf of `who`, and logs each result.
    pub(crate) fn run(&self, who: &str) {
        let actions = self.0.lock();
        if actions.is_empty() {
            tracing::warn!("{who}: there is nothing to read again");
        }
        for (what, action) in actions.iter() {
            match action() {
                Ok(()) => tracing::warn!("{who}: {what}: read again"),
                Err(reason) => tracing::error!("{who}: {what}: {reason}; the old contents stay in force"),
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
    fn a_failing_action_does_not_stop_the_others() {
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
