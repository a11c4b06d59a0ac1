//! Log records are found, and followed as they come.

use std::sync::Arc;

use telemetry::{
    Limits, Store,
    log::{Level, LogFilter},
};

use crate::sent::{log_record, logs};

fn said(log_records: &[Arc<telemetry::log::LogRecord>]) -> Vec<String> {
    log_records.iter().map(|record| record.body.to_string()).collect()
}

#[test]
fn each_filter_takes_what_it_says() {
    let store = Store::new(Limits::default());
    let mut warning = log_record(2, "Stock is LOW", 2, "43");
    warning.severity_number = 13;
    store.receive_log_records(logs("worker", vec![warning])).unwrap();
    store
        .receive_log_records(logs("order-api", vec![log_record(1, "order stored", 1, "42")]))
        .unwrap();
    let find = |filter| said(&store.log_records(&filter, 10));
    let all = LogFilter::default;
    assert_eq!(find(all()), ["order stored", "Stock is LOW"], "in the order of their times");
    for filter in [
        LogFilter { order: Some("43".to_owned()), ..all() },
        LogFilter { trace: "00000000000000000000000000000002".parse().ok(), ..all() },
        LogFilter { service: Some("worker".to_owned()), ..all() },
        LogFilter { level: Some(Level::Warn), ..all() },
        LogFilter { text: Some("low".to_owned()), ..all() },
    ] {
        assert_eq!(find(filter.clone()), ["Stock is LOW"], "{filter:?}");
    }
    let stranger = LogFilter { correlation: Some("nobody".to_owned()), ..all() };
    assert_eq!(find(stranger), [""; 0]);
    assert_eq!(said(&store.log_records(&all(), 1)), ["order stored"], "the last that came");
}

#[tokio::test]
async fn one_who_follows_gets_what_there_was_and_what_comes() {
    let store = Arc::new(Store::new(Limits::default()));
    let say = |body: &str| {
        store.receive_log_records(logs("any", vec![log_record(1, body, 0, "1")])).unwrap();
    };
    say("before");
    let wanted = LogFilter { text: Some("o".to_owned()), ..LogFilter::default() };
    let mut follower = store.follow(wanted, 10);
    say("unheard");
    say("now");
    assert_eq!(said(&follower.next().await.log_records), ["before"]);
    assert_eq!(said(&follower.next().await.log_records), ["now"]);
    let next = tokio::spawn(async move { follower.next().await });
    tokio::task::yield_now().await;
    say("soon");
    assert_eq!(said(&next.await.expect("it follows").log_records), ["soon"]);
}

#[tokio::test]
async fn one_who_is_slow_loses_the_oldest_and_learns_how_many() {
    let store = Arc::new(Store::new(Limits { log_records: 10, ..Limits::default() }));
    let mut follower = store.follow(LogFilter::default(), 10);
    for number in 0..25 {
        let line = log_record(1, &number.to_string(), number, "1");
        store.receive_log_records(logs("any", vec![line])).unwrap();
    }
    let found = follower.next().await;
    assert_eq!(found.lost, 15);
    assert_eq!(said(&found.log_records).first().map(String::as_str), Some("15"));
    assert_eq!(found.log_records.len(), 10);
}
