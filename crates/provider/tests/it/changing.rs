//! A provider whose behaviour changes while it runs.

use std::time::Duration;

use provider::{Behaviour, Config, Load, Provider};
use testbed::eventually;
use tokio::{net::TcpListener, task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::client::{Client, QUICK, charge};

const TICK: Duration = Duration::from_millis(100);

/// Ten requests at a provider that behaves so, a moment after they came.
async fn ten_at(behaviour: Behaviour) -> (Client, JoinSet<u16>) {
    let client = Client::of(QUICK).await;
    client.provider.set_behaviour(behaviour);
    let mut tasks = JoinSet::new();
    for number in 0..10 {
        let client = client.clone();
        tasks.spawn(async move { client.authorize(&number.to_string(), 1).await.status.as_u16() });
    }
    sleep(TICK / 10).await;
    (client, tasks)
}

#[tokio::test(start_paused = true)]
async fn more_servers_take_up_who_waits_at_once() {
    let two = Behaviour { capacity: 2, median: TICK, ..QUICK };
    let (client, tasks) = ten_at(two).await;
    assert_eq!(client.provider.load(), Load { busy: 2, waiting: 8 });
    client.provider.set_behaviour(Behaviour { capacity: 7, ..two });
    assert_eq!(client.provider.load(), Load { busy: 7, waiting: 3 });
    assert_eq!(tasks.join_all().await, [201; 10]);
}

#[tokio::test(start_paused = true)]
async fn servers_that_are_taken_away_finish_first() {
    let seven = Behaviour { capacity: 7, median: TICK, ..QUICK };
    let (client, tasks) = ten_at(seven).await;
    client.provider.set_behaviour(Behaviour { capacity: 1, ..seven });
    assert_eq!(client.provider.load(), Load { busy: 7, waiting: 3 });
    sleep(TICK).await;
    assert_eq!(client.provider.load(), Load { busy: 1, waiting: 2 });
    assert_eq!(tasks.join_all().await, [201; 10]);
}

#[tokio::test(start_paused = true)]
async fn without_servers_all_wait_and_a_shorter_line_sends_nobody_away() {
    let none = Behaviour { capacity: 0, queue: 10, ..QUICK };
    let (client, tasks) = ten_at(none).await;
    sleep(TICK * 100).await;
    assert_eq!(client.provider.load(), Load { busy: 0, waiting: 10 });
    client.provider.set_behaviour(Behaviour { queue: 3, ..none });
    assert_eq!(client.authorize("late", 1).await.problem(), (503, "overloaded"));
    client.provider.set_behaviour(QUICK);
    assert_eq!(tasks.join_all().await, [201; 10]);
}

/// What was done is known by its key, though the answer was an error.
#[tokio::test(start_paused = true)]
async fn what_is_answered_with_an_error_is_done_all_the_same() {
    let client = Client::of(QUICK).await;
    client.provider.set_behaviour(Behaviour { error_rate: 1.0, ..QUICK });
    assert_eq!(client.authorize("a", 1).await.problem(), (500, "internal"));
    assert_eq!(client.provider.totals().authorizations, 1);
    client.provider.set_behaviour(QUICK);
    assert_eq!(client.authorize("a", 1).await.status, 201);
    assert_eq!(client.provider.totals().authorizations, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_set_is_what_is_shown() {
    let client = Client::of(QUICK).await;
    assert_eq!(client.provider.behaviour(), QUICK);
    let beyond = Behaviour { capacity: 5000, decline_rate: 2.0, ..QUICK };
    client.provider.set_behaviour(beyond);
    let nearest = Behaviour { capacity: 1000, decline_rate: 1.0, ..QUICK };
    assert_eq!(client.provider.behaviour(), nearest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_not_available_closes_connections_and_keeps_its_books() {
    let slow = Behaviour { median: Duration::from_secs(10), ..QUICK };
    let provider = Provider::new(Config { behaviour: QUICK, ..Config::default() });
    let token = Client::of_provider(provider.clone()).await.token;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/authorizations", listener.local_addr().expect("an address"));
    let stop = CancellationToken::new();
    let served = tokio::spawn(provider.clone().serve(listener, stop.clone()));
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let send = |key: &'static str| {
        let request = client.post(&url).bearer_auth(&token).json(&charge(100, "card"));
        request.header("idempotency-key", key).send()
    };
    assert_eq!(send("before").await.expect("an answer").status(), 201);

    provider.set_behaviour(slow);
    let (cut, ()) = tokio::join!(send("cut"), async {
        eventually(Duration::from_secs(30), "one is served", async || {
            (provider.load().busy == 1).then_some(())
        })
        .await;
        provider.set_behaviour(Behaviour { available: false, ..slow });
    });
    assert!(cut.is_err(), "its connection was cut");
    assert!(send("refused").await.is_err(), "no connection is answered");
    assert_eq!(provider.totals().authorizations, 2, "the one that was cut was inside");

    provider.set_behaviour(QUICK);
    let answer = send("cut").await.expect("an answer");
    assert_eq!(answer.headers()["idempotent-replayed"], "true");
    assert_eq!(send("refused").await.expect("an answer").status(), 201);
    assert_eq!(provider.totals().authorizations, 3);
    stop.cancel();
    served.await.expect("no panic");
}
