//! The web-gateway process.

use std::process::ExitCode;

fn main() -> ExitCode {
    instrumentation::service::main(std::env::args_os(), web_gateway::run)
}
