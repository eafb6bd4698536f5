//! Receipt handles: opaque to clients, checked by the queue that issued them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

/// What a receipt handle stands for: one receive of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Receipt {
    /// The message's key in its queue.
    pub key: u64,
    /// The number of the receive; no two receives of a queue share one.
    pub serial: u64,
}

impl Receipt {
    pub(super) fn encode(self, queue: u64) -> String {
        let mut bytes = [0; 40];
        let (payload, sum) = bytes.split_at_mut(24);
        let (parts, _) = payload.as_chunks_mut::<8>();
        for (place, part) in parts.iter_mut().zip([queue, self.key, self.serial]) {
            *place = part.to_be_bytes();
        }
        sum.copy_from_slice(&checksum(payload));
        STANDARD.encode(bytes)
    }

    /// `None` for what `queue` never issued.
    pub(super) fn decode(handle: &str, queue: u64) -> Option<Self> {
        // What does not fit was not issued here.
        let mut bytes = [0; 42];
        let length = STANDARD.decode_slice(handle, &mut bytes).ok()?;
        let (payload, sum) = bytes.get(..length)?.split_at_checked(24)?;
        let (parts, _) = payload.as_chunks::<8>();
        let [issuer, key, serial] = parts else {
            return None;
        };
        (sum == checksum(payload) && u64::from_be_bytes(*issuer) == queue).then(|| Self {
            key: u64::from_be_bytes(*key),
            serial: u64::from_be_bytes(*serial),
        })
    }
}

/// Tells a handle that was issued from one that was made up or cut short.
fn checksum(payload: &[u8]) -> [u8; 16] {
    let mut digest = Md5::new();
    digest.update(b"receipt");
    digest.update(payload);
    digest.finalize().into()
}
