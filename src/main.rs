//! The command line's entry point; everything is in the library.

use std::process::ExitCode;

/// Much of what a message costs is the SDK's many small allocations, which are cheaper with this
/// allocator than with glibc's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    organizer_notifier::cli::main()
}
