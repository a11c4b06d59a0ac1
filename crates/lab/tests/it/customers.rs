//! The customers, in a shop that answers well, late, badly or not at all.

use std::time::Duration;

use lab::customers::Load;
use serde_json::json;
use testbed::eventually;
use tokio::net::TcpListener;

use crate::{
    desk::PATIENCE,
    shop::{Manners, Seen, StubShop, customers},
};

#[tokio::test]
async fn customers_browse_order_and_see_their_orders_fulfilled() {
    let (shop, port) = StubShop::open(Manners::default(), 0).await;
    let (customers, registry) = customers(port, 20.0);
    let snapshot = eventually(PATIENCE, "orders are fulfilled", async || {
        Some(customers.snapshot()).filter(|snapshot| snapshot.orders_fulfilled_seen > 20)
    })
    .await;
    assert_eq!((snapshot.errors_total, snapshot.refused_total), (0, 0));
    assert!(snapshot.orders_placed >= snapshot.orders_fulfilled_seen);
    assert!(snapshot.orders.p50_seconds > 0.0 && snapshot.orders.p50_seconds < 1.0);
    shop.seen(|seen| {
        assert_eq!(seen.anonymous, 0);
        for (order, _) in seen.tries.values().flatten() {
            let items = order["items"].as_array().expect("a list");
            assert!((1..=4).contains(&items.len()), "{order}");
            assert_eq!(order.get("customer_id"), None, "{order}");
        }
    });
    let text = registry.render();
    for journey in ["browse", "order", "list"] {
        let series =
            format!(r#"lab_customer_requests_total{{journey="{journey}",outcome="served"}} 0"#);
        assert!(!text.contains(&series), "{text}");
    }
}

/// With the password once, and then for as long as they come.
#[tokio::test]
async fn customers_sign_in_and_stay_signed_in() {
    let (shop, port) = StubShop::open(Manners::default(), 0).await;
    let (customers, _registry) = customers(port, 40.0);
    eventually(PATIENCE, "each has stayed signed in for a while", async || {
        let stayed = |name: &str| {
            let renewed = |seen: &Seen| {
                seen.forms.iter().filter(|form| form["refresh_token"] == name).count()
            };
            shop.seen(renewed) >= 2
        };
        (stayed("ada") && stayed("grace")).then_some(())
    })
    .await;
    drop(customers);
    shop.seen(|seen| {
        for (name, password) in [("ada", "analytical"), ("grace", "nanosecond")] {
            let form = json!({"username": name, "password": password});
            assert_eq!(seen.forms.iter().filter(|sent| **sent == form).count(), 1, "{name}");
            let token = format!("Bearer token-of-{name}");
            assert!(seen.presented.contains(&token), "{name}");
        }
        assert!(
            seen.forms.iter().all(|form| form["username"] != "root"),
            "an admin is no customer"
        );
        assert_ne!(seen.presented.last().map(String::as_str), Some(""), "known by now");
    });
}

/// As when the services have another secret than before.
#[tokio::test]
async fn customers_whose_tokens_are_refused_sign_in_anew() {
    let (shop, port) = StubShop::open(Manners::default(), 0).await;
    shop.forget_all(3600);
    let (_customers, _registry) = customers(port, 40.0);
    let logins = |name: &str| {
        shop.seen(|seen| seen.forms.iter().filter(|form| form["username"] == name).count())
    };
    // All of them: whoever signs in for the first time does not sign in anew.
    let all = async || ["ada", "grace"].iter().all(|name| logins(name) > 0).then_some(());
    eventually(PATIENCE, "they have signed in", all).await;
    let before = logins("ada");
    shop.forget_all(3600);
    let again = async || (logins("ada") > before).then_some(());
    eventually(PATIENCE, "ada has signed in anew", again).await;
}

#[tokio::test]
async fn a_customer_repeats_an_order_under_the_same_key() {
    let (shop, port) = StubShop::open(Manners { failures: 2, ..Manners::default() }, 0).await;
    let (customers, _registry) = customers(port, 40.0);
    let snapshot = eventually(PATIENCE, "orders are accepted", async || {
        Some(customers.snapshot()).filter(|snapshot| snapshot.orders_placed > 10)
    })
    .await;
    assert!(snapshot.error_ratio > 0.0, "tries that failed count");
    shop.seen(|seen| {
        let accepted = seen.tries.values().filter(|tries| tries.len() == 3);
        assert!(accepted.count() >= 10);
        for tries in seen.tries.values() {
            assert!(tries.len() <= 3, "{tries:?}");
            assert!(tries.iter().all(|each| *each == tries[0]), "{tries:?}");
        }
    });
}

#[tokio::test]
async fn a_customer_gives_up_after_a_few_tries() {
    let (shop, port) = StubShop::open(Manners { failures: 99, ..Manners::default() }, 0).await;
    let (customers, _registry) = customers(port, 40.0);
    eventually(PATIENCE, "a customer has tried four times", async || {
        shop.seen(|seen| seen.tries.values().any(|tries| tries.len() == 4)).then_some(())
    })
    .await;
    customers.set_rate(0.0);
    let errors = customers.snapshot().errors_total;
    eventually(PATIENCE, "the others have, too", async || {
        shop.seen(|seen| seen.tries.values().all(|tries| tries.len() == 4)).then_some(())
    })
    .await;
    shop.seen(|seen| assert!(seen.tries.values().all(|tries| tries.len() <= 4)));
    assert!(errors > 0 && customers.snapshot().orders_placed == 0);
}

/// It might be two orders.
#[tokio::test]
async fn an_order_without_a_key_is_sent_once() {
    let (shop, port) = StubShop::open(Manners { failures: 1, ..Manners::default() }, 0).await;
    let (customers, _registry) = customers(port, 100.0);
    eventually(PATIENCE, "some have no key, and many have one", async || {
        let enough = |seen: &Seen| seen.keyless.len() >= 5 && seen.tries.len() >= 20;
        shop.seen(enough).then_some(())
    })
    .await;
    customers.set_rate(0.0);
    eventually(PATIENCE, "what has a key is sent again", async || {
        shop.seen(|seen| seen.tries.values().all(|tries| tries.len() == 2)).then_some(())
    })
    .await;
    shop.seen(|seen| assert!(seen.keyless.values().all(|times| *times == 1), "{:?}", seen.keyless));
}

#[tokio::test]
async fn arrivals_do_not_wait_for_answers() {
    let delay = Duration::from_secs(2);
    let (_shop, port) = StubShop::open(Manners { delay, failures: 0 }, 0).await;
    let (customers, _registry) = customers(port, 20.0);
    let snapshot = eventually(PATIENCE, "the first answers", async || {
        Some(customers.snapshot()).filter(|snapshot| snapshot.requests_total > 100)
    })
    .await;
    // One at a time, this would have taken 200 s.
    assert!(snapshot.requests.p50_seconds > 1.9, "{snapshot:?}");
    assert_eq!(snapshot.dropped_total, 0);
}

#[tokio::test]
async fn a_request_is_measured_from_when_it_was_wanted() {
    let (_shop, port) = StubShop::open(Manners::default(), 0).await;
    let (customers, _registry) = customers(port, 100.0);
    eventually(PATIENCE, "the shop has opened", async || {
        (customers.snapshot().requests_total > 0).then_some(())
    })
    .await;
    // Shop and customers share this thread: for a second nobody is served, nor sent a request.
    std::thread::sleep(Duration::from_secs(1));
    let snapshot = eventually(PATIENCE, "those who were due meanwhile are served", async || {
        Some(customers.snapshot()).filter(|snapshot| snapshot.requests_total > 100)
    })
    .await;
    assert!(snapshot.requests.p95_seconds > 0.5, "{snapshot:?}");
}

#[tokio::test]
async fn what_is_too_much_to_have_open_is_dropped_and_counted() {
    let delay = Duration::from_secs(5);
    let (_shop, port) = StubShop::open(Manners { delay, failures: 0 }, 0).await;
    let (customers, registry) = customers(port, 300.0);
    eventually(PATIENCE, "some are dropped", async || {
        (customers.snapshot().dropped_total > 0).then_some(())
    })
    .await;
    let text = registry.render();
    let dropped = text.lines().filter(|line| line.contains(r#"outcome="dropped""#));
    assert!(dropped.into_iter().any(|line| !line.ends_with(" 0")), "{text}");
}

#[tokio::test]
async fn a_shop_that_has_not_opened_yet_is_no_error() {
    let door = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = door.local_addr().expect("an address").port();
    let (customers, _registry) = customers(port, 100.0);
    for _ in 0..20 {
        drop(door.accept().await.expect("a customer"));
    }
    assert_eq!(customers.snapshot().requests_total, 0);
    drop(door);
    let _shop = StubShop::open(Manners::default(), port).await;
    let snapshot = eventually(PATIENCE, "the shop has opened", async || {
        Some(customers.snapshot()).filter(|snapshot| snapshot.requests_total > 50)
    })
    .await;
    assert_eq!(snapshot.errors_total, 0, "{snapshot:?}");
}

#[tokio::test]
async fn the_load_can_be_changed_while_it_runs() {
    let (_shop, port) = StubShop::open(Manners::default(), 0).await;
    let (customers, _registry) = customers(port, 0.0);
    assert_eq!(customers.load(), Load { enabled: true, rate: 0.0, seed: 1 });
    customers.set_load(Load { enabled: true, rate: 200.0, seed: 1 });
    eventually(PATIENCE, "they come", async || {
        (customers.snapshot().requests_total > 100).then_some(())
    })
    .await;
    customers.set_load(Load { enabled: false, rate: 200.0, seed: 1 });
    eventually(PATIENCE, "nobody comes any more", async || {
        let before = customers.snapshot().requests_total;
        tokio::time::sleep(Duration::from_millis(600)).await;
        (customers.snapshot().requests_total == before).then_some(())
    })
    .await;
}

/// 60 journeys per second, which is twenty times the default.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_journeys_per_second_are_kept_up() {
    let (_shop, port) = StubShop::open(Manners::default(), 0).await;
    let (customers, _registry) = customers(port, 60.0);
    let snapshot = eventually(PATIENCE, "a rate of requests as of 60 journeys", async || {
        Some(customers.snapshot()).filter(|snapshot| snapshot.requests_per_second > 100.0)
    })
    .await;
    assert_eq!((snapshot.errors_total, snapshot.dropped_total), (0, 0), "{snapshot:?}");
}
