//! Around every request: how it ended and how long it took.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use tokio::time::Instant;

use crate::{
    metrics::{Metrics, Operation, Outcome},
    provider::Provider,
};

/// Measures a request to its answer, or to its client's going away.
pub(crate) async fn observe(
    State((provider, operation)): State<(Provider, Operation)>,
    request: Request,
    next: Next,
) -> Response {
    let metrics = provider.metrics().clone();
    let mut exchange =
        Exchange { metrics, operation, outcome: Outcome::Abandoned, began: Instant::now() };
    let response = next.run(request).await;
    exchange.outcome = response.extensions().get().copied().unwrap_or(Outcome::Done);
    response
}

/// A request in hand, counted when it is dropped.
struct Exchange {
    metrics: Metrics,
    operation: Operation,
    outcome: Outcome,
    began: Instant,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let Self { metrics, operation, outcome, began } = self;
        metrics.provider_requests_total.with((*operation, *outcome)).increment(1);
        metrics.provider_request_duration_seconds.record(*operation, began.elapsed());
    }
}
