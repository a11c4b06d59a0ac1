//! The customers in the real shop: all three services, a SQLite file and the embedded broker.

use std::ffi::OsString;

use instrumentation::service::{self, Config};
use lab::desk::Status;
use reqwest::Method;
use testbed::{eventually, free_port};
use tokio_util::sync::CancellationToken;

use crate::desk::{PATIENCE, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_customers_orders_are_fulfilled() {
    let folder = tempfile::tempdir().expect("a folder");
    let (world, stop) = open_shop(&format!("sqlite://{}/shop.db", folder.path().display())).await;
    let desk = world.desk().await;
    desk.text(Method::PUT, "/load", "rate=20").await;
    let status = eventually(PATIENCE, "orders are fulfilled", async || {
        let (_, json) = desk.json(Method::GET, "/status", "").await;
        let status: Status = serde_json::from_value(json).expect("a status");
        (status.traffic.orders_fulfilled_seen > 10).then_some(status)
    })
    .await;
    assert!(status.services.iter().all(|service| service.ready), "{status}");
    assert_eq!(status.traffic.refused_total, 0, "{status}");
    assert_eq!(status.queue.map(|queue| queue.dead), Some(0), "{status}");
    stop.cancel();
}

/// Starts the services in this process, as their own programs would.
async fn open_shop(database_url: &str) -> (World, CancellationToken) {
    let broker = broker::Broker::bind(broker::Config::default()).await.expect("a broker");
    let amqp_url = format!("amqp://guest:guest@{}/%2f", broker.local_addr());
    let (shop, api) = (free_port(), free_port());
    let world =
        World { amqp_url, gateway_url: format!("http://127.0.0.1:{shop}"), ..World::empty() };
    let local = |port: u16| format!("127.0.0.1:{port}");
    let [gateway_side, api_side, worker_side] = world.services.map(local);
    let (shop, api, api_url) = (local(shop), local(api), format!("http://127.0.0.1:{api}"));
    let amqp = world.amqp_url.as_str();

    let stop = CancellationToken::new();
    tokio::spawn(broker.run(stop.clone()));
    tokio::spawn(order_api::run(
        config(&[
            ["--listen", &api],
            ["--side-listen", &api_side],
            ["--database-url", database_url],
            ["--amqp-url", amqp],
        ]),
        stop.clone(),
    ));
    tokio::spawn(fulfillment_worker::run(
        config(&[
            ["--side-listen", &worker_side],
            ["--amqp-url", amqp],
            ["--order-api-url", &api_url],
        ]),
        stop.clone(),
    ));
    tokio::spawn(web_gateway::run(
        config(&[
            ["--listen", &shop],
            ["--side-listen", &gateway_side],
            ["--order-api-url", &api_url],
        ]),
        stop.clone(),
    ));
    (world, stop)
}

fn config<C: Config>(flags: &[[&str; 2]]) -> C {
    let arguments = flags.iter().flatten().map(OsString::from);
    let program = [OsString::from(C::SERVICE)].into_iter();
    let matches = service::command::<C>().get_matches_from(program.chain(arguments));
    C::from_arg_matches(&matches).expect("the arguments are right")
}
