//! The payment provider is away for a while: the shop says so at once, and nothing is lost.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use testbed::eventually;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::{
    books::{Books, PEACE},
    lab::World,
    number,
    shop::cart,
    trading::Trading,
};

/// How long it is away, unless it is to be for longer.
const AWAY: Duration = Duration::from_secs(15);
/// At most so long may the shop take to refuse an order; by itself it takes 13 ms.
const AT_ONCE: Duration = Duration::from_millis(500);
const OPEN: &str = r#"circuit_breaker_state{circuit="payment_provider",state="open"} 1"#;

crate::in_both_worlds!(a_provider_that_is_away_costs_no_order);

/// `MISHAP_AWAY_SECONDS=60` makes it longer.
async fn a_provider_that_is_away_costs_no_order(world: World) {
    let (books, trading) = (Books::open(&world).await, Trading::start(world.shop()));
    trading.at_least(30).await;
    let set = |setting: &str| assert_eq!(world.lab.command(&["provider", "set", setting]).0, 0);
    set("available=false");
    eventually(PEACE, "the circuit opens", async || is_open(&world).await.then_some(())).await;

    // No more customers come; those who wait for an answer insist on one.
    let accepted = tokio::spawn(trading.stop());

    let (away, mut refused) = (Instant::now(), Vec::new());
    let lasts = number("MISHAP_AWAY_SECONDS").map_or(AWAY, Duration::from_secs);
    while away.elapsed() < lasts {
        let (asked, key) = (Instant::now(), Uuid::now_v7().to_string());
        let answer = world.shop().post(&cart("TEA-001", 1), &key).await.expect("an answer");
        match answer.status() {
            StatusCode::SERVICE_UNAVAILABLE => {
                assert!(answer.headers().contains_key("retry-after"), "{answer:?}");
                refused.push(asked.elapsed());
            }
            // One that was let through to see whether the provider is back is decided later.
            status => assert!(
                [StatusCode::ACCEPTED, StatusCode::GATEWAY_TIMEOUT].contains(&status),
                "{status}: {}",
                answer.text().await.unwrap_or_default()
            ),
        }
        let products = async || world.shop().get("/products").await;
        eventually(PEACE, "the shop can be looked at", products).await;
        sleep(Duration::from_millis(200)).await;
    }
    refused.sort_unstable();
    let (count, median) = (refused.len(), refused[refused.len() / 2]);
    assert!(count >= 3 && median < AT_ONCE, "{count} refused, half of them within {median:?}");

    set("available=true");
    let placed = async || {
        let answer = world.shop().post(&cart("TEA-001", 1), &Uuid::now_v7().to_string()).await;
        (answer.ok()?.status() == StatusCode::CREATED).then_some(())
    };
    eventually(PEACE, "orders are placed again", placed).await;
    let back = away.elapsed() - lasts;
    let accepted = accepted.await.expect("every customer got an answer");
    let ends = books.add_up(&world, &accepted).await;
    eprintln!(
        "away for {lasts:?}: {count} orders refused, half of them within {median:?}; placed again \
         {back:?} after it was back; {} accepted: {ends}",
        accepted.len(),
    );
}

async fn is_open(world: &World) -> bool {
    let url = format!("http://127.0.0.1:{}/metrics", world.lab.order_api_side_port);
    let answer = Client::new().get(url).send().await.expect("order-api's side port answers");
    answer.text().await.expect("text").lines().any(|line| line == OPEN)
}
