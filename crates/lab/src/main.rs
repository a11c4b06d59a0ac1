//! The lab process.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Requests allocate much, and briefly: the C library takes some 15% of their time for it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    lab::cli::main(std::env::args_os())
}
