//! Ids that differ from one another, and that nothing depends on.

use std::hash::{BuildHasher, RandomState};

use tokio::time::Instant;

/// A random id in the form of a notification's.
pub(crate) fn random_id() -> String {
    // The hasher's keys are random, which is enough here.
    let random = || RandomState::new().hash_one(Instant::now().elapsed());
    let (high, low) = (random(), random());
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// An address of SES's simulator that takes each mail, a new one each time.
pub(crate) fn simulator_address() -> String {
    format!("success+{}@simulator.amazonses.com", &random_id()[..8])
}
