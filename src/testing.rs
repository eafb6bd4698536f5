//! What the tests of single parts share. The local AWS and the rig of the pipeline's tests stand
//! under `tests`, since they are for whole parts.

pub(crate) mod breaker;
pub(crate) mod canned;
pub(crate) mod polled;
pub(crate) mod scripted;
pub(crate) mod table;
pub(crate) mod wire;
