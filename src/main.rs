//! The command line's entry point; everything is in the library.

use std::process::ExitCode;

/// Most of what a message costs besides the calls themselves is many small allocations in the SDK;
/// glibc's allocator makes them dearer by a fifth of the whole, see the README's performance section.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    organizer_notifier::cli::main()
}
