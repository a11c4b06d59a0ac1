//! What a request of 500 spans costs: keeping it, within full limits.

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message as _;
use telemetry::{Limits, Store};

/// The spans of a request, as an exporter in batches sends them.
const SPANS: u64 = 500;

fn request(number: u64) -> Vec<Bytes> {
    let spans = (0..SPANS).map(|place| {
        let trace = number * SPANS + place / 10 + 1;
        Span {
            trace_id: u128::from(trace).to_be_bytes().into(),
            span_id: (place + 1).to_be_bytes().into(),
            parent_span_id: if place % 10 == 0 { Vec::new() } else { place.to_be_bytes().into() },
            name: format!("step {}", place % 10),
            start_time_unix_nano: place,
            end_time_unix_nano: place + 1000,
            attributes: (0..11)
                .map(|name| attribute(name, "value"))
                .chain([unique(trace)])
                .collect(),
            ..Span::default()
        }
    });
    let scope_spans = vec![ScopeSpans { spans: spans.collect(), ..ScopeSpans::default() }];
    let resource_spans = ResourceSpans { scope_spans, ..ResourceSpans::default() };
    vec![resource_spans.encode_to_vec().into()]
}

fn unique(trace: u64) -> KeyValue {
    attribute(100, &format!("0198c2f0-0000-7000-8000-{trace:012}"))
}

fn attribute(name: u64, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: format!("attribute.{name}"), value, ..KeyValue::default() }
}

fn receive(criterion: &mut Criterion) {
    let store = Store::new(Limits::default());
    let mut number = 0;
    let mut next = || {
        number += 1;
        request(number)
    };
    let before = resident();
    for _ in 0..1000 {
        store.receive_spans(next()).expect("OTLP");
    }
    println!("{:?}, {} KiB of memory more", store.stats(), resident() - before);
    let mut group = criterion.benchmark_group("receive");
    group.throughput(Throughput::Elements(SPANS));
    group.bench_function("500 spans", |bencher| {
        bencher.iter_batched(&mut next, |sent| store.receive_spans(sent), BatchSize::SmallInput);
    });
}

/// KiB of memory in use, where the operating system tells.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or_default()
}

criterion_group!(benches, receive);
criterion_main!(benches);
