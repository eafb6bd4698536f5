//! The command line's entry point; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    organizer_notifier::cli::main()
}
