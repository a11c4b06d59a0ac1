//! The HTTP edge of the shop: reads requests strictly, asks order-api, answers in one language.
//!
//! In the order in which a request meets them:
//!
//! - [`config`]: the settings.
//! - `server`: connections, bounded and drained.
//! - `observe`: correlation id, [`deadline`], metrics and log of every request.
//! - `rate`: what one client may ask for.
//! - `auth`: whose request it is, by its token; and the routes by which one gets a token.
//! - `routes`: the HTTP hop, with `body`, `cart`, `fields` and `query` to read and `answer` to
//!   answer.
//! - `shelf`: what is sold, kept in a `cache`.
//! - `orders`: the calls to order-api, made as `calls` says, through `channel`; `readiness` asks
//!   whether it answers.
//! - [`error`] and [`problem`]: what can go wrong, and what the client is told.
//! - [`metrics`]: what is measured; `openapi`: what is promised; `page`: a page to try it.

pub mod answer;
mod auth;
mod body;
mod cache;
mod calls;
mod cart;
mod channel;
pub mod config;
pub mod deadline;
pub mod error;
mod fields;
pub mod metrics;
mod observe;
mod openapi;
mod orders;
mod page;
pub mod problem;
mod query;
mod rate;
mod readiness;
mod routes;
mod server;
mod shelf;
mod tuning;

use std::{any::Any, num::NonZeroU32, sync::Arc};

use anyhow::Context as _;
use axum::{
    Router,
    middleware::from_fn_with_state,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use faults::Switchboard;
use instrumentation::{
    health::Readiness,
    metrics::Registry,
    net,
    rpc::{ClientMetrics, RequestMetrics},
    service::Config as _,
    settings,
    side::Side,
};
use resilience::{Balanced, Breaker, Bulkhead, RetryBudget, breaker, budget, bulkhead};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::{Layer as _, util::option_layer};
use tower_http::catch_panic::CatchPanicLayer;

use auth::{Accounts, Auth, CallersToken};
use cache::Lifetime;
use calls::Calls;
use channel::Transport;
pub use config::Config;
use error::Error;
use identity::{Caller, present::Present, standing::Standing};
use metrics::{CacheMetrics, Circuit, Metrics};
use observe::Observer;
use orders::Orders;
use rate::{Allowance, RateLimit};
use routes::Gateway;
use shelf::Shelf;
use tuning::Tuning;

/// Runs the gateway until `shutdown`, then finishes what was begun within ten seconds.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let registry = config.instrumentation.registry(Config::SERVICE, metrics::CATALOGUES);
    let registry = Arc::new(registry);
    let readiness = Readiness::default();
    let (order_api, accepting) = (readiness.needs("order_api"), readiness.needs("accepting"));
    let switchboard = Arc::new(Switchboard::default());
    let side = Side { registry: Arc::clone(&registry), readiness };
    let tuning = Tuning::of(&config);
    let control =
        faults::control::router(Arc::clone(&switchboard)).merge(settings::router(tuning.offered()));
    side.start(config.side_listen, control).context("cannot start the side port")?;

    let network = net::Metrics::register(&registry);
    config.identity.warn_of_demo_secret(|problem| tracing::warn!("{problem}"));
    let replicas = channel::balanced(&config.order_api_url, network.clone());
    let watching = tokio::spawn(readiness::watch(replicas.clone(), order_api));
    let (routes, document) =
        openapi::describe(routes::routes(), config.anonymous_customer.0.is_some());
    let metrics = Metrics::register(&registry);
    let (faults, trace_url) = (switchboard.clone(), config.trace_url.clone());
    let gateway = gateway(&config, &tuning, replicas, faults, metrics.clone(), side, document);
    let budget = tuning.request_deadline;
    let observer = Observer { metrics, faults: switchboard, budget, trace_url };
    let router = router(gateway, routes, rate_limit(&config), observer);
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

/// What the routes need.
fn gateway(
    config: &Config,
    tuning: &Tuning,
    replicas: Balanced,
    faults: Arc<Switchboard>,
    metrics: Metrics,
    side: Side,
    document: Bytes,
) -> Gateway {
    let registry = &side.registry;
    let transport = channel::measured(replicas, ClientMetrics::register(registry), faults.clone());
    // What is asked for whoever asks goes out under their name, and all else under the gateway's.
    let own = Standing::new(config.identity.issuer(), Caller::service(Config::SERVICE));
    let own = Transport::new(Present(Arc::new(own)).layer(transport.clone()));
    let theirs = Transport::new(Present(CallersToken).layer(transport));
    let calls = Arc::new(calls(config, tuning, registry));

    let lifetime = Lifetime { fresh: config.products_fresh, stale: config.products_stale };
    let products = Orders::new(own.clone(), calls.clone());
    let for_everybody = config.anonymous_customer.0.is_some();
    let looks = CacheMetrics::register(registry);
    let shelf = Shelf::new(products, lifetime, for_everybody, looks, faults);
    let auth = Auth::new(config, Accounts::new(own, calls.clone()), metrics);
    let orders = Orders::new(theirs, calls);
    Gateway { auth: Arc::new(auth), orders, shelf, side, body_limit: config.body_limit, document }
}

/// How order-api is called.
fn calls(config: &Config, tuning: &Tuning, registry: &Registry) -> Calls {
    let bulkhead = bulkhead::Metrics::register(registry);
    let circuits = breaker::Metrics::register(registry);
    let circuit = |name: Circuit| Breaker::measured(&tuning.breaker, &circuits, name);
    Calls {
        metrics: RequestMetrics::register(registry),
        bulkhead: Bulkhead::new(config.concurrency as usize, config.queue_patience, bulkhead),
        budget: RetryBudget::new(&tuning.retry, budget::Metrics::register(registry)),
        attempt_timeout: tuning.attempt_timeout.clone(),
        placing: circuit(Circuit::Place),
        reading: circuit(Circuit::Read),
    }
}

/// What one client may ask for, unless it may ask for anything.
fn rate_limit(config: &Config) -> Option<RateLimit> {
    let rate = NonZeroU32::new(config.rate_limit)?;
    let allowance = Allowance { rate, burst: config.rate_burst };
    Some(RateLimit::new(allowance, config.behind_proxy))
}

/// The whole service: from the outside in, every request is observed, panics become answers, who
/// asks for too much is refused, whose it is is known, and the routes do the work.
fn router(
    gateway: Gateway,
    routes: Router<Arc<Gateway>>,
    rate_limit: Option<RateLimit>,
    observer: Observer,
) -> Router {
    let rate_limit = rate_limit.map(|limit| from_fn_with_state(limit, rate::limit));
    let auth = gateway.auth.clone();
    routes
        .fallback(routes::not_found)
        .method_not_allowed_fallback(routes::method_not_allowed)
        .with_state(Arc::new(gateway))
        .layer(from_fn_with_state(auth, auth::identify))
        .layer(option_layer(rate_limit))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(Arc::new(observer), observe::observe))
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
    use clap::FromArgMatches as _;
    use instrumentation::{service, settings::Live};
    use tower::ServiceExt as _;

    use super::*;

    /// The defaults, but for these settings.
    pub(crate) fn config_with(settings: &[&str]) -> Config {
        let arguments = ["web-gateway"].iter().chain(settings);
        let matches = service::command::<Config>().get_matches_from(arguments);
        Config::from_arg_matches(&matches).unwrap()
    }

    #[tokio::test]
    async fn a_panic_is_answered_counted_and_harms_nobody_else() {
        let registry = Arc::new(Registry::new("web-gateway", metrics::CATALOGUES));
        let metrics = Metrics::register(&registry);
        let side = Side { registry: Arc::clone(&registry), readiness: Readiness::default() };
        let observer = Observer {
            metrics: metrics.clone(),
            faults: Arc::default(),
            budget: Live::new(Duration::from_secs(5)),
            trace_url: None,
        };
        let routes = Router::new().route("/products", get(async || -> String { panic!("secret") }));
        let (config, network) = (config_with(&[]), net::Metrics::register(&registry));
        let replicas = channel::balanced(&config.order_api_url, network);
        let tuning = Tuning::of(&config);
        let gateway =
            gateway(&config, &tuning, replicas, Arc::default(), metrics, side, Bytes::new());
        let service = router(gateway, routes, None, observer);

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
