//! The local AWS is itself tested: a fake that is wrong proves nothing.
