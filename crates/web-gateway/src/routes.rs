//! The HTTP hop: each route reads its request, asks order-api and answers.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{FromRequestParts, Path, Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use contract::order::{IdempotencyKey, Invalid};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header, request::Parts};
use identity::{Caller, Denied};
use instrumentation::side::{self, Side};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    answer::{Order, OrderPage, OrderStatus, ProductList},
    auth::{self, Auth},
    body,
    cart::{self, NewOrder},
    deadline::Deadline,
    error::Error,
    orders::Orders,
    page, query,
    shelf::Shelf,
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// What the routes need.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) auth: Arc<Auth>,
    pub(crate) orders: Orders,
    pub(crate) shelf: Shelf,
    pub(crate) side: Side,
    pub(crate) body_limit: usize,
    /// The description of the API, as JSON.
    pub(crate) document: Bytes,
}

/// The routes, and the description that they add up to.
pub(crate) fn routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new()
        .routes(routes!(place_order, list_orders))
        .routes(routes!(get_order))
        .routes(routes!(list_products))
        .routes(routes!(auth::routes::login))
        .routes(routes!(auth::routes::refresh))
        .routes(routes!(health))
        .routes(routes!(ready))
        .routes(routes!(metrics))
        .routes(routes!(describe))
        .routes(routes!(try_it))
}

/// Place an order
///
/// Stock is reserved, the order stored and paid. A declined payment is 402, and the stock is back.
/// If nobody can say yet whether it is paid, the order is accepted as `pending` and moves on by
/// itself. It is placed for whoever asks; an admin may place it for somebody else. Send an
/// `Idempotency-Key` to be able to repeat a request whose answer was lost: nothing is placed twice,
/// and the answer says what has become of the order.
#[utoipa::path(post, path = "/orders", tag = "orders", request_body = NewOrder,
    params(("Idempotency-Key" = Option<String>, Header, nullable = false, min_length = 1,
            max_length = 255, pattern = "^[!-~]+$",
            description = "Your name for this one order: 1 to 255 visible ASCII characters.")),
    responses((status = 201, body = Order, description = "The order, as it was placed.", headers(
        ("Location" = String, description = "Where the order is."),
        ("Idempotent-Replayed" = String,
         description = "`true` if an earlier request placed it; else absent."))),
        (status = 202, body = Order,
         description = "The order is accepted; whether it is paid will show.", headers(
        ("Location" = String, description = "Where the order is."),
        ("Idempotent-Replayed" = String,
         description = "`true` if an earlier request placed it; else absent.")))))]
async fn place_order(
    State(gateway): State<Arc<Gateway>>,
    Extension(deadline): Extension<Deadline>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Error> {
    let key = idempotency_key(request.headers()).map_err(Error::InvalidIdempotencyKey)?;
    let body = body::read(request, gateway.body_limit, deadline).await?;
    let cart = cart::parse(&body, &caller.subject)?;
    if !caller.may_act_for(cart.customer_id().as_str()) {
        return Err(Denied.into());
    }
    let (order, replayed) = gateway.orders.place(deadline, &cart, key.as_ref()).await?;
    let order = Order::try_from(order)?;
    let location = [(header::LOCATION, format!("/orders/{}", order.id))];
    let status = match order.status {
        OrderStatus::Pending => StatusCode::ACCEPTED,
        _ => StatusCode::CREATED,
    };
    let mut response = (status, location, Json(order)).into_response();
    if replayed {
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// List orders, newest first
///
/// A customer's own; an admin sees those of everybody.
#[utoipa::path(get, path = "/orders", tag = "orders", params(query::ListOrders),
    responses((status = 200, body = OrderPage, description = "A page of orders.")))]
async fn list_orders(
    State(gateway): State<Arc<Gateway>>,
    Extension(deadline): Extension<Deadline>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Json<OrderPage>, Error> {
    let mut filter = query::parse(&uri)?;
    filter.customer_id = caller.whose_orders(filter.customer_id)?;
    let page = gateway.orders.list(deadline, filter).await?;
    Ok(Json(page.try_into()?))
}

/// Look at an order
///
/// An id that is not a UUID is the id of no order: 404, not 400. An order of somebody else is not
/// there either.
#[utoipa::path(get, path = "/orders/{id}", tag = "orders",
    params(("id" = Uuid, Path, description = "The order's id.",
            example = "01980000-0000-7000-8000-000000000000")),
    responses((status = 200, body = Order, description = "The order, as it is now.")))]
async fn get_order(
    State(gateway): State<Arc<Gateway>>,
    Extension(deadline): Extension<Deadline>,
    Extension(caller): Extension<Caller>,
    OrderId(id): OrderId,
) -> Result<Json<Order>, Error> {
    let order = gateway.orders.get(deadline, id).await?;
    // order-api does not give it away; this is for the day that it does.
    if !caller.may_act_for(&order.customer_id) {
        return Err(Error::NotYourOrder);
    }
    Ok(Json(order.try_into()?))
}

/// List what the shop sells
///
/// The list is kept for a moment and may be shown a little old; `Age` says how old.
#[utoipa::path(get, path = "/products", tag = "orders",
    responses((status = 200, body = ProductList, description = "Everything, by SKU.", headers(
        ("Age" = u64, description = "For how many seconds it has been kept."),
        ("Cache-Control" = String, description = "For how long it is good.")))))]
async fn list_products(
    State(gateway): State<Arc<Gateway>>,
    Extension(deadline): Extension<Deadline>,
) -> Result<Response, Error> {
    gateway.shelf.show(deadline).await
}

/// Is the gateway alive?
#[utoipa::path(get, path = "/health", tag = "machines",
    responses((status = 200, body = String, content_type = "text/plain; charset=utf-8",
               description = "It is.", example = json!("alive\n"))))]
async fn health() -> &'static str {
    "alive\n"
}

/// Can the gateway do its work?
#[utoipa::path(get, path = "/ready", tag = "machines",
    responses((status = 200, body = Readiness, description = "It can."),
              (status = 503, body = Readiness, description = "It waits for what is not met.")))]
async fn ready(State(gateway): State<Arc<Gateway>>) -> Response {
    side::ready(State(gateway.side.clone())).await
}

/// What the gateway needs before it can do its work.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes what instrumentation answers")]
struct Readiness {
    /// True if every need is met.
    ready: bool,
    /// What it needs.
    needs: Vec<Need>,
}

/// One thing that the gateway needs.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes what instrumentation answers")]
struct Need {
    /// What.
    #[schema(example = "order_api")]
    name: String,
    /// Whether it is met.
    met: bool,
}

/// The gateway's metrics
#[utoipa::path(get, path = "/metrics", tag = "machines",
    responses((status = 200, description = "Every series, in the format that was asked for.",
               content(
                   (String = "text/plain; version=0.0.4; charset=utf-8"),
                   (String = "application/openmetrics-text; version=1.0.0; charset=utf-8"),
               ))))]
async fn metrics(State(gateway): State<Arc<Gateway>>, headers: HeaderMap) -> Response {
    side::metrics(State(gateway.side.clone()), headers).await
}

/// A page to try it
#[utoipa::path(get, path = "/", tag = "people",
    responses((status = 200, body = String, content_type = "text/html; charset=utf-8",
               description = "A page that places an order and follows it.")))]
async fn try_it() -> Response {
    page::respond()
}

/// Nothing is served at this path.
pub(crate) async fn not_found() -> Error {
    Error::NotFound
}

/// The path is served, but not with this method.
pub(crate) async fn method_not_allowed() -> Error {
    Error::MethodNotAllowed
}

/// The description of this API
#[utoipa::path(get, path = "/openapi.json", tag = "machines",
    responses((status = 200, body = Value, content_type = "application/json",
               description = "This description, OpenAPI 3.1.")))]
async fn describe(State(gateway): State<Arc<Gateway>>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], gateway.document.clone()).into_response()
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Invalid> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let field = "Idempotency-Key";
    if values.next().is_some() {
        return Err(Invalid { field: field.to_owned(), problem: "is given twice".to_owned() });
    }
    // What is not text is not a key either.
    IdempotencyKey::parse(field, value.to_str().unwrap_or_default()).map(Some)
}

/// The id in a path, in its canonical form but in either case.
struct OrderId(Uuid);

impl<S: Send + Sync> FromRequestParts<S> for OrderId {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = path.map_err(|_| Error::NotAnOrderId)?;
        let canonical = text.len() == uuid::fmt::Hyphenated::LENGTH;
        let id = canonical.then(|| text.parse().ok()).flatten();
        id.map(Self).ok_or(Error::NotAnOrderId)
    }
}
