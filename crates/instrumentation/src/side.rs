//! The side port: metrics, health and control, on a thread and a runtime of its own, so that it
//! answers while the service's runtime is stuck.

use std::{net::SocketAddr, sync::Arc, thread};

use anyhow::Context as _;
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, runtime};

use crate::{
    health::Readiness,
    logs,
    metrics::Registry,
    process::{self, Sampler},
};

/// The content type of the Prometheus text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The media type of OpenMetrics, as those who can read it say in `Accept`.
const OPEN_METRICS: &str = "application/openmetrics-text";
/// The content type of OpenMetrics.
const OPEN_METRICS_FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a service shows on its side port.
#[derive(Clone, Debug)]
pub struct Side {
    /// The service's series.
    pub registry: Arc<Registry>,
    /// Whether it is ready.
    pub readiness: Readiness,
}

impl Side {
    /// Serves `/metrics`, `/health`, `/ready` and what `control` adds, until the process ends.
    ///
    /// Must be called on the service's runtime, which it watches. Returns the address that it
    /// listens on.
    pub fn start(&self, listen: SocketAddr, control: Router) -> anyhow::Result<SocketAddr> {
        let sampler = process::watch(&process::Metrics::register(&self.registry));
        let socket = std::net::TcpListener::bind(listen)
            .with_context(|| format!("cannot listen on {listen} (side port)"))?;
        socket.set_nonblocking(true).context("cannot prepare the side port")?;
        let address = socket.local_addr().context("cannot read the side port's address")?;
        let router = router(self.clone()).merge(log_level()).merge(control);
        let registry = Arc::clone(&self.registry);
        thread::Builder::new()
            .name("side".to_owned())
            .spawn(move || serve(socket, router, registry, sampler))
            .context("cannot start the side port's thread")?;
        Ok(address)
    }
}

/// The routes that every side port has, and that a public port may show too.
pub fn router(side: Side) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health", get(|| async { "alive\n" }))
        .route("/ready", get(ready))
        .with_state(side)
}

/// `GET` and `PUT /control/log-level`: what is logged, and to change it without a restart.
fn log_level() -> Router {
    let show = || async { format!("{}\n", logs::level()) };
    let change = |level: String| async move {
        match logs::set_level(level.trim()) {
            Ok(()) => (StatusCode::OK, format!("{}\n", logs::level())),
            Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")),
        }
    };
    Router::new().route("/control/log-level", get(show).put(change))
}

/// `GET /metrics`: OpenMetrics with exemplars for those who ask for it, else the Prometheus text.
pub async fn metrics(State(side): State<Side>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let (format, text) = match accept.is_some_and(|accept| accept.contains(OPEN_METRICS)) {
        true => (OPEN_METRICS_FORMAT, side.registry.render_open_metrics()),
        false => (TEXT_FORMAT, side.registry.render()),
    };
    ([(header::CONTENT_TYPE, format)], text).into_response()
}

/// `GET /ready`: 200 if every need is met, else 503; the body names them.
pub async fn ready(State(side): State<Side>) -> Response {
    let report = side.readiness.report();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}

fn serve(socket: std::net::TcpListener, router: Router, registry: Arc<Registry>, sampler: Sampler) {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a process that got this far can have one more runtime");
    runtime.block_on(async move {
        tokio::spawn(process::keep(registry, sampler));
        let listener = TcpListener::from_std(socket).expect("the socket is nonblocking");
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "side port stopped");
        }
    });
}
