//! What the learner sees: what runs where, what to try, and one live line.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::plan::{Plan, Source};
use crate::desk::Status;

/// How long the desk may take to say how it goes.
const PATIENCE: Duration = Duration::from_secs(5);

/// Says what runs where and what to try.
pub(crate) fn greet(plan: &Plan) {
    let (shop, desk, ports) = (plan.gateway_url(), plan.desk_url(), &plan.ports);
    let prometheus = match &plan.prometheus {
        Some(_) => format!("http://127.0.0.1:{}", ports.prometheus_port),
        None => "not started: `apt install prometheus` or `brew install prometheus`".to_owned(),
    };
    let (gateway, api, worker) =
        (ports.gateway_port, ports.order_api_side_port, ports.worker_side_port);
    println!(
        "\
Mishap: the shop is open, on this machine only.

  shop          {shop}   place orders here; open it in a browser
  control desk  {desk}   faults, traffic, dead letters
  payments      {provider}   the payment provider: cargo run provider
  metrics       {shop}/metrics  (gateway)
                http://127.0.0.1:{api}/metrics  (order-api){canary}
                http://127.0.0.1:{worker}/metrics  (fulfillment-worker)
  prometheus    {prometheus}
  store         {store}
  queue         {queue}
  traces, logs  {telemetry}
  log files     {logs}/*.log

Try, in another terminal:

  curl -s localhost:{gateway}/orders -H 'content-type: application/json' \\
    -d '{{\"items\":[{{\"sku\":\"TEA-001\",\"quantity\":2}}]}}'
  cargo run chaos              which faults there are
  cargo run chaos latency      then watch p95 in the line below
  cargo run traces --slow      which requests were slow; then cargo run trace ID
  cargo run heal

Ctrl-C stops everything. Customers order on their own:
",
        canary = canary(plan),
        provider = plan.provider_url(),
        store = describe(&plan.database, "SQLite"),
        queue = describe(&plan.queue, "embedded broker, AMQP 0-9-1"),
        logs = plan.logs.display(),
        telemetry = match &plan.otlp_elsewhere {
            Some(url) => format!("sent to {url}"),
            None => format!("cargo run traces, cargo run logs; OTLP on port {}", ports.otlp_port),
        },
    );
}

/// Where the second replica of order-api says how it is, if there is one.
fn canary(plan: &Plan) -> String {
    let port = plan.ports.order_api_canary_side_port;
    match plan.canary {
        true => format!(
            "\n                http://127.0.0.1:{port}/metrics  (order-api's second replica)"
        ),
        false => String::new(),
    }
}

fn describe(source: &Source, embedded: &str) -> String {
    let shown = source.shown();
    match source.embedded {
        true => format!("{embedded}, {shown}; gone when the lab stops"),
        false => shown,
    }
}

/// Shows how the shop is doing, each second on a terminal and every ten seconds elsewhere.
pub(crate) async fn watch(desk_url: String, stop: CancellationToken) {
    let terminal = io::stdout().is_terminal();
    let pause = Duration::from_secs(if terminal { 1 } else { 10 });
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
    let client = client.expect("a client without TLS needs nothing");
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => break,
        }
        let Ok(status) = crate::client::status(&client, &desk_url).await else { continue };
        show(&line(&status), terminal);
    }
    show("stopping …", terminal);
    println!();
}

fn show(line: &str, terminal: bool) {
    let mut out = io::stdout().lock();
    // A terminal that has gone away is no reason to stop the shop.
    let _ = match terminal {
        true => write!(out, "\r\x1b[2K{line}"),
        false => writeln!(out, "{line}"),
    };
    let _ = out.flush();
}

fn line(status: &Status) -> String {
    let traffic = &status.traffic;
    let waiting = status.queue.map_or("?".to_owned(), |queue| queue.waiting.to_string());
    let faults: Vec<_> = status.faults.iter().map(|fault| fault.name.as_str()).collect();
    let faults = if faults.is_empty() { "none".to_owned() } else { faults.join(", ") };
    let unready = status.services.iter().filter(|service| !service.ready);
    let unready: String = unready.map(|one| format!(" · {} is not ready", one.name())).collect();
    format!(
        "orders {:.1}/s · errors {:.1}% · p95 {:.0} ms · waiting {waiting} · faults {faults}{unready}",
        traffic.orders_per_second,
        traffic.error_ratio * 100.0,
        traffic.orders.p95_seconds * 1000.0,
    )
}
