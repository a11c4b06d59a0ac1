//! One hop over gRPC, as a server and as a client: the business thread and the trace go on, the
//! call is counted and timed.

mod client;
mod labels;
mod server;

use std::{future::Future, pin::Pin};

use http::HeaderMap;
use tonic::Status;

use crate::trace::{Span, attribute};

pub use client::{Client, ClientLayer, ClientMetrics, Failed, RequestMetrics, is_too_late};
pub use labels::{CallStatus, Method};
pub use server::{Server, ServerLayer, ServerMetrics};

type Answer<S, E> = Pin<Box<dyn Future<Output = Result<S, E>> + Send>>;

/// How a call is called in a trace: `shop.v1.Orders/PlaceOrder`.
fn span_name(path: &str) -> String {
    path.trim_start_matches('/').to_owned()
}

/// Says on a span how its call ended.
fn show(span: &Span, status: CallStatus, failed: bool) {
    span.set(attribute::RPC_RESPONSE_STATUS_CODE, status.as_str());
    if failed {
        span.fail(status.as_str(), "");
    }
}

/// A unary call that fails says so in its headers; one that succeeds only in its trailers.
fn status(headers: &HeaderMap) -> CallStatus {
    Status::from_header_map(headers).map_or(CallStatus::Ok, |status| status.code().into())
}
