//! The payment provider over HTTP.
//!
//! It is somebody else's, and may be slow, silent or away. So every request has a time limit and
//! passes the breaker; what may be sent again is, after a pause that grows, as long as there is a
//! budget for it; and only so many requests are in flight. What a request that got no answer came
//! to is found out by its idempotency key, never guessed.

use std::{fmt, sync::Arc, time::Duration};

use backon::{ExponentialBuilder, Retryable as _};
use faults::Switchboard;
use instrumentation::{
    settings::Live,
    trace::{self, KeyValue, Span, SpanKind, attribute},
};
use reqwest::{
    Client, Method, RequestBuilder, Response, StatusCode, Url,
    header::{HeaderMap, HeaderName},
};
use resilience::{
    Breaker, RetryBudget,
    breaker::{self, Permit},
    budget,
};
use serde::Serialize;
use serde_json::json;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout, timeout_at},
};
use uuid::Uuid;

use super::{
    access::{Access, Credentials},
    answer::{Authorization, Body, Captured, Reversal, Reversed, is_final},
    problem::Problem,
};
use crate::{
    metrics::{Answered, Circuit, Metrics, Operation},
    tuning::Tuning,
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The pause before a request is sent again for the first time; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// How long a request waits for a place among those in flight.
const PLACE_PATIENCE: Duration = Duration::from_millis(250);

/// The payment provider.
pub(crate) struct Provider {
    http: Client,
    url: Url,
    access: Access,
    breaker: Breaker,
    timeout: Live<Duration>,
    budget: RetryBudget,
    places: Semaphore,
    metrics: Metrics,
}

/// How the provider is reached.
pub(crate) struct Settings {
    pub(crate) url: Url,
    pub(crate) credentials: Credentials,
    pub(crate) concurrency: usize,
    pub(crate) tuning: Tuning,
    pub(crate) faults: Arc<Switchboard>,
}

/// The leave to ask the provider once.
#[derive(Debug)]
pub(crate) struct Admitted(Permit);

/// A price that an order is to pay.
#[derive(Clone, Debug)]
pub(crate) struct Charge {
    pub(crate) order_id: Uuid,
    pub(crate) amount_minor: i64,
    pub(crate) currency: String,
    pub(crate) payment_method: String,
}

impl Provider {
    pub(crate) fn new(
        settings: Settings,
        metrics: Metrics,
        breakers: &breaker::Metrics<Circuit>,
        budgets: budget::Metrics,
    ) -> anyhow::Result<Self> {
        let Settings { url, credentials, concurrency, tuning, faults } = settings;
        let Tuning { timeout, breaker, retries } = tuning;
        let http = Client::builder()
            .no_proxy()
            .timeout(timeout.get())
            .connect_timeout(timeout.get())
            .pool_max_idle_per_host(concurrency)
            .user_agent("mishap-order-api")
            .build()?;
        let access = Access::new(http.clone(), &url, credentials, faults);
        let breaker = Breaker::measured(&breaker, breakers, Circuit::PaymentProvider);
        let budget = RetryBudget::new(&retries, budgets);
        let places = Semaphore::new(concurrency);
        Ok(Self { http, url, access, breaker, timeout, budget, places, metrics })
    }

    /// The leave to ask once, unless the provider is known to be away.
    pub(crate) fn admit(&self) -> Result<Admitted, Problem> {
        self.breaker.admit().map(Admitted).map_err(|open| Problem::Away(open.retry_after))
    }

    /// Has money held; if there is no answer, asks what became of it before asking again.
    pub(crate) async fn authorize(
        &self,
        charge: &Charge,
        admitted: Admitted,
    ) -> Result<Authorization, Problem> {
        let mut first = Some(admitted);
        self.insistently(|| {
            let admitted = first.take();
            async move {
                match admitted {
                    Some(admitted) => self.charge(charge, admitted).await,
                    None => self.find_or_charge(charge).await,
                }
            }
        })
        .await
    }

    /// Finds out what became of a charge, and has the money held if nothing did.
    pub(crate) async fn find_or_authorize(
        &self,
        charge: &Charge,
    ) -> Result<Authorization, Problem> {
        self.insistently(|| self.find_or_charge(charge)).await
    }

    /// Takes money that is held.
    pub(crate) async fn capture(
        &self,
        order_id: Uuid,
        authorization: &str,
    ) -> Result<Captured, Problem> {
        self.insistently(|| async {
            let request =
                self.post("/captures", order_id, &json!({"authorization_id": authorization}));
            match self.send(Operation::Capture, self.admit()?, request).await {
                Ok(_) => Ok(Captured::Taken),
                Err(Problem::Answered(StatusCode::CONFLICT)) => Ok(Captured::Closed),
                Err(problem) => Err(problem.or_unknown()),
            }
        })
        .await
    }

    /// Gives money back, held or taken.
    pub(crate) async fn reverse(
        &self,
        order_id: Uuid,
        authorization: &str,
    ) -> Result<Reversed, Problem> {
        self.insistently(|| async {
            let request =
                self.post("/refunds", order_id, &json!({"authorization_id": authorization}));
            let answer = self.send(Operation::Refund, self.admit()?, request).await;
            Ok(answer.map_err(Problem::or_unknown)?.json::<Reversal>().await?.into())
        })
        .await
    }

    /// Asks whether there is a charge for this order already.
    pub(crate) async fn has_heard_of(&self, order_id: Uuid) -> bool {
        let Ok(admitted) = self.admit() else { return false };
        let request = self.request(Method::GET, &format!("/authorizations/{order_id}"));
        self.send(Operation::Find, admitted, request).await.is_ok()
    }

    async fn find_or_charge(&self, charge: &Charge) -> Result<Authorization, Problem> {
        let path = format!("/authorizations/{}", charge.order_id);
        let request = self.request(Method::GET, &path);
        match self.send(Operation::Find, self.admit()?, request).await {
            Ok(answer) => Ok(answer.json::<Body>().await?.into()),
            Err(Problem::Answered(StatusCode::NOT_FOUND)) => {
                self.charge(charge, self.admit()?).await
            }
            Err(problem) => Err(problem),
        }
    }

    async fn charge(&self, charge: &Charge, admitted: Admitted) -> Result<Authorization, Problem> {
        let body = json!({
            "amount_minor": charge.amount_minor,
            "currency": charge.currency,
            "payment_method": charge.payment_method,
            "reference": charge.order_id,
        });
        let request = self.post("/authorizations", charge.order_id, &body);
        match self.send(Operation::Authorize, admitted, request).await {
            Ok(answer) => Ok(answer.json::<Body>().await?.into()),
            Err(Problem::Answered(status)) if is_final(status) => {
                let status = status.as_u16();
                tracing::error!(order_id = %charge.order_id, status, "payment refused for good");
                Ok(Authorization::refused())
            }
            Err(problem) => Err(problem),
        }
    }

    /// Asks again while that may help and there is a budget for it.
    async fn insistently<T, F>(&self, ask: impl FnMut() -> F) -> Result<T, Problem>
    where
        F: Future<Output = Result<T, Problem>>,
    {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(FIRST_PAUSE)
            .with_max_times(self.budget.limit())
            .with_jitter();
        self.budget.note();
        ask.retry(pauses)
            .when(Problem::is_failure)
            .adjust(|_, pause| pause.filter(|_| self.may_retry()))
            .await
    }

    fn may_retry(&self) -> bool {
        let may = self.budget.take();
        if may {
            self.metrics.payment_provider_retries_total.increment(1);
        }
        may
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut url = self.url.clone();
        url.set_path(path);
        self.http.request(method, url)
    }

    /// A request that the provider does once, however often it is sent.
    fn post(&self, path: &str, order_id: Uuid, body: &impl Serialize) -> RequestBuilder {
        self.request(Method::POST, path).header(IDEMPOTENCY_KEY, order_id.to_string()).json(body)
    }

    /// One request with its answer: measured, a span of its own, and known to the breaker.
    async fn send(
        &self,
        operation: Operation,
        Admitted(permit): Admitted,
        request: RequestBuilder,
    ) -> Result<Response, Problem> {
        let span = self.span(operation);
        let started = Instant::now();
        let answer = span.scope(self.exchange(&span, request)).await;
        self.metrics.payment_provider_request_duration_seconds.record(operation, started.elapsed());
        match &answer {
            // It was not asked, so this says nothing of it.
            Err(Problem::Away(_) | Problem::Crowded) => drop(permit),
            Err(problem) if problem.is_failure() => permit.failed(),
            Ok(_) | Err(_) => permit.succeeded(),
        }
        let failed = answer.as_ref().err();
        let outcome = failed.map_or(Answered::Ok, |problem| problem.outcome(operation));
        self.metrics.payment_provider_requests_total.with((operation, outcome)).increment(1);
        if let Err(problem) = &answer
            && problem.is_failure()
        {
            span.fail(outcome.as_str(), problem.to_string());
        }
        answer
    }

    async fn exchange(&self, span: &Span, request: RequestBuilder) -> Result<Response, Problem> {
        let place = timeout(PLACE_PATIENCE, self.places.acquire()).await;
        let _place = place.map_err(|_| Problem::Crowded)?;
        // One limit for the key and the request together, its answer's body included.
        let limit = self.timeout.get();
        let deadline = Instant::now() + limit;
        let key = timeout_at(deadline, self.access.key(limit)).await;
        let key = key.map_err(|_| Problem::TimedOut)??;
        let mut headers = HeaderMap::new();
        trace::inject(&span.context(), &mut headers);
        let left = deadline.saturating_duration_since(Instant::now());
        let request = request.headers(headers).bearer_auth(&key).timeout(left);
        let answer = request.send().await?;
        let status = answer.status();
        span.set(attribute::HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16()));
        if status == StatusCode::UNAUTHORIZED {
            self.access.refused(&key);
        }
        if status.is_success() { Ok(answer) } else { Err(Problem::Answered(status)) }
    }

    fn span(&self, operation: Operation) -> Span {
        let (method, route) = operation.route();
        Span::part(SpanKind::Client, format!("{method} {route}"), || {
            let host = self.url.host_str().unwrap_or_default().to_owned();
            let port = self.url.port_or_known_default().unwrap_or_default();
            vec![
                KeyValue::new(attribute::HTTP_REQUEST_METHOD, method),
                KeyValue::new(attribute::URL_TEMPLATE, route),
                KeyValue::new(attribute::SERVER_ADDRESS, host),
                KeyValue::new(attribute::SERVER_PORT, i64::from(port)),
            ]
        })
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use axum::{Json, Router};
    use futures_util::future::join_all;
    use instrumentation::metrics::Registry;
    use resilience::breaker::State;
    use tokio::net::TcpListener;

    use super::*;
    use crate::payments::PaymentStatus;

    const LIMIT: Duration = Duration::from_millis(500);

    /// A shop with `places` before a provider at this address.
    fn shop(url: &str, places: usize, retries: usize) -> (Arc<Provider>, Registry) {
        let catalogues = [
            Metrics::CATALOGUE,
            breaker::Metrics::<Circuit>::CATALOGUE,
            budget::Metrics::CATALOGUE,
        ];
        let registry = Registry::new("order-api", &catalogues);
        let breaker = breaker::Settings { minimum: 2, threshold: 0.9, ..Default::default() };
        let tuning = Tuning {
            timeout: Live::new(LIMIT),
            breaker: Live::new(breaker),
            retries: Live::new(budget::Settings { limit: retries, ..Default::default() }),
        };
        let credentials = Credentials { client_id: "shop".into(), client_secret: "secret".into() };
        let (url, faults) = (url.parse().unwrap(), Arc::default());
        let settings = Settings { url, credentials, concurrency: places, tuning, faults };
        let breakers = breaker::Metrics::register(&registry);
        let budgets = budget::Metrics::register(&registry);
        let metrics = Metrics::register(&registry);
        (Arc::new(Provider::new(settings, metrics, &breakers, budgets).unwrap()), registry)
    }

    /// A provider that takes connections and never says anything, until it is dropped.
    async fn silent() -> (TcpListener, String) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        (listener, url)
    }

    /// A provider that gives keys, if it does, and answers everything else with this status.
    async fn answering(keys: bool, status: StatusCode) -> String {
        let (listener, url) = silent().await;
        let key = move || async move {
            let key = Json(json!({"access_token": "key", "expires_in": 300}));
            if keys { Ok(key) } else { Err(status) }
        };
        let router = Router::new().route("/tokens", axum::routing::post(key));
        let router = router.fallback(move || async move { status });
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    fn a_charge() -> Charge {
        Charge {
            order_id: Uuid::now_v7(),
            amount_minor: 590,
            currency: "EUR".to_owned(),
            payment_method: "card".to_owned(),
        }
    }

    async fn authorize(provider: &Provider) -> Result<Authorization, Problem> {
        provider.authorize(&a_charge(), provider.admit()?).await
    }

    #[tokio::test(start_paused = true)]
    async fn the_way_to_a_key_is_within_the_limit_of_each_request() {
        let (_listener, url) = silent().await;
        let (provider, _) = shop(&url, 64, 0);
        let started = Instant::now();
        let asking = join_all((0..6).map(|_| authorize(&provider)));
        for answer in asking.await {
            assert!(matches!(answer, Err(Problem::TimedOut)), "{answer:?}");
        }
        assert!(started.elapsed() < 2 * LIMIT, "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_place_says_nothing_of_the_providers_health() {
        let (_listener, url) = silent().await;
        let (provider, _) = shop(&url, 2, 0);
        let answers = join_all((0..12).map(|_| authorize(&provider))).await;
        let crowded = |answer: &&_| matches!(answer, Err(Problem::Crowded));
        assert_eq!(answers.iter().filter(crowded).count(), 10, "{answers:?}");
        assert_eq!(provider.breaker.state(), State::Open);
    }

    #[tokio::test]
    async fn a_retry_is_counted_when_it_is_made() {
        let (listener, url) = silent().await;
        drop(listener);
        let (provider, registry) = shop(&url, 64, 1);
        let answer = authorize(&provider).await;
        assert!(matches!(answer, Err(Problem::Unreachable(_))), "{answer:?}");
        let metrics = registry.render();
        assert!(metrics.contains("\npayment_provider_retries_total 1\n"), "{metrics}");
    }

    #[tokio::test]
    async fn a_refusal_of_a_charge_is_a_decline_and_what_may_change_is_not() {
        for status in [StatusCode::UNPROCESSABLE_ENTITY, StatusCode::BAD_REQUEST] {
            let (provider, _) = shop(&answering(true, status).await, 64, 0);
            let declined = authorize(&provider).await.unwrap();
            assert_eq!(declined.status, PaymentStatus::Declined, "{status}");
        }
        for status in [401, 403, 404, 408, 409, 429, 500, 503] {
            let status = StatusCode::from_u16(status).unwrap();
            let (provider, _) = shop(&answering(true, status).await, 64, 0);
            assert!(authorize(&provider).await.is_err(), "{status}");
        }
    }

    #[tokio::test]
    async fn what_is_not_there_to_be_captured_or_given_back_is_unknown() {
        let (provider, _) = shop(&answering(true, StatusCode::NOT_FOUND).await, 64, 0);
        let captured = provider.capture(Uuid::now_v7(), "a-1").await;
        assert!(matches!(captured, Err(Problem::Unknown)), "{captured:?}");
        let reversed = provider.reverse(Uuid::now_v7(), "a-1").await;
        assert!(matches!(reversed, Err(Problem::Unknown)), "{reversed:?}");
    }

    /// Nothing was asked then, so nothing was answered.
    #[tokio::test]
    async fn a_key_that_is_not_given_decides_nothing() {
        for status in [StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY] {
            let (provider, _) = shop(&answering(false, status).await, 64, 0);
            let answer = authorize(&provider).await;
            assert!(matches!(answer, Err(Problem::NoKey(_))), "{answer:?}");
            let answer = provider.capture(Uuid::now_v7(), "a-1").await;
            assert!(matches!(answer, Err(Problem::NoKey(_) | Problem::Away(_))), "{answer:?}");
        }
    }
}
