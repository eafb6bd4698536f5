//! What a message says and the mail that it becomes: pure, without I/O.
