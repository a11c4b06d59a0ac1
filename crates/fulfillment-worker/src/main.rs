//! The fulfillment worker process.

use std::process::ExitCode;

fn main() -> ExitCode {
    instrumentation::service::main(std::env::args_os(), fulfillment_worker::run)
}
