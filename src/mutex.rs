//! The lock of all shared state.

use std::sync::{self, MutexGuard, PoisonError};

/// A mutex that outlives the panic of a holder.
///
/// A worker that panics must not take the others down with it, so a lock that was held in a panic
/// stays usable. That is safe as long as no holder panics halfway through a change: keep what
/// stands under a lock short, and without calls into code that may panic.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    /// Waits for the lock and holds it until the guard is dropped.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    #[test]
    fn a_panic_with_the_lock_held_does_not_keep_others_out() {
        let mutex = Arc::new(Mutex::new(1));
        let holder = Arc::clone(&mutex);
        let panicked = thread::spawn(move || {
            let mut value = holder.lock();
            *value = 2;
            panic!("with the lock held");
        });
        assert!(panicked.join().is_err());
        assert_eq!(*mutex.lock(), 2);
    }
}
