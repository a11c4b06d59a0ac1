//! A fault from the command line to the customers and back.

use std::time::{Duration, Instant};

use crate::{in_both_worlds, lab::World, shop::cart};

in_both_worlds!(latency_slows_orders_until_it_is_healed, errors_fail_orders_until_they_are_healed);

async fn latency_slows_orders_until_it_is_healed(world: World) {
    let at_rest = slowest_of_ten(&world).await;
    let (code, text) = world.lab.command(&["chaos", "latency", "ms=3000", "p=1"]);
    assert_eq!(code, 0, "{text}");
    // The least of ten draws from that distribution lies far above 300 ms, at rest none does.
    let struck = fastest_of_ten(&world).await;
    assert!(struck > Duration::from_millis(300), "{struck:?} with the fault, {at_rest:?} at rest");

    let (code, text) = world.lab.command(&["chaos", "status"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("latency"), "{text}");

    // A restarted service gets back what is on.
    world.lab.kill("order-api").await;
    world.lab.ready().await;
    testbed::eventually(Duration::from_secs(30), "the fault is on again", || async {
        (fastest_of_ten(&world).await > Duration::from_millis(300)).then_some(())
    })
    .await;

    let (code, text) = world.lab.command(&["heal"]);
    assert_eq!(code, 0, "{text}");
    testbed::eventually(Duration::from_secs(30), "orders are fast again", || async {
        (2 * fastest_of_ten(&world).await < struck).then_some(())
    })
    .await;
}

async fn errors_fail_orders_until_they_are_healed(world: World) {
    let (code, text) = world.lab.command(&["chaos", "errors", "p=1"]);
    assert_eq!(code, 0, "{text}");
    let answer = world.shop().post(&cart("TEA-001", 1), "key-1").await.expect("an answer");
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    let (code, text) = world.lab.command(&["heal", "errors"]);
    assert_eq!(code, 0, "{text}");
    world.shop().place(&cart("TEA-001", 1)).await;

    for service in ["web-gateway", "order-api", "fulfillment-worker"] {
        let log = world.lab.log(service).to_lowercase();
        for word in ["fault", "chaos", "inject", "seam"] {
            assert!(!log.contains(word), "{service} says {word:?}");
        }
    }
}

async fn slowest_of_ten(world: &World) -> Duration {
    ten(world).await.into_iter().max().expect("ten")
}

async fn fastest_of_ten(world: &World) -> Duration {
    ten(world).await.into_iter().min().expect("ten")
}

async fn ten(world: &World) -> Vec<Duration> {
    let shop = world.shop();
    let orders = (0..10).map(|_| async {
        let started = Instant::now();
        shop.place(&cart("TEA-001", 1)).await;
        started.elapsed()
    });
    futures_util::future::join_all(orders).await
}
