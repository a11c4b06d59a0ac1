//! The names of attributes: OpenTelemetry's where it has one, ours for what only a shop has.
//!
//! Ours are spelled as the same things are in log lines, so that one name finds both.

pub use opentelemetry_semantic_conventions::attribute::{
    DB_NAMESPACE, DB_QUERY_SUMMARY, DB_QUERY_TEXT, DB_SYSTEM_NAME, ERROR_TYPE, EXCEPTION_MESSAGE,
    HTTP_REQUEST_METHOD, HTTP_REQUEST_RESEND_COUNT, HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE,
    MESSAGING_DESTINATION_NAME, MESSAGING_MESSAGE_BODY_SIZE, MESSAGING_MESSAGE_CONVERSATION_ID,
    MESSAGING_MESSAGE_ID, MESSAGING_OPERATION_NAME, MESSAGING_OPERATION_TYPE, MESSAGING_SYSTEM,
    RPC_METHOD, RPC_RESPONSE_STATUS_CODE, RPC_SYSTEM_NAME, SERVER_ADDRESS, SERVER_PORT, URL_PATH,
    URL_SCHEME, URL_TEMPLATE, USER_AGENT_ORIGINAL,
};

/// An order's id.
pub const ORDER_ID: &str = "order_id";
/// Who ordered.
pub const CUSTOMER_ID: &str = "customer_id";
/// The business thread, from the customer's request on.
pub const CORRELATION_ID: &str = "correlation_id";
/// True if a broker has delivered the message before, to someone who did not settle it.
pub const MESSAGING_MESSAGE_REDELIVERED: &str = "messaging.message.redelivered";
/// How many tries of a message have failed before this one.
pub const MESSAGING_MESSAGE_RETRIES: &str = "messaging.message.retries";
/// How many attempts have failed before this one.
pub const ATTEMPTS: &str = "attempts";
/// How the work on a message ended.
pub const OUTCOME: &str = "outcome";
