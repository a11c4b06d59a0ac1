//! What web-gateway measures, and which answers each of its endpoints can give.

use std::sync::LazyLock;

use instrumentation::{
    metrics::{Declaration, LabelSet},
    net,
    rpc::{ClientMetrics, RequestMetrics},
};
use resilience::{breaker, budget, bulkhead};

/// All that web-gateway measures, beside what every process does.
pub const CATALOGUES: &[&[Declaration]] = &[
    Metrics::CATALOGUE,
    net::Metrics::<Peer>::CATALOGUE,
    RequestMetrics::CATALOGUE,
    ClientMetrics::CATALOGUE,
    CacheMetrics::CATALOGUE,
    breaker::Metrics::<Circuit>::CATALOGUE,
    budget::Metrics::CATALOGUE,
    bulkhead::Metrics::CATALOGUE,
];

instrumentation::label! {
    /// Who is at the other end of a connection.
    pub enum Peer as "peer" {
        /// Customers.
        Clients = "clients",
        /// order-api.
        OrderApi = "order_api",
    }
}

instrumentation::label! {
    /// The method of a request.
    pub enum Method as "method" {
        /// GET, and HEAD, which is the same work.
        Get = "GET",
        /// POST.
        Post = "POST",
        /// One that the route does not serve, or that nobody knows.
        Other = "other",
    }
}

instrumentation::label! {
    /// The template that a request's path matched.
    pub enum Route as "route" {
        /// Orders, together.
        Orders = "/orders",
        /// One order.
        Order = "/orders/{id}",
        /// What is sold.
        Products = "/products",
        /// Signing in.
        Login = "/auth/login",
        /// Staying so.
        Refresh = "/auth/refresh",
        /// Alive.
        Health = "/health",
        /// Ready.
        Ready = "/ready",
        /// These series.
        Metrics = "/metrics",
        /// The description of the API.
        OpenApi = "/openapi.json",
        /// The page to try it.
        Page = "/",
        /// No template.
        Unmatched = "unmatched",
    }
}

instrumentation::label! {
    /// The status code of an answer.
    pub enum Status as "status_code" {
        /// OK.
        Ok = "200",
        /// Created.
        Created = "201",
        /// Accepted.
        Accepted = "202",
        /// Bad Request.
        BadRequest = "400",
        /// Unauthorized.
        Unauthorized = "401",
        /// Payment Required.
        PaymentRequired = "402",
        /// Forbidden.
        Forbidden = "403",
        /// Not Found.
        NotFound = "404",
        /// Method Not Allowed.
        MethodNotAllowed = "405",
        /// Request Timeout.
        RequestTimeout = "408",
        /// Conflict.
        Conflict = "409",
        /// Content Too Large.
        ContentTooLarge = "413",
        /// Unsupported Media Type.
        UnsupportedMediaType = "415",
        /// Unprocessable Content.
        UnprocessableContent = "422",
        /// Too Many Requests.
        TooManyRequests = "429",
        /// No answer: the client went away first.
        ClientClosedRequest = "499",
        /// Internal Server Error.
        InternalServerError = "500",
        /// Service Unavailable.
        ServiceUnavailable = "503",
        /// Gateway Timeout.
        GatewayTimeout = "504",
    }
}

instrumentation::label! {
    /// Why a request was refused without any work.
    pub enum Shed as "reason" {
        /// Its client had asked for too much.
        RateLimited = "rate_limited",
        /// There was too much to do.
        Overloaded = "overloaded",
        /// order-api had failed too often.
        CircuitOpen = "circuit_open",
    }
}

instrumentation::label! {
    /// How an attempt to sign in ended.
    pub enum Login as "outcome" {
        /// With a token.
        Accepted = "accepted",
        /// Name or password were wrong.
        Rejected = "rejected",
        /// They had been wrong too often before.
        Limited = "limited",
        /// Nobody could say, for order-api did not.
        Failed = "failed",
    }
}

instrumentation::label! {
    /// What was found in the cache.
    pub enum Looked as "result" {
        /// Something fresh.
        Hit = "hit",
        /// Something a little old, which was shown while a newer one was fetched.
        Stale = "stale",
        /// Nothing that could be shown: it was waited for.
        Miss = "miss",
    }
}

instrumentation::label! {
    /// What a circuit breaker stands before.
    pub enum Circuit as "circuit" {
        /// Placing orders.
        Place = "place_order",
        /// Looking at orders and products.
        Read = "read",
    }
}

instrumentation::label! {
    /// Why a request was refused for whose it was.
    pub enum Rejection as "reason" {
        /// There was no token, and there had to be one.
        TokenMissing = "token_missing",
        /// What was presented was no token.
        TokenMalformed = "token_malformed",
        /// The token was not one of ours, or not for this.
        TokenInvalid = "token_invalid",
        /// The token's time was over.
        TokenExpired = "token_expired",
        /// They asked for what is somebody else's.
        Forbidden = "forbidden",
    }
}

/// A method on a route; only those that exist, and for each route any other method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint(usize);

/// An endpoint and one of the status codes that it can answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    endpoint: Endpoint,
    /// The place in the endpoint's list of status codes.
    place: usize,
}

instrumentation::metrics! {
    /// What web-gateway measures.
    pub struct Metrics {
        /// HTTP requests answered; 499 is a client that went away before.
        http_requests_total: Counter<Answered>, Count;
        /// Time from an HTTP request's headers to its answer's.
        http_request_duration_seconds: Timer<Answered>, Seconds;
        /// Bytes received as bodies of HTTP requests.
        http_request_size_bytes: Histogram<Endpoint>, Bytes;
        /// Bytes of the bodies that HTTP requests were answered with.
        http_response_size_bytes: Histogram<Endpoint>, Bytes;
        /// HTTP requests that are being worked on.
        http_requests_active: Gauge<Endpoint>, Count;
        /// HTTP requests that were refused without any work, so that others can be served.
        http_requests_shed_total: Counter<Shed>, Count;
        /// Attempts to sign in.
        auth_logins_total: Counter<Login>, Count;
        /// Requests refused for whose they were: nobody's who is known, or of somebody who may not.
        auth_rejections_total: Counter<Rejection>, Count;
    }
}

instrumentation::metrics! {
    /// What the cache of the products measures.
    pub struct CacheMetrics {
        /// Requests for the products, by what was found in the cache.
        cache_requests_total: Counter<Looked>, Count;
    }
}

/// The endpoints and what each can answer; the last is always 500.
const ENDPOINTS: &[(Method, Route, &[Status])] = {
    use Status::*;
    const PAGE: &[Status] = &[Ok, InternalServerError];
    const REFUSED: &[Status] = &[MethodNotAllowed, InternalServerError];
    const NOWHERE: &[Status] = &[NotFound, InternalServerError];
    const PLACED: &[Status] = &[
        Created,
        Accepted,
        BadRequest,
        Unauthorized,
        PaymentRequired,
        Forbidden,
        RequestTimeout,
        Conflict,
        ContentTooLarge,
        UnsupportedMediaType,
        UnprocessableContent,
        TooManyRequests,
        ClientClosedRequest,
        ServiceUnavailable,
        GatewayTimeout,
        InternalServerError,
    ];
    const LISTED: &[Status] = &[
        Ok,
        BadRequest,
        Unauthorized,
        Forbidden,
        TooManyRequests,
        ClientClosedRequest,
        ServiceUnavailable,
        GatewayTimeout,
        InternalServerError,
    ];
    const READ: &[Status] = &[
        Ok,
        Unauthorized,
        NotFound,
        TooManyRequests,
        ClientClosedRequest,
        ServiceUnavailable,
        GatewayTimeout,
        InternalServerError,
    ];
    const SOLD: &[Status] = &[
        Ok,
        Unauthorized,
        TooManyRequests,
        ClientClosedRequest,
        ServiceUnavailable,
        GatewayTimeout,
        InternalServerError,
    ];
    const SIGNED_IN: &[Status] = &[
        Ok,
        BadRequest,
        Unauthorized,
        RequestTimeout,
        ContentTooLarge,
        UnsupportedMediaType,
        UnprocessableContent,
        TooManyRequests,
        ClientClosedRequest,
        ServiceUnavailable,
        GatewayTimeout,
        InternalServerError,
    ];
    &[
        (Method::Post, Route::Orders, PLACED),
        (Method::Get, Route::Orders, LISTED),
        (Method::Other, Route::Orders, REFUSED),
        (Method::Get, Route::Order, READ),
        (Method::Other, Route::Order, REFUSED),
        (Method::Get, Route::Products, SOLD),
        (Method::Other, Route::Products, REFUSED),
        (Method::Post, Route::Login, SIGNED_IN),
        (Method::Other, Route::Login, REFUSED),
        (Method::Post, Route::Refresh, SIGNED_IN),
        (Method::Other, Route::Refresh, REFUSED),
        (Method::Get, Route::Health, PAGE),
        (Method::Other, Route::Health, REFUSED),
        (Method::Get, Route::Ready, &[Ok, ServiceUnavailable, InternalServerError]),
        (Method::Other, Route::Ready, REFUSED),
        (Method::Get, Route::Metrics, PAGE),
        (Method::Other, Route::Metrics, REFUSED),
        (Method::Get, Route::OpenApi, PAGE),
        (Method::Other, Route::OpenApi, REFUSED),
        (Method::Get, Route::Page, PAGE),
        (Method::Other, Route::Page, REFUSED),
        (Method::Get, Route::Unmatched, NOWHERE),
        (Method::Post, Route::Unmatched, NOWHERE),
        (Method::Other, Route::Unmatched, NOWHERE),
    ]
};

/// For each endpoint, how many combinations come before its first.
static OFFSETS: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let counts = ENDPOINTS.iter().map(|(_, _, statuses)| statuses.len());
    counts
        .scan(0, |before, count| {
            *before += count;
            Some(*before - count)
        })
        .collect()
});

impl Endpoint {
    /// The endpoint of a request with this method whose path matched this template.
    pub fn of(method: &http::Method, template: Option<&str>) -> Self {
        let known = |route: &&Route| Some(route.as_str()) == template;
        let route = Route::ALL.iter().find(known).copied().unwrap_or(Route::Unmatched);
        let method = match *method {
            http::Method::GET | http::Method::HEAD => Method::Get,
            http::Method::POST => Method::Post,
            _ => Method::Other,
        };
        let place = |method| ENDPOINTS.iter().position(|row| row.0 == method && row.1 == route);
        let place = place(method).or_else(|| place(Method::Other));
        Self(place.expect("every route has a row for other methods"))
    }

    /// Its method.
    pub fn method(self) -> Method {
        ENDPOINTS[self.0].0
    }

    /// Its route.
    pub fn route(self) -> Route {
        ENDPOINTS[self.0].1
    }

    /// The status codes that it can answer with.
    pub fn statuses(self) -> &'static [Status] {
        ENDPOINTS[self.0].2
    }
}

impl Answered {
    /// The answer of `endpoint` with this status code; one that it should not give is a defect,
    /// and counts as 500.
    pub fn of(endpoint: Endpoint, status_code: u16) -> Self {
        let statuses = endpoint.statuses();
        let known = |status: &Status| status.as_str().parse() == Ok(status_code);
        Self { endpoint, place: statuses.iter().position(known).unwrap_or(statuses.len() - 1) }
    }
}

impl LabelSet for Endpoint {
    fn names() -> Vec<&'static str> {
        vec!["method", "route"]
    }

    fn all() -> Vec<Self> {
        (0..ENDPOINTS.len()).map(Self).collect()
    }

    fn count() -> usize {
        ENDPOINTS.len()
    }

    fn index(self) -> usize {
        self.0
    }

    fn values(self) -> Vec<&'static str> {
        vec![self.method().as_str(), self.route().as_str()]
    }
}

impl LabelSet for Answered {
    fn names() -> Vec<&'static str> {
        vec!["method", "route", "status_code"]
    }

    fn all() -> Vec<Self> {
        let places = |endpoint: Endpoint| {
            (0..endpoint.statuses().len()).map(move |place| Self { endpoint, place })
        };
        Endpoint::all().into_iter().flat_map(places).collect()
    }

    fn count() -> usize {
        Self::all().len()
    }

    fn index(self) -> usize {
        OFFSETS[self.endpoint.0] + self.place
    }

    fn values(self) -> Vec<&'static str> {
        let status = self.endpoint.statuses()[self.place];
        [self.endpoint.values(), vec![status.as_str()]].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_the_place_in_the_list() {
        for (place, labels) in Answered::all().into_iter().enumerate() {
            assert_eq!(labels.index(), place);
        }
    }

    #[test]
    fn every_endpoint_can_fail_and_every_route_is_asked_for_what_it_does_not_serve() {
        for endpoint in Endpoint::all() {
            assert_eq!(endpoint.statuses().last(), Some(&Status::InternalServerError));
            let other = Endpoint::of(&http::Method::DELETE, Some(endpoint.route().as_str()));
            assert_eq!((other.method(), other.route()), (Method::Other, endpoint.route()));
        }
    }

    #[test]
    fn a_request_counts_where_it_belongs() {
        let labels = |method, template, status| {
            Answered::of(Endpoint::of(&method, template), status).values()
        };
        assert_eq!(labels(http::Method::POST, Some("/orders"), 201), ["POST", "/orders", "201"]);
        assert_eq!(labels(http::Method::HEAD, Some("/orders"), 200), ["GET", "/orders", "200"]);
        assert_eq!(labels(http::Method::POST, Some("/health"), 405), ["other", "/health", "405"]);
        assert_eq!(labels(http::Method::GET, None, 404), ["GET", "unmatched", "404"]);
        assert_eq!(labels(http::Method::GET, Some("/health"), 418), ["GET", "/health", "500"]);
    }
}
