//! The customers in the real shop: all three services, a SQLite file and the embedded broker.

use std::{ffi::OsString, sync::Arc, time::Duration};

use instrumentation::service::{self, Config};
use lab::{
    desk::Status,
    load::{
        errand::{Kind, Mix, Shopper},
        generator::{self, Plan},
        outcome::Class,
        schedule::{Schedule, Spacing},
        target::{Address, Target},
    },
};
use provider::{Behaviour, Provider};
use reqwest::Method;
use testbed::{eventually, free_port};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::desk::{PATIENCE, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_customers_orders_are_fulfilled() {
    let folder = tempfile::tempdir().expect("a folder");
    let (world, stop) = open_shop(&format!("sqlite://{}/shop.db", folder.path().display())).await;
    let desk = world.desk().await;
    desk.text(Method::PUT, "/load", "rate=5").await;
    let status = eventually(3 * PATIENCE, "orders are fulfilled", async || {
        let (_, json) = desk.json(Method::GET, "/status", "").await;
        let status: Status = serde_json::from_value(json).expect("a status");
        let ready = status.services.iter().all(|service| service.ready);
        (ready && status.traffic.orders_fulfilled_seen > 10).then_some(status)
    })
    .await;
    assert_eq!(status.traffic.refused_total, 0, "{status}");
    assert_eq!(status.queue.map(|queue| queue.dead), Some(0), "{status}");
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_has_right_answers_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let (world, stop) = open_shop(&format!("sqlite://{}/shop.db", folder.path().display())).await;
    let ready = format!("http://127.0.0.1:{}/ready", world.services[0]);
    eventually(PATIENCE, "the shop is open", async || {
        reqwest::get(&ready).await.ok()?.status().is_success().then_some(())
    })
    .await;
    let url = world.gateway_url.parse().expect("a URL");
    let target = Target::new(Address { url, token: None }, PATIENCE).expect("a client");
    let skus = eventually(PATIENCE, "products", async || target.skus().await.ok()).await;
    let mut shopper = Shopper::new(1, EVERYTHING, skus);
    let plan = Plan {
        schedule: Schedule::steady(10.0, Duration::from_secs(6)),
        spacing: Spacing::Poisson,
        seed: 1,
        in_flight: 100,
        good_within: PATIENCE,
    };
    let record = generator::run(&plan, &Arc::new(target), &mut shopper, &stop, |_| ()).await;
    let outcomes = record.all.outcomes();
    assert!(outcomes.total() > 30, "{outcomes:?}");
    assert_eq!(outcomes.of_class(Class::Success), outcomes.total(), "{:?}", record.notables.failed);
    assert!(record.kinds.iter().all(|tally| tally.outcomes().total() > 0), "{record:?}");
    stop.cancel();
}

/// Every kind of request, each card a good one.
const EVERYTHING: Mix = Mix {
    weights: &[
        (Kind::Browse, 1),
        (Kind::Place, 1),
        (Kind::Repeat, 1),
        (Kind::Look, 1),
        (Kind::List, 1),
    ],
    declined: 0,
};

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
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let provider_url = format!("http://{}", listener.local_addr().expect("an address"));
    let provider = Provider::new(provider::Config::default());
    provider.set_behaviour(Behaviour { decline_rate: 0.0, ..provider.behaviour() });
    tokio::spawn(provider.serve(listener, stop.clone()));
    tokio::spawn(broker.run(stop.clone()));
    tokio::spawn(order_api::run(
        config(&[
            ["--listen", &api],
            ["--side-listen", &api_side],
            ["--database-url", database_url],
            ["--amqp-url", amqp],
            ["--payment-provider-url", &provider_url],
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
            // Slow is no wrong answer.
            ["--request-deadline", "60s"],
            ["--breaker-minimum", "1000"],
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
