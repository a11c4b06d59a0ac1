//! However much comes, no more than the limits stays, and the newest of it.

use std::time::Duration;

use telemetry::{Limits, Store, log::LogFilter, trace::TraceFilter};

use crate::sent::{log_record, logs, span, spans};

const LIMITS: Limits = Limits { spans: 1000, log_records: 500, bytes: 8 * 1024 * 1024 };

#[test]
fn far_more_than_the_limits_leaves_the_newest_within_them() {
    let store = Store::new(LIMITS);
    for trace in 1..=5000_u128 {
        let three = (1..=3).map(|id| span(trace, id, id - 1, "step", 0, 1)).collect();
        store.receive_spans(spans("any", three)).unwrap();
        let line = log_record(trace, "said", 0, &trace.to_string());
        store.receive_log_records(logs("any", vec![line])).unwrap();
    }
    let stats = store.stats();
    assert_eq!((stats.spans_received, stats.log_records_received), (15_000, 5000));
    assert_eq!((stats.spans, stats.log_records), (999, 500));
    assert_eq!((stats.spans_evicted, stats.log_records_evicted), (14_001, 4500));
    let newest = store.traces(&TraceFilter::default(), usize::MAX);
    assert_eq!(newest.len(), 333);
    assert!(newest.iter().all(|row| row.spans == 3), "traces go as a whole");
    let said = store.log_records(&LogFilter::default(), 1);
    assert!(said[0].attributes.has("order_id", "5000"), "{said:?}");
}

#[test]
fn the_older_goes_first_when_memory_is_short() {
    let bytes = 256 * 1024;
    let store = Store::new(Limits { spans: usize::MAX, log_records: usize::MAX, bytes });
    store.receive_log_records(logs("old", vec![log_record(1, "old", 0, "1")])).unwrap();
    let filler = "x".repeat(1000);
    for trace in 1..=2000_u128 {
        store
            .receive_spans(spans("any", vec![span(trace, 1, 0, &format!("{trace}{filler}"), 0, 1)]))
            .unwrap();
        assert!(store.stats().bytes <= bytes, "{:?}", store.stats());
    }
    let stats = store.stats();
    assert_eq!(stats.log_records, 0, "it was older than every trace that is left");
    assert!(stats.traces > 100, "{stats:?}");
    store.receive_log_records(logs("new", vec![log_record(1, "new", 0, "1")])).unwrap();
    assert_eq!(store.stats().log_records, 1, "the traces are older");
}

#[test]
fn what_is_gone_is_not_counted_any_more() {
    let store = Store::new(Limits { bytes: 0, ..LIMITS });
    store.receive_spans(spans("any", vec![span(1, 1, 0, "step", 0, 1)])).unwrap();
    store.receive_log_records(logs("any", vec![log_record(1, "said", 0, "1")])).unwrap();
    let stats = store.stats();
    assert_eq!((stats.bytes, stats.traces, stats.spans, stats.log_records), (0, 0, 0, 0));
}

#[test]
fn a_span_that_comes_after_its_trace_has_gone_does_not_begin_it_anew() {
    let store = Store::new(LIMITS);
    store.receive_spans(spans("any", vec![span(1, 1, 0, "step", 0, 1)])).unwrap();
    let more = (2..=1001).map(|trace| span(trace, 1, 0, "step", 0, 1)).collect();
    store.receive_spans(spans("any", more)).unwrap();
    store.receive_spans(spans("any", vec![span(1, 2, 1, "late", 0, 1)])).unwrap();
    let stats = store.stats();
    assert_eq!((stats.spans_evicted, stats.spans_late, stats.traces), (1, 1, 1000));
}

#[tokio::test(start_paused = true)]
async fn an_orphan_is_counted_once_and_only_when_its_trace_is_quiet() {
    let store = Store::new(LIMITS);
    let wait = async |seconds| {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        store.count_orphans();
        store.stats().orphan_spans
    };
    let orphans = vec![span(1, 2, 1, "orphan", 0, 1), span(1, 3, 2, "child", 0, 1)];
    store.receive_spans(spans("any", orphans)).unwrap();
    store.receive_spans(spans("any", vec![span(2, 2, 1, "late parent", 0, 1)])).unwrap();
    assert_eq!(wait(14).await, 0);
    assert_eq!(store.count_orphans(), 2);
    store.receive_spans(spans("any", vec![span(2, 1, 0, "parent", 0, 1)])).unwrap();
    assert_eq!(wait(2).await, 1);
    assert_eq!(store.count_orphans(), 1);
    assert_eq!(wait(60).await, 1, "the parent of the other has come");
    assert_eq!(store.count_orphans(), 0);
    store.receive_spans(spans("any", vec![span(1, 4, 9, "another orphan", 0, 1)])).unwrap();
    assert_eq!(wait(16).await, 2, "the first is not counted again");
}
