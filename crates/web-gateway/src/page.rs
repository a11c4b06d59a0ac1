//! The page to try it: one file, allowed to load nothing from anywhere else.

use axum::response::{Html, IntoResponse, Response};
use http::header;
use uuid::Uuid;

const PAGE: &str = include_str!("page.html");
/// Stands in the page where a nonce belongs.
const NONCE: &str = "{{nonce}}";

/// The page, whose one style and one script are the only ones that the browser accepts.
pub(crate) fn respond() -> Response {
    let nonce = Uuid::new_v4().simple().to_string();
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    (headers, Html(PAGE.replace(NONCE, &nonce))).into_response()
}
