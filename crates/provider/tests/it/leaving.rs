//! Clients that do not wait for their answers: outside, nothing is done; inside, all of it is.

use std::time::Duration;

use provider::{Behaviour, Config, Load, Provider};
use testbed::eventually;
use tokio::{
    net::TcpListener,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::client::{Client, QUICK, charge};

const SERVICE: Duration = Duration::from_secs(1);
/// One server, which takes a second for each.
const ONE: Behaviour = Behaviour { capacity: 1, ..QUICK };

/// A client of a provider that has become slow.
async fn slow() -> Client {
    let client = Client::of(ONE).await;
    client.provider.set_behaviour(Behaviour { median: SERVICE, ..ONE });
    client
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_while_being_served_is_charged_and_keeps_the_server_busy() {
    let client = slow().await;
    let began = Instant::now();
    let left = timeout(SERVICE / 2, client.authorize("left", 100)).await;
    assert!(left.is_err(), "the client has gone");
    assert_eq!(client.provider.load(), Load { busy: 1, waiting: 0 });

    let found = client.look_up("left").await;
    assert_eq!((found.status.as_u16(), &found.body["status"]), (200, &"authorized".into()));
    assert_eq!(began.elapsed(), SERVICE * 2, "it waited for the server");
    assert_eq!(client.provider.totals().authorized_minor, 100);
    let again = client.authorize("left", 100).await;
    assert!(again.is_replayed() && again.body["id"] == found.body["id"]);
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_while_waiting_leaves_the_line_and_is_not_charged() {
    let client = slow().await;
    let first = tokio::spawn({
        let client = client.clone();
        async move { client.authorize("first", 100).await.status }
    });
    sleep(SERVICE / 10).await;
    let left = timeout(SERVICE / 2, client.authorize("left", 100)).await;
    assert!(left.is_err(), "the client has gone");
    assert_eq!(client.provider.load(), Load { busy: 1, waiting: 0 });
    assert_eq!(client.look_up("left").await.problem(), (404, "authorization_not_found"));
    assert_eq!(first.await.expect("no panic"), 201);
    assert_eq!(client.provider.totals().authorizations, 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_what_became_of_it_stands_in_line_behind_it() {
    let client = slow().await;
    let waits = [("first", Duration::ZERO), ("second", Duration::from_millis(1))];
    let sent = waits.map(|(key, wait)| {
        let client = client.clone();
        tokio::spawn(async move {
            sleep(wait).await;
            client.authorize(key, 100).await.status
        })
    });
    sleep(Duration::from_millis(2)).await;
    assert_eq!(client.provider.load(), Load { busy: 1, waiting: 1 });
    assert_eq!(client.look_up("second").await.status, 200, "it is not there and not lost");
    for sent in sent {
        assert_eq!(sent.await.expect("no panic"), 201);
    }
}

/// The same through a socket, where leaving means that the connection is closed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_closes_is_a_client_that_leaves() {
    let slow = Behaviour { median: Duration::from_secs(5), ..ONE };
    let provider = Provider::new(Config { behaviour: ONE, ..Config::default() });
    let token = Client::of_provider(provider.clone()).await.token;
    provider.set_behaviour(slow);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/authorizations", listener.local_addr().expect("an address"));
    let stop = CancellationToken::new();
    let served = tokio::spawn(provider.clone().serve(listener, stop.clone()));

    let impatient = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(1));
    let impatient = impatient.build().expect("a client");
    let send = |key: &'static str| {
        let request = impatient.post(&url).bearer_auth(&token).json(&charge(100, "card"));
        request.header("idempotency-key", key).send()
    };
    let (inside, outside) = tokio::join!(send("one"), async {
        eventually(Duration::from_secs(30), "the first is served", async || {
            (provider.load().busy == 1).then_some(())
        })
        .await;
        send("two").await
    });
    assert!(inside.is_err_and(|error| error.is_timeout()));
    assert!(outside.is_err_and(|error| error.is_timeout()));
    eventually(Duration::from_secs(30), "the line is empty", async || {
        (provider.load() == Load { busy: 0, waiting: 0 }).then_some(())
    })
    .await;
    assert_eq!(provider.totals().authorizations, 1, "the one that was inside");
    stop.cancel();
    served.await.expect("no panic");
}
