//! One of the three services, in this process.

use std::{
    ffi::OsString,
    io::Read as _,
    process::{ExitCode, exit},
    thread,
    time::Duration,
};

use instrumentation::service::main;
use rustix::process::{Signal, getpid, kill_process};

/// How long a service may take to stop when its parent has gone.
const GRACE: Duration = Duration::from_secs(15);

/// Which service.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Name {
    /// The HTTP edge.
    WebGateway,
    /// The owner of orders.
    OrderApi,
    /// The one who picks and packs.
    FulfillmentWorker,
}

/// What `lab service` runs.
#[derive(Clone, Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// Stop, as after SIGTERM, when standard input closes.
    #[arg(long)]
    with_parent: bool,

    /// The service.
    name: Name,

    /// The service's own arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Runs a service as its own program would; on a runtime of its own.
pub fn run(args: Args) -> ExitCode {
    let Args { with_parent, name, arguments } = args;
    if with_parent {
        thread::spawn(stop_with_parent);
    }
    let arguments = [OsString::from("lab service")].into_iter().chain(arguments);
    match name {
        Name::WebGateway => main(arguments, web_gateway::run),
        Name::OrderApi => main(arguments, order_api::run),
        Name::FulfillmentWorker => main(arguments, fulfillment_worker::run),
    }
}

fn stop_with_parent() {
    // The end of the input and an error mean the same: nobody is at the other end.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    let _ = kill_process(getpid(), Signal::TERM);
    thread::sleep(GRACE);
    instrumentation::logs::flush();
    exit(1);
}
