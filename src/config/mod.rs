//! The configuration: where each value comes from, and what is allowed.
