//! The shop as a customer meets it: one request, measured from when it was wanted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Bytes,
    http::{
        HeaderMap, Method, StatusCode,
        header::{AUTHORIZATION, RETRY_AFTER},
    },
};
use contract::CORRELATION_ID;
use identity::demo::DemoUsers;
use instrumentation::trace::{self, Context, KeyValue, Span, SpanKind, attribute};
use reqwest::{Client, RequestBuilder, Url};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::{PATIENCE, tally::Tally, wallet::Wallet, window::Ended};
use crate::metrics::{Journey, Outcome};

/// How many requests the customers have open at once; it keeps file descriptors and memory
/// bounded when the shop answers nobody.
const IN_FLIGHT: usize = 512;
/// Connections that are kept for the next request.
const IDLE_CONNECTIONS: usize = 64;

/// The shop's front door.
#[derive(Debug)]
pub(crate) struct Shop {
    client: Client,
    url: Url,
    wallet: Wallet,
    tally: Arc<Tally>,
    in_flight: AtomicUsize,
}

/// What a request is part of, and when it was wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) journey: Journey,
    /// Whether it is an attempt to place an order.
    pub(crate) ordering: bool,
    pub(crate) at: Instant,
}

/// An answer with what was asked for.
#[derive(Debug)]
pub(crate) struct Served(Bytes);

/// No such answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Unserved {
    /// Whether the same request may be served later.
    pub(crate) again: bool,
    /// How long the shop asks to wait before that.
    pub(crate) after: Option<Duration>,
}

impl Shop {
    pub(crate) fn new(url: &str, users: &DemoUsers, tally: Arc<Tally>) -> anyhow::Result<Self> {
        let client = Client::builder()
            .no_proxy()
            .connect_timeout(Duration::from_secs(2))
            .timeout(PATIENCE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .user_agent("mishap-customers")
            .build()?;
        let url: Url = url.parse()?;
        let wallet = Wallet::open(&client, &url, users)?;
        Ok(Self { client, url, wallet, tally, in_flight: AtomicUsize::new(0) })
    }

    /// A request of this customer yet to be sent; `correlation_id` is its thread through every hop.
    pub(crate) fn request(
        &self,
        customer_id: &str,
        method: Method,
        path: &str,
        correlation_id: &str,
    ) -> RequestBuilder {
        let mut url = self.url.clone();
        url.set_path(path);
        let request = self.client.request(method, url).header(CORRELATION_ID, correlation_id);
        match self.wallet.authorization(customer_id) {
            Some(token) => request.header(AUTHORIZATION, token),
            None => request,
        }
    }

    /// Sends a request, reads the whole answer, and counts it. `name` is the request's own in a
    /// trace: method and route.
    pub(crate) async fn ask(
        &self,
        name: &'static str,
        wanted: Wanted,
        request: RequestBuilder,
    ) -> Result<Served, Unserved> {
        let Some(_open) = Open::begin(&self.in_flight) else {
            self.count(wanted, Outcome::Dropped);
            return Err(Unserved { again: false, after: None });
        };
        let span = self.span(name);
        let mut headers = HeaderMap::new();
        trace::inject(&span.context(), &mut headers);
        let answer = exchange(request.headers(headers)).await;
        let outcome = match &answer {
            Ok((status, ..)) => outcome_of(*status),
            Err(error) if error.is_timeout() => Outcome::TimedOut,
            Err(_) => Outcome::Unreachable,
        };
        if matches!(&answer, Ok((StatusCode::UNAUTHORIZED, ..))) {
            self.wallet.refused();
        }
        show(&span, outcome, answer.as_ref().ok().map(|(status, ..)| *status));
        drop(span);
        self.count(wanted, outcome);
        match answer {
            Ok((_, _, body)) if outcome == Outcome::Served => Ok(Served(body)),
            Ok((status, headers, _)) => Err(Unserved {
                again: status == StatusCode::SERVICE_UNAVAILABLE
                    || status == StatusCode::GATEWAY_TIMEOUT
                    || status == StatusCode::TOO_MANY_REQUESTS,
                after: retry_after(&headers),
            }),
            Err(_) => Err(Unserved { again: true, after: None }),
        }
    }

    fn span(&self, name: &'static str) -> Span {
        let (method, route) = name.split_once(' ').unwrap_or((name, ""));
        let mut attributes = vec![
            KeyValue::new(attribute::HTTP_REQUEST_METHOD, method),
            KeyValue::new(attribute::URL_TEMPLATE, route),
            KeyValue::new(
                attribute::SERVER_ADDRESS,
                self.url.host_str().unwrap_or_default().to_owned(),
            ),
        ];
        if let Some(port) = self.url.port_or_known_default() {
            attributes.push(KeyValue::new(attribute::SERVER_PORT, i64::from(port)));
        }
        Span::begin(SpanKind::Client, name, &Context::current(), attributes)
    }

    /// Counts an order that its customer has seen fulfilled.
    pub(crate) fn fulfilled(&self) {
        self.tally.fulfilled();
    }

    fn count(&self, wanted: Wanted, outcome: Outcome) {
        let Wanted { journey, ordering, at } = wanted;
        self.tally.ended(journey, Ended { outcome, took: at.elapsed(), ordering });
    }
}

impl Served {
    /// The body, if it is what the customer understands.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.0).ok()
    }
}

/// One of the requests that are open, until it is dropped.
struct Open<'a>(&'a AtomicUsize);

impl<'a> Open<'a> {
    fn begin(open: &'a AtomicUsize) -> Option<Self> {
        let more = |open: usize| (open < IN_FLIGHT).then_some(open + 1);
        open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Self(open))
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Says on a span how its request ended: to a client, every refusal is a failure.
fn show(span: &Span, outcome: Outcome, status: Option<StatusCode>) {
    if let Some(status) = status {
        span.set(attribute::HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16()));
    }
    if outcome != Outcome::Served {
        let kind = status.map_or(outcome.as_str().to_owned(), |status| status.as_str().to_owned());
        span.fail(kind, "");
    }
}

async fn exchange(request: RequestBuilder) -> reqwest::Result<(StatusCode, HeaderMap, Bytes)> {
    let mut answer = request.send().await?;
    let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
    Ok((status, headers, answer.bytes().await?))
}

fn outcome_of(status: StatusCode) -> Outcome {
    if status.is_success() {
        Outcome::Served
    } else if status == StatusCode::PAYMENT_REQUIRED {
        Outcome::Declined
    } else if status.is_client_error() {
        Outcome::Refused
    } else {
        Outcome::Failed
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}
