//! The configuration from files, variables and flags.
