//! The exact text of a drawing.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use telemetry::{Limits, Store, id::TraceId, waterfall::Waterfall};

use crate::sent::{failed, linked, log_record, logs, span, spans, text, with};

fn drawn(store: &Store, trace: u128) -> String {
    let id = TraceId::from_bytes(&trace.to_be_bytes()).expect("an id");
    let trace = store.trace(id).expect("the trace is here");
    Waterfall::new(&trace, 100).to_string()
}

#[test]
fn an_order_that_waited_in_a_queue_can_be_read() {
    let store = Store::new(Limits::default());
    store
        .receive_spans(spans(
            "web-gateway",
            vec![
                with(span(7, 1, 0, "POST /orders", 0, 40), "correlation_id", text("thread")),
                span(7, 2, 1, "place_order", 2, 38),
            ],
        ))
        .unwrap();
    store
        .receive_spans(spans(
            "order-api",
            vec![
                with(span(7, 3, 2, "PlaceOrder", 6, 30), "order_id", text("42")),
                span(7, 4, 3, "reserve_stock", 7, 12),
                span(7, 5, 3, "insert_order", 14, 28),
                span(7, 6, 3, "publish order.placed", 50, 55),
            ],
        ))
        .unwrap();
    let process = with(
        span(7, 7, 6, "process order.placed", 60_000, 60_040),
        "messaging.message.redelivered",
        Value::BoolValue(true),
    );
    store
        .receive_spans(spans(
            "fulfillment-worker",
            vec![
                linked(process, 9),
                failed(span(7, 8, 7, "CompleteFulfillment", 60_010, 60_030), "unavailable"),
                span(7, 10, 99, "ack", 60_031, 60_032),
            ],
        ))
        .unwrap();
    store
        .receive_log_records(logs("order-api", vec![log_record(7, "order stored", 30, "42")]))
        .unwrap();
    let drawn = drawn(&store, 7);
    assert_eq!(drawn, include_str!("drawing.txt").trim_end());
}

#[test]
fn spans_that_are_each_others_parents_are_drawn_once() {
    let store = Store::new(Limits::default());
    let circle = vec![
        span(1, 1, 2, "chicken", 0, 10),
        span(1, 2, 1, "egg", 0, 10),
        span(1, 3, 3, "ouroboros", 5, 5),
    ];
    store.receive_spans(spans("farm", circle.clone())).unwrap();
    store.receive_spans(spans("farm", circle)).unwrap();
    let drawn = drawn(&store, 1);
    for name in ["chicken", "egg", "ouroboros"] {
        assert_eq!(drawn.matches(name).count(), 1, "{drawn}");
    }
    assert!(drawn.contains("in 3 spans of farm"), "{drawn}");
}

#[test]
fn a_deep_trace_of_many_pieces_is_drawn_within_its_width() {
    let store = Store::new(Limits::default());
    let deep = (1..2000).map(|id| span(1, id, id - 1, "step", id * id, id * id + 1)).collect();
    store.receive_spans(spans("well", deep)).unwrap();
    let drawn = drawn(&store, 1);
    let rows = drawn.lines().filter(|line| line.contains("well  ")).collect::<Vec<_>>();
    assert_eq!(rows.len(), 500, "{drawn}");
    assert!(rows.iter().all(|row| row.chars().count() <= 100), "{drawn}");
    assert!(drawn.ends_with("1499 more; ask for JSON to see them all"), "{drawn}");
}
