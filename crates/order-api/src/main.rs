//! The order-api process.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Requests allocate much, and briefly: the C library takes some 15% of their time for it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    instrumentation::service::main(std::env::args_os(), order_api::run)
}
