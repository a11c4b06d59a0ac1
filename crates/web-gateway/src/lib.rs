//! The HTTP edge of the shop: reads requests strictly, asks order-api, answers in one language.
//!
//! In the order in which a request meets them:
//!
//! - [`config`]: the settings.
//! - `server`: connections, bounded and drained.
//! - `observe`: correlation id, [`deadline`], metrics and log of every request.
//! - `routes`: the HTTP hop, with `body`, `cart` and `query` to read and `answer` to answer.
//! - `orders`: the calls to order-api, through `channel`; `readiness` asks whether it answers.
//! - [`error`] and [`problem`]: what can go wrong, and what the client is told.
//! - [`metrics`]: what is measured; `openapi`: what is promised; `page`: a page to try it.

pub mod answer;
mod body;
mod cart;
mod channel;
pub mod config;
pub mod deadline;
pub mod error;
pub mod metrics;
mod observe;
mod openapi;
mod orders;
mod page;
pub mod problem;
mod query;
mod readiness;
mod routes;
mod server;

use std::{any::Any, sync::Arc};

use anyhow::Context as _;
use axum::{
    Router,
    middleware::from_fn_with_state,
    response::{IntoResponse as _, Response},
};
use faults::Switchboard;
use instrumentation::{
    health::Readiness,
    net,
    rpc::{ClientMetrics, RequestMetrics},
    service::Config as _,
    side::Side,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

pub use config::Config;
use error::Error;
use metrics::Metrics;
use observe::Observer;
use orders::Orders;
use routes::Gateway;

/// Runs the gateway until `shutdown`, then finishes what was begun within ten seconds.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let registry = config.instrumentation.registry(Config::SERVICE, metrics::CATALOGUES);
    let registry = Arc::new(registry);
    let readiness = Readiness::default();
    let (order_api, accepting) = (readiness.needs("order_api"), readiness.needs("accepting"));
    let switchboard = Arc::new(Switchboard::default());
    let side = Side { registry: Arc::clone(&registry), readiness };
    side.start(config.side_listen, faults::control::router(Arc::clone(&switchboard)))
        .context("cannot start the side port")?;

    let network = net::Metrics::register(&registry);
    let channel = channel::lazy(config.order_api_url, network.clone());
    let watching = tokio::spawn(readiness::watch(channel.clone(), order_api));
    let transport =
        channel::measured(channel, ClientMetrics::register(&registry), Arc::clone(&switchboard));
    let orders = Orders::new(transport, RequestMetrics::register(&registry));

    let metrics = Metrics::register(&registry);
    let (routes, document) = openapi::describe(routes::routes());
    let gateway = Gateway { orders, side, body_limit: config.body_limit, document };
    let observer =
        Observer { metrics, budget: config.request_deadline, trace_url: config.trace_url };
    let router = router(gateway, routes, observer);
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    tracing::info!(listen = %config.listen, "accepting requests");
    accepting.set(true);
    let stopping = shutdown.clone();
    tokio::spawn(async move {
        stopping.cancelled().await;
        accepting.set(false);
    });

    server::serve(listener, router, network, shutdown).await;
    watching.abort();
    Ok(())
}

/// The whole service: from the outside in, every request is observed, panics become answers, and
/// the routes do the work.
fn router(gateway: Gateway, routes: Router<Gateway>, observer: Observer) -> Router {
    routes
        .fallback(routes::not_found)
        .method_not_allowed_fallback(routes::method_not_allowed)
        .with_state(gateway)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(observer, observe::observe))
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    Error::Panic(text.unwrap_or_default()).into_response()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{
        body::{Body, to_bytes},
        extract::Request,
        routing::get,
    };
    use instrumentation::metrics::Registry;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered_counted_and_harms_nobody_else() {
        let registry = Arc::new(Registry::new("web-gateway", &[Metrics::CATALOGUE]));
        let metrics = Metrics::register(&registry);
        let network = net::Metrics::register(&registry);
        let channel = channel::lazy(http::Uri::from_static("http://nobody"), network);
        let transport = channel::measured(
            channel,
            ClientMetrics::register(&registry),
            Arc::new(Switchboard::default()),
        );
        let orders = Orders::new(transport, RequestMetrics::register(&registry));
        let side = Side { registry: Arc::clone(&registry), readiness: Readiness::default() };
        let gateway = Gateway { orders, side, body_limit: 0, document: "".into() };
        let observer = Observer { metrics, budget: Duration::from_secs(5), trace_url: None };
        let routes = Router::new().route("/products", get(async || -> String { panic!("secret") }));
        let service = router(gateway, routes, observer);

        let request = Request::get("/products").body(Body::empty()).unwrap();
        let answer = service.oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 500);
        assert!(answer.headers().contains_key(contract::CORRELATION_ID));
        assert_eq!(answer.headers()["content-type"], problem::CONTENT_TYPE);
        let body = to_bytes(answer.into_body(), 4096).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains(r#""code":"internal""#) && !body.contains("secret"), "{body}");
        let series = r#"http_requests_total{method="GET",route="/products",status_code="500"} 1"#;
        assert!(registry.render().contains(series));
    }
}
