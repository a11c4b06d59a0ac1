//! The description of the API: what the routes say of themselves, and what all of them share.

use axum::Router;
use bytes::Bytes;
use serde_json::json;
use utoipa::{
    OpenApi as _,
    openapi::{
        ContentBuilder, Header, HeaderBuilder, ObjectBuilder, OpenApi, Ref, RefOr, ResponseBuilder,
        example::ExampleBuilder,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem},
        response::Response,
        schema::Type,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    auth,
    metrics::{Endpoint, Method, Route, Status},
    problem::{self, Code, Problem},
};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "The shop",
        description = "Place orders and follow them until they are fulfilled.\n\n\
            Every answer has an `X-Correlation-ID`: yours if you sent one, else a new one. If the \
            shop is traced, `traceresponse` names the trace. Every \
            answer with a status of 400 or more is a problem (RFC 9457) whose `code` never changes \
            its meaning; the one exception is 503 of `/ready`, which says what it waits for. \
            Orders are yours: say who you are with a token from `POST /auth/login`. \
            Money is in minor units, times are UTC, ids are UUIDv7. Where GET works, so does HEAD.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/")),
    tags(
        (name = "orders", description = "The shop."),
        (name = "identity", description = "Who you are."),
        (name = "machines", description = "Health and metrics."),
        (name = "people", description = "A page."),
    ),
    components(schemas(Problem)),
)]
struct Document;

/// What the token of whoever asks is called in the description.
const TOKEN: &str = "token";

/// The routes, and the description that they add up to, as JSON; `anonymous` if the shop serves
/// those who have no token, too.
pub(crate) fn describe<S>(routes: OpenApiRouter<S>, anonymous: bool) -> (Router<S>, Bytes)
where
    S: Clone + Send + Sync + 'static,
{
    let routes = OpenApiRouter::with_openapi(Document::openapi()).merge(routes);
    let (router, document) = routes.split_for_parts();
    let json = complete(document, anonymous).to_json().expect("a description is JSON");
    (router, json.into())
}

/// Adds to every operation the problems that it can answer with, the headers of all answers, and
/// whether it wants to know whose request it is.
fn complete(mut document: OpenApi, anonymous: bool) -> OpenApi {
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(TOKEN, token());
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let endpoint = Endpoint::of(&method, Some(path));
            for status in endpoint.statuses().iter().filter(|status| **status != GONE) {
                let responses = &mut operation.responses.responses;
                responses
                    .entry(status.as_str().to_owned())
                    .or_insert_with(|| refusal(endpoint, *status).into());
            }
            accept_correlation_id(operation);
            if !auth::is_open(endpoint) {
                let nobody = anonymous.then(SecurityRequirement::default);
                let known = SecurityRequirement::new(TOKEN, [""; 0]);
                operation.security = Some(nobody.into_iter().chain([known]).collect());
            }
            for response in operation.responses.responses.values_mut() {
                if let RefOr::T(response) = response {
                    response.headers.insert("X-Correlation-ID".to_owned(), correlation_id().into());
                    response.headers.insert("traceresponse".to_owned(), trace_response().into());
                }
            }
        }
    }
    document
}

/// Counted, but nobody is there to be answered with it.
const GONE: Status = Status::ClientClosedRequest;

fn operations(item: &mut PathItem) -> impl Iterator<Item = (http::Method, &mut Operation)> {
    let get = item.get.as_mut().map(|operation| (http::Method::GET, operation));
    let post = item.post.as_mut().map(|operation| (http::Method::POST, operation));
    get.into_iter().chain(post)
}

fn token() -> SecurityScheme {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT");
    let what = "The `access_token` from `POST /auth/login`.";
    SecurityScheme::Http(bearer.description(Some(what)).build())
}

/// The problems of one status of an endpoint, each with an example.
fn refusal(endpoint: Endpoint, status: Status) -> Response {
    let codes = Code::ALL.iter().copied().filter(|code| {
        code.status().as_str() == status.as_str()
            && match code {
                Code::NotFound | Code::MethodNotAllowed => false,
                Code::InvalidQuery | Code::InvalidCursor => endpoint.method() == Method::Get,
                Code::MalformedJson => endpoint.method() == Method::Post,
                Code::InvalidCredentials => endpoint.route() == Route::Login,
                Code::TokenRequired => !auth::is_open(endpoint),
                Code::InvalidToken | Code::TokenExpired => endpoint.route() != Route::Login,
                Code::InvalidForm => is_auth(endpoint),
                Code::InvalidIdempotencyKey
                | Code::InvalidOrder
                | Code::UnknownSku
                | Code::IdempotencyKeyReused => endpoint.route() == Route::Orders,
                _ => true,
            }
    });
    let codes: Vec<_> = codes.collect();
    let titles: Vec<_> =
        codes.iter().map(|code| format!("`{}`: {}.", code.as_str(), code.title())).collect();
    let examples = codes.iter().map(|code| {
        let example = ExampleBuilder::new().summary(code.title()).value(Some(example(*code)));
        (code.as_str(), example.build())
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .examples_from_iter(examples)
        .build();
    let response = ResponseBuilder::new()
        .description(titles.join(" "))
        .content(problem::CONTENT_TYPE, content);
    match status {
        Status::ServiceUnavailable | Status::TooManyRequests => {
            response.header("Retry-After", retry_after()).build()
        }
        Status::Unauthorized => response.header("WWW-Authenticate", challenge()).build(),
        _ => response.build(),
    }
}

fn is_auth(endpoint: Endpoint) -> bool {
    matches!(endpoint.route(), Route::Login | Route::Refresh)
}

fn example(code: Code) -> serde_json::Value {
    json!({
        "type": format!("/problems/{}", code.as_str()),
        "title": code.title(),
        "status": code.status().as_u16(),
        "detail": "what is wrong this time",
        "code": code.as_str(),
        "correlation_id": "01980000-0000-7000-8000-000000000000",
    })
}

fn accept_correlation_id(operation: &mut Operation) {
    let parameter: Parameter = ParameterBuilder::new()
        .name("X-Correlation-ID")
        .parameter_in(ParameterIn::Header)
        .description(Some(
            "Your name for what you are doing, carried to everything it causes: 1 to 128 visible \
             ASCII characters. What is not is replaced.",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build();
    operation.parameters.get_or_insert_default().push(parameter.into());
}

fn correlation_id() -> Header {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(128))
        .pattern(Some("^[!-~]+$"));
    let text = HeaderBuilder::new().schema(Some(text));
    text.description(Some("What to name when asking about this request.")).build()
}

fn trace_response() -> Header {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"));
    let text = HeaderBuilder::new().schema(Some(text));
    let what = "The trace and the span of this answer (W3C Trace Context, level 2).";
    text.description(Some(what)).build()
}

fn challenge() -> Header {
    let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^Bearer "));
    let text = HeaderBuilder::new().schema(Some(text));
    text.description(Some("What to present, and what is wrong with it (RFC 6750).")).build()
}

fn retry_after() -> Header {
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    let seconds = HeaderBuilder::new().schema(Some(seconds));
    seconds.description(Some("In how many seconds to try again.")).build()
}
