//! What runs the real binary, or needs it built.

#[cfg(test)]
mod bench;
