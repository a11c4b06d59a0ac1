//! What was sent is read when somebody looks, and is the same whenever that is.

use bytes::Bytes;
use prost::encoding::{WireType::LengthDelimited, encode_key, encode_varint};
use telemetry::{
    Limits, Store,
    id::TraceId,
    log::{Level, LogFilter},
    trace::TraceFilter,
};

use crate::sent::{MS, START, failed, log_record, logs, span, spans};

fn id(trace: u128) -> TraceId {
    TraceId::from_bytes(&trace.to_be_bytes()).expect("an id")
}

/// A request with one message whose attributes, which this field has, cannot be read.
fn unreadable(message: &impl prost::Message, attributes: u32) -> Vec<Bytes> {
    let message = [message.encode_to_vec(), embedded(attributes, b"\xff")].concat();
    // In its group and its scope, which OTLP numbers alike for spans and for log records.
    vec![embedded(2, &embedded(2, &message)).into()]
}

fn embedded(field: u32, message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_key(field, LengthDelimited, &mut bytes);
    encode_varint(message.len() as u64, &mut bytes);
    [bytes, message.to_vec()].concat()
}

#[test]
fn a_trace_that_was_looked_at_goes_on() {
    let store = Store::new(Limits::default());
    let names = |store: &Store| {
        let trace = store.trace(id(1)).expect("it is here");
        trace.spans.iter().map(|span| span.name.to_string()).collect::<Vec<_>>()
    };
    store.receive_spans(spans("any", vec![span(1, 2, 1, "second", 10, 20)])).unwrap();
    assert_eq!(names(&store), ["second"]);
    store.receive_spans(spans("other", vec![span(1, 1, 0, "first", 0, 30)])).unwrap();
    let late = failed(span(1, 3, 2, "third", 15, 40), "refused");
    store.receive_spans(spans("any", vec![late])).unwrap();
    assert_eq!(names(&store), ["first", "second", "third"]);
    let rows = store.traces(&TraceFilter { error: true, ..TraceFilter::default() }, 10);
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((&*row.name, row.spans, row.duration_ms, row.error), ("first", 3, 40.0, true));
    assert_eq!(row.services.iter().map(|it| &**it).collect::<Vec<_>>(), ["other", "any"]);
    assert_eq!(names(&store), ["first", "second", "third"]);
}

#[test]
fn memory_is_counted_right_whether_something_was_looked_at_or_not() {
    let limits = Limits { spans: 2, log_records: 1, ..Limits::default() };
    let (looked, untouched) = (Store::new(limits), Store::new(limits));
    for trace in 1..=5 {
        for store in [&looked, &untouched] {
            for number in 1..=2 {
                let step = span(trace, number, number - 1, "step", 0, 1);
                store.receive_spans(spans("any", vec![step])).unwrap();
                // Of the last one, nobody has asked.
                if trace < 5 && std::ptr::eq(store, &raw const looked) {
                    assert!(store.trace(id(trace)).is_some());
                }
            }
            let line = log_record(trace, "said", 0, "1");
            store.receive_log_records(logs("any", vec![line])).unwrap();
            if trace < 5 && std::ptr::eq(store, &raw const looked) {
                assert_eq!(store.log_records(&LogFilter::default(), 10).len(), 1);
            }
        }
    }
    assert_eq!(looked.stats(), untouched.stats());
    let before = looked.stats().bytes;
    assert!(looked.trace(id(5)).is_some());
    assert_ne!(looked.stats().bytes, before, "what is read is kept so, and counted anew");
}

#[test]
fn looking_makes_nothing_go() {
    let bytes = 64 * 1024;
    let store = Store::new(Limits { bytes, ..Limits::default() });
    for trace in 1..=1000_u128 {
        let steps = (1..=3).map(|number| span(trace, number, number - 1, "step", 0, 1)).collect();
        store.receive_spans(spans("any", steps)).unwrap();
        store.receive_log_records(logs("any", vec![log_record(trace, "said", 0, "1")])).unwrap();
    }
    let before = store.stats();
    let all = store.traces(&TraceFilter::default(), usize::MAX);
    assert_eq!((all.len(), all.iter().map(|row| row.spans).sum()), (before.traces, before.spans));
    assert_eq!(store.log_records(&LogFilter::default(), usize::MAX).len(), before.log_records);
    let oldest = all.iter().map(|row| row.trace_id).min().expect("there are some");
    assert_eq!(store.trace(oldest).expect("it is here").log_records.len(), 1);
    let after = store.stats();
    assert!(after.bytes <= bytes && after.bytes > before.bytes, "{before:?}, {after:?}");
    assert_eq!(telemetry::Stats { bytes: before.bytes, ..after }, before);
}

#[test]
fn what_cannot_be_read_is_kept_and_says_so() {
    let store = Store::new(Limits::default());
    store.receive_spans(unreadable(&span(1, 2, 1, "step", 5, 9), 9)).unwrap();
    let trace = store.trace(id(1)).expect("it is here");
    let [step] = &trace.spans[..] else { panic!("{trace:?}") };
    let message = step.message.as_deref().unwrap_or_default();
    assert!(step.is_error() && message.contains("cannot be read"), "{step:?}");
    assert_eq!((step.start, step.duration().milliseconds()), (START + 5 * MS, 4.0));
    assert!(step.parent.is_some(), "{step:?}");

    store.receive_log_records(unreadable(&log_record(1, "said", 7, "1"), 6)).unwrap();
    let found = store.log_records(&LogFilter::default(), 10);
    let [line] = &found[..] else { panic!("{found:?}") };
    assert_eq!((line.level, line.time), (Level::Error, START + 7 * MS));
    assert!(line.body.text().contains("cannot be read"), "{line:?}");
}

#[test]
fn of_a_request_that_is_not_otlp_nothing_is_taken() {
    let store = Store::new(Limits::default());
    let broken = || embedded(2, b"\xff").into();
    let good = spans("any", vec![span(1, 1, 0, "step", 0, 1)]);
    assert!(store.receive_spans([good, vec![broken()]].concat()).is_err());
    let good = logs("any", vec![log_record(1, "said", 0, "1")]);
    assert!(store.receive_log_records([good, vec![broken()]].concat()).is_err());
    assert_eq!(store.stats(), Store::new(Limits::default()).stats());
}
