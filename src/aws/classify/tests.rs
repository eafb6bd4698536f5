//! One case for each error that AWS is known to answer with, in the bytes of its protocol and
//! through the SDK's own readers: what is proven is that the code is read at all, and what it then
//! means. How far a call came is proven against loopback sockets in `reach`.

mod bucket;
mod queue;
mod reach;
mod refusal;
mod send;
mod template;
