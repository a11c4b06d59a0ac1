//! What showing the gateway's metrics costs, with something recorded in every series.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group, criterion_main};
use instrumentation::{
    metrics::{LabelSet as _, Registry},
    net,
    rpc::{CallStatus, ClientMetrics, Method, RequestMetrics},
    trace::{Carried, Span, SpanKind},
};
use mimalloc::MiMalloc;
use web_gateway::metrics::{Answered, CATALOGUES, Endpoint, Metrics, Peer};

/// As in the service.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// As many requests of each kind as fall into every bucket of its histograms.
const REQUESTS: u32 = 43;

/// What the gateway records of one request of each kind.
struct Traffic {
    http: Metrics,
    network: net::Metrics<Peer>,
    requests: RequestMetrics,
    attempts: ClientMetrics,
}

impl Traffic {
    fn record(&self, round: u32) {
        let elapsed = Duration::from_micros(300).mul_f64(1.25_f64.powi(round as i32));
        let bytes = f64::from(round) * 100.0;
        for answered in Answered::all() {
            self.http.http_requests_total.with(answered).increment(1);
            self.http.http_request_duration_seconds.record(answered, elapsed);
        }
        for endpoint in Endpoint::all() {
            self.http.http_request_size_bytes.record(endpoint, bytes);
            self.http.http_response_size_bytes.record(endpoint, bytes);
        }
        for method in Method::all() {
            self.requests.grpc_client_request_duration_seconds.record(method, elapsed);
            self.attempts.grpc_client_attempt_duration_seconds.record(method, elapsed);
            for status in CallStatus::all() {
                self.requests.grpc_client_requests_total.with((method, status)).increment(1);
                self.attempts.grpc_client_attempts_total.with((method, status)).increment(1);
            }
        }
        for peer in Peer::all() {
            self.network.network_receive_bytes_total.with(peer).increment(1);
        }
    }
}

fn rendering(criterion: &mut Criterion) {
    let registry = Registry::new("web-gateway", CATALOGUES);
    let traffic = Traffic {
        http: Metrics::register(&registry),
        network: net::Metrics::register(&registry),
        requests: RequestMetrics::register(&registry),
        attempts: ClientMetrics::register(&registry),
    };
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned();
    let caller = Carried { traceparent: Some(traceparent), tracestate: None };
    let span = Span::begin(SpanKind::Server, "requests", &caller.context(), Vec::new());
    let in_hand = span.enter();
    (0..REQUESTS).for_each(|round| traffic.record(round));
    drop(in_hand);
    let (plain, whole) = (registry.render().len(), registry.render_open_metrics().len());
    eprintln!("{} kB as Prometheus text, {} kB as OpenMetrics", plain / 1000, whole / 1000);

    // As between two scrapes: samples are folded once a second, so that a scrape finds few.
    criterion.bench_function("prometheus text", |bencher| {
        bencher.iter(|| black_box(registry.render()));
    });
    criterion.bench_function("open metrics", |bencher| {
        bencher.iter(|| black_box(registry.render_open_metrics()));
    });
    criterion.bench_function("open metrics, every series moved since", |bencher| {
        bencher.iter_custom(|rounds| {
            (0..rounds)
                .map(|_| {
                    registry.upkeep();
                    let in_hand = span.enter();
                    traffic.record(20);
                    drop(in_hand);
                    let started = Instant::now();
                    black_box(registry.render_open_metrics());
                    started.elapsed()
                })
                .sum()
        });
    });
}

criterion_group!(benches, rendering);
criterion_main!(benches);
