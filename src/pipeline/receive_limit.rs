//! After how many receives the queue dead-letters a message, which somebody may change at any time.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
};

/// The queue's `maxReceiveCount` as it was last read.
#[derive(Debug)]
pub(crate) struct ReceiveLimit(AtomicU32);

impl ReceiveLimit {
    /// So many receives, or no limit where the queue has no redrive policy.
    pub(crate) fn new(max_receive_count: Option<u32>) -> Self {
        Self(AtomicU32::new(max_receive_count.unwrap_or(0)))
    }

    pub(crate) fn get(&self) -> Option<u32> {
        NonZeroU32::new(self.0.load(Ordering::Relaxed)).map(NonZeroU32::get)
    }

    /// Takes in what was read. Whether it was something else before.
    pub(crate) fn set(&self, max_receive_count: Option<u32>) -> bool {
        let new = max_receive_count.unwrap_or(0);
        self.0.swap(new, Ordering::Relaxed) != new
    }
}
