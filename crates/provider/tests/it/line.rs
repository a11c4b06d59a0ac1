//! The line in front of the servers: first come, first served, and what queueing theory says of it.

use std::time::Duration;

use http::StatusCode;
use provider::{Behaviour, Load};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use crate::client::{Client, QUICK};

const SERVERS: Behaviour =
    Behaviour { capacity: 16, median: Duration::from_millis(20), sigma: 0.4, queue: 256, ..QUICK };
/// The mean of a log-normal time is its median times exp(sigma² / 2).
const MEAN: f64 = 0.020 * 1.0833;

/// What was seen of a number of requests that came at random.
struct Seen {
    served: usize,
    overloaded: usize,
    seconds: f64,
    /// Mean time from a request that was served to its answer, in seconds.
    mean_time: f64,
    /// The mean of what the provider said of itself, a thousand times a second.
    mean_busy: f64,
    mean_waiting: f64,
}

/// Lets requests come for a while, at random, at this share of what the servers can do.
async fn offer(behaviour: Behaviour, share: f64, requests: usize) -> Seen {
    let client = Client::of(QUICK).await;
    client.provider.set_behaviour(behaviour);
    let began = Instant::now();
    let rate = share * behaviour.capacity as f64 / MEAN;
    let mut rng = StdRng::seed_from_u64(7);
    let (mut tasks, mut due) = (JoinSet::new(), began);
    for number in 0..requests {
        due += Duration::from_secs_f64(-(1.0 - rng.random::<f64>()).ln() / rate);
        let client = client.clone();
        tasks.spawn(async move {
            sleep_until(due).await;
            let came = Instant::now();
            let status = client.authorize(&number.to_string(), 1).await.status;
            (status, came.elapsed())
        });
    }
    let provider = client.provider.clone();
    let watching = tokio::spawn(async move {
        let (mut sum, mut samples) = ([0, 0], 0);
        while Instant::now() < due {
            let Load { busy, waiting } = provider.load();
            (sum, samples) = ([sum[0] + busy, sum[1] + waiting], samples + 1);
            sleep(Duration::from_millis(1)).await;
        }
        sum.map(|sum| sum as f64 / f64::from(samples))
    });
    let answers = tasks.join_all().await;
    let [mean_busy, mean_waiting] = watching.await.expect("no panic");
    let served = answers.iter().filter(|(status, _)| *status == StatusCode::CREATED);
    let times: Vec<_> = served.map(|(_, time)| time.as_secs_f64()).collect();
    let turned_away = |status| status == StatusCode::SERVICE_UNAVAILABLE;
    Seen {
        served: times.len(),
        overloaded: answers.iter().filter(|(status, _)| turned_away(*status)).count(),
        seconds: (due - began).as_secs_f64(),
        mean_time: times.iter().sum::<f64>() / times.len() as f64,
        mean_busy,
        mean_waiting,
    }
}

/// Within a share of what is expected.
fn is_about(value: f64, expected: f64, share: f64) {
    assert!((value / expected - 1.0).abs() < share, "{value}, expected {expected}");
}

#[tokio::test(start_paused = true)]
async fn below_capacity_hardly_anyone_waits() {
    let seen = offer(SERVERS, 0.6, 6000).await;
    assert_eq!((seen.served, seen.overloaded), (6000, 0));
    let rate = seen.served as f64 / seen.seconds;
    // How long they wait follows from how many do.
    assert!(seen.mean_waiting / rate < 0.0005, "{} wait", seen.mean_waiting);
    is_about(seen.mean_time, MEAN, 0.06);
    is_about(seen.mean_busy, 0.6 * 16.0, 0.08);
}

#[tokio::test(start_paused = true)]
async fn above_capacity_the_line_is_full_and_the_rest_is_turned_away() {
    let seen = offer(SERVERS, 1.5, 9000).await;
    assert_eq!(seen.served + seen.overloaded, 9000);
    is_about(seen.mean_busy, 16.0, 0.02);
    is_about(seen.mean_waiting, 256.0, 0.1);
    // The servers serve two thirds of them, and those have waited for a whole line.
    is_about(seen.overloaded as f64, 9000.0 / 3.0, 0.1);
    is_about(seen.mean_time, MEAN + 256.0 / (16.0 / MEAN), 0.1);
}

#[tokio::test(start_paused = true)]
async fn as_many_are_there_as_come_times_how_long_they_stay() {
    for share in [0.5, 0.9, 1.2] {
        let seen = offer(SERVERS, share, 5000).await;
        let rate = seen.served as f64 / seen.seconds;
        is_about(seen.mean_busy + seen.mean_waiting, rate * seen.mean_time, 0.06);
    }
}

#[tokio::test(start_paused = true)]
async fn first_come_first_served() {
    let one = Behaviour { capacity: 1, sigma: 0.0, median: Duration::from_millis(10), ..QUICK };
    let client = Client::of(one).await;
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..5_u32 {
        let client = client.clone();
        tasks.spawn(async move {
            client.authorize(&number.to_string(), 1).await;
            (number, began.elapsed().as_millis())
        });
    }
    let mut answered = tasks.join_all().await;
    answered.sort_unstable();
    assert_eq!(answered, [(0, 10), (1, 20), (2, 30), (3, 40), (4, 50)]);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_turned_away_is_told_when_to_come_again_and_not_charged() {
    let closed = Behaviour { capacity: 1, queue: 0, median: Duration::from_secs(1), ..QUICK };
    let client = Client::of(QUICK).await;
    client.provider.set_behaviour(closed);
    let (first, second) = tokio::join!(client.authorize("first", 1), client.authorize("second", 1));
    assert_eq!(first.status, 201);
    assert_eq!(second.problem(), (503, "overloaded"));
    assert_eq!(second.headers["retry-after"], "1");
    assert_eq!(client.look_up("second").await.status, 404);
}
