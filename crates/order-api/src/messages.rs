//! Between the messages of the contract and the types of this service.

use chrono::{DateTime, Utc};
use contract::{
    CURRENCY,
    order::{Cart, CustomerId, IdempotencyKey, Invalid, PaymentMethod},
    shop::v1,
};
use identity::Caller;
use instrumentation::{correlation::CorrelationId, trace::Carried};
use uuid::Uuid;

use crate::{
    error::Error,
    status::Status,
    store::{Came, Ending, Filter, Item, NewOrder, Order, Product},
};

/// The longest message id, in characters.
const MESSAGE_ID_LENGTH: usize = 255;

/// The order that a call wants to place.
pub(crate) fn new_order(request: v1::PlaceOrderRequest) -> Result<NewOrder, Error> {
    let items = request.items.into_iter().map(|item| (item.sku, i64::from(item.quantity)));
    let cart = Cart::parse(request.customer_id, items)?;
    let cart = match request.payment_method {
        method if method.is_empty() => cart,
        method => cart.paid_with(PaymentMethod::parse("payment_method", method)?),
    };
    let key = match request.idempotency_key {
        key if key.is_empty() => None,
        key => Some(IdempotencyKey::parse("idempotency_key", key)?),
    };
    let correlation_id = CorrelationId::current().map(|id| id.as_str().to_owned());
    Ok(NewOrder { id: Uuid::now_v7(), cart, key, correlation_id, trace: Carried::current() })
}

/// An order's id; what is not one names no order.
pub(crate) fn order_id(text: &str) -> Result<Uuid, Error> {
    Uuid::try_parse(text).map_err(|_| Error::NotFound)
}

/// Which orders a call wants to see, of those that its caller may.
pub(crate) fn filter(request: &v1::ListOrdersRequest, caller: &Caller) -> Result<Filter, Error> {
    let asked = match request.customer_id.as_str() {
        "" => None,
        text => Some(CustomerId::parse("customer_id", text)?),
    };
    let customer_id = caller.whose_orders(asked)?.map(|id| id.to_string());
    let status = match v1::OrderStatus::try_from(request.status) {
        Ok(v1::OrderStatus::Unspecified) => None,
        Ok(v1::OrderStatus::Pending) => Some(Status::Pending),
        Ok(v1::OrderStatus::Placed) => Some(Status::Placed),
        Ok(v1::OrderStatus::Declined) => Some(Status::Declined),
        Ok(v1::OrderStatus::Fulfilled) => Some(Status::Fulfilled),
        Ok(v1::OrderStatus::Failed) => Some(Status::Failed),
        Ok(v1::OrderStatus::Refunded) => Some(Status::Refunded),
        Err(_) => return Err(invalid("status", "must be a status of the contract")),
    };
    Ok(Filter { customer_id, status })
}

/// An order that was fulfilled.
pub(crate) fn completed(request: v1::CompleteFulfillmentRequest) -> Result<Ending, Error> {
    let order_id = order_id(&request.order_id)?;
    let message_id = message_id(request.message_id)?;
    Ok(Ending { order_id, message_id, to: Status::Fulfilled, reason: None })
}

/// An order that could not be fulfilled.
pub(crate) fn failed(request: v1::FailFulfillmentRequest) -> Result<Ending, Error> {
    let order_id = order_id(&request.order_id)?;
    let reason = match v1::FailureReason::try_from(request.reason) {
        Ok(v1::FailureReason::Unspecified) => None,
        Ok(v1::FailureReason::GoodsMissing) => Some("goods_missing"),
        Err(_) => return Err(invalid("reason", "must be a reason of the contract")),
    };
    let message_id = message_id(request.message_id)?;
    Ok(Ending { order_id, message_id, to: Status::Failed, reason })
}

/// An order as a message.
pub(crate) fn order(order: Order) -> v1::Order {
    v1::Order {
        id: order.id.to_string(),
        customer_id: order.customer_id,
        status: status(order.status).into(),
        items: order.items.into_iter().map(item).collect(),
        total_minor: order.total_minor,
        currency: order.currency,
        created_at: Some(timestamp(order.created_at)),
        updated_at: Some(timestamp(order.updated_at)),
        history: order.history.into_iter().map(event).collect(),
    }
}

fn event(came: Came) -> v1::OrderEvent {
    v1::OrderEvent { status: status(came.status).into(), at: Some(timestamp(came.at)) }
}

/// A product as a message.
pub(crate) fn product(product: Product) -> v1::Product {
    v1::Product {
        sku: product.sku,
        name: product.name,
        unit_price_minor: product.unit_price_minor,
        currency: CURRENCY.to_owned(),
        stock: product.stock,
    }
}

fn message_id(text: String) -> Result<String, Error> {
    if text.len() <= MESSAGE_ID_LENGTH && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text)
    } else {
        Err(invalid("message_id", "must be at most 255 visible ASCII characters"))
    }
}

pub(crate) fn invalid(field: &str, problem: &str) -> Error {
    Invalid { field: field.to_owned(), problem: problem.to_owned() }.into()
}

fn item(item: Item) -> v1::OrderItem {
    let Item { sku, quantity, unit_price_minor } = item;
    v1::OrderItem { sku, quantity, unit_price_minor }
}

fn status(status: Status) -> v1::OrderStatus {
    match status {
        Status::Pending => v1::OrderStatus::Pending,
        Status::Placed => v1::OrderStatus::Placed,
        Status::Declined => v1::OrderStatus::Declined,
        Status::Fulfilled => v1::OrderStatus::Fulfilled,
        Status::Failed => v1::OrderStatus::Failed,
        Status::Refunded => v1::OrderStatus::Refunded,
    }
}

pub(crate) fn timestamp(at: DateTime<Utc>) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.timestamp_subsec_nanos()).unwrap_or_default();
    prost_types::Timestamp { seconds: at.timestamp(), nanos }
}
