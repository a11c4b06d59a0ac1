//! The order-api process.

use std::process::ExitCode;

fn main() -> ExitCode {
    instrumentation::service::main(std::env::args_os(), order_api::run)
}
