//! Bad requests, by table: each with the exact status, code and field that it is answered with.

use identity::Role;
use reqwest::Method;
use serde_json::Value;

use crate::shop::{Shop, bearer, cart};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const GET: Method = Method::GET;
const POST: Method = Method::POST;

struct Bad {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    answer: (u16, &'static str, &'static str),
}

type Answer = (u16, &'static str, &'static str);

/// A body that is not an order.
fn body(body: impl Into<Vec<u8>>, answer: Answer) -> Bad {
    request(POST, "/orders", JSON, body, answer)
}

/// A quantity that is none, as JSON writes it.
fn quantity(number: &str, answer: Answer) -> Bad {
    let items = format!(r#"[{{"sku":"TEA-001","quantity":{number}}}]"#);
    body(format!(r#"{{"customer_id":"ada","items":{items}}}"#), answer)
}

/// A SKU that is none, as JSON writes it.
fn sku(text: &str, answer: Answer) -> Bad {
    body(format!(r#"{{"customer_id":"ada","items":[{{"sku":{text},"quantity":1}}]}}"#), answer)
}

/// A customer who is none, as JSON writes it.
fn customer(text: &str, answer: Answer) -> Bad {
    let items = r#"[{"sku":"TEA-001","quantity":1}]"#;
    body(format!(r#"{{"customer_id":{text},"items":{items}}}"#), answer)
}

/// A cart of this many different lines.
fn lines(count: usize, answer: Answer) -> Bad {
    let lines: Vec<_> =
        (0..count).map(|line| format!(r#"{{"sku":"SKU-{line}","quantity":1}}"#)).collect();
    body(format!(r#"{{"customer_id":"ada","items":[{}]}}"#, lines.join(",")), answer)
}

/// A good order with bad headers.
fn headers(headers: &[(&str, &str)], answer: Answer) -> Bad {
    request(POST, "/orders", headers, cart().to_string(), answer)
}

/// A path that cannot be looked at.
fn get(path: &str, answer: Answer) -> Bad {
    request(GET, path, &[], "", answer)
}

fn request(
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Vec<u8>>,
    answer: Answer,
) -> Bad {
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    Bad { method, path: path.to_owned(), headers: headers.collect(), body: body.into(), answer }
}

const MALFORMED: Answer = (400, "malformed_json", "");
const WRONG_TYPE: Answer = (415, "unsupported_media_type", "");
const QUANTITY: Answer = (422, "invalid_order", "items[0].quantity");
const SKU: Answer = (422, "invalid_order", "items[0].sku");
const CUSTOMER: Answer = (422, "invalid_order", "customer_id");
const ITEMS: Answer = (422, "invalid_order", "items");
const NO_ORDER: Answer = (404, "order_not_found", "");
const NOT_ALLOWED: Answer = (405, "method_not_allowed", "");
const BAD_KEY: Answer = (400, "invalid_idempotency_key", "Idempotency-Key");
const UNKNOWN_SKU: Answer = (422, "unknown_sku", "");

fn query(field: &'static str) -> Answer {
    (400, "invalid_query", field)
}

fn bodies() -> Vec<Bad> {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    vec![
        body("", MALFORMED),
        body("{", MALFORMED),
        body("order", MALFORMED),
        body("{'customer_id':'ada'}", MALFORMED),
        body(format!("{} {}", cart(), cart()), MALFORMED),
        body(b"\xff\xfe{}".to_vec(), MALFORMED),
        body(b"{\"customer_id\":\"\xc3\x28\"}".to_vec(), MALFORMED),
        body(format!("\u{feff}{}", cart()), MALFORMED),
        body(
            cart().to_string().encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
            MALFORMED,
        ),
        body(nested(20_000), MALFORMED),
        body(nested(100), (422, "invalid_order", "$")),
        body("[]", (422, "invalid_order", "$")),
        body(r#"["ada",[["TEA-001",1]]]"#, (422, "invalid_order", "$")),
        body("null", (422, "invalid_order", "$")),
        body("{}", ITEMS),
        body(r#"{"customer_id":"ada"}"#, ITEMS),
        body(r#"{"customer_id":"ada","items":[]}"#, ITEMS),
        body(r#"{"customer_id":"ada","items":null}"#, ITEMS),
        body(r#"{"customer_id":"ada","items":{"sku":"TEA-001","quantity":1}}"#, ITEMS),
        body(r#"{"customer_id":"ada","items":["TEA-001"]}"#, (422, "invalid_order", "items[0]")),
        body(
            r#"{"customer_id":"ada","items":[{"sku":"TEA-001","quantity":1}],"total_minor":1}"#,
            (422, "invalid_order", "total_minor"),
        ),
        body(
            r#"{"customer_id":"ada","items":[{"sku":"TEA-001","quantity":1,"price":0}]}"#,
            (422, "invalid_order", "items[0].price"),
        ),
        body(
            r#"{"customer_id":"ada","items":[{"sku":"TEA-001","quantity":1},{"sku":"TEA-001","quantity":2}]}"#,
            (422, "invalid_order", "items[1].sku"),
        ),
        body(r#"{"customer_id":"ada","items":[{"quantity":1}]}"#, SKU),
        body(r#"{"customer_id":"ada","items":[{"sku":"TEA-001"}]}"#, QUANTITY),
        body(r#"{"customer_id":"ada","customer_id":5,"items":[]}"#, CUSTOMER),
        lines(51, ITEMS),
        lines(50, UNKNOWN_SKU),
        body(format!("{}{}", cart(), " ".repeat(65_536)), (413, "body_too_large", "")),
        body("x".repeat(1_000_000), (413, "body_too_large", "")),
        lines(5_000, (413, "body_too_large", "")),
    ]
}

fn values() -> Vec<Bad> {
    vec![
        quantity("0", QUANTITY),
        quantity("-0", QUANTITY),
        quantity("-1", QUANTITY),
        quantity("1.5", QUANTITY),
        quantity("1001", QUANTITY),
        quantity("1e4", QUANTITY),
        quantity("4294967297", QUANTITY),
        quantity("9223372036854775807", QUANTITY),
        quantity("9223372036854775808", QUANTITY),
        quantity("18446744073709551617", QUANTITY),
        quantity("-9223372036854775809", QUANTITY),
        quantity("1e400", MALFORMED),
        quantity("NaN", MALFORMED),
        quantity("01", MALFORMED),
        quantity("0x10", MALFORMED),
        quantity("\"1\"", QUANTITY),
        quantity("true", QUANTITY),
        quantity("null", QUANTITY),
        quantity("[1]", QUANTITY),
        sku("\"NO-SUCH\"", UNKNOWN_SKU),
        sku("\"tea-001\"", UNKNOWN_SKU),
        sku("\"\"", SKU),
        sku("\"TEA 001\"", SKU),
        sku("\"TEA-001'; DROP TABLE orders; --\"", SKU),
        sku("\"TÉA-001\"", SKU),
        sku("\"\\u0000\"", SKU),
        sku("\"\\ud83c\\udf75\"", SKU),
        sku("\"\\ud800\"", MALFORMED),
        sku("\"\n\"", MALFORMED),
        sku("1", SKU),
        sku(&format!("\"{}\"", "x".repeat(65)), SKU),
        customer("\"\"", CUSTOMER),
        customer("\"a\\u202eb\"", CUSTOMER),
        customer("\"../etc/passwd\"", CUSTOMER),
        customer("\"<script>\"", CUSTOMER),
        customer("7", CUSTOMER),
        customer("null", CUSTOMER),
        customer(&format!("\"{}\"", "x".repeat(65)), CUSTOMER),
    ]
}

fn heads() -> Vec<Bad> {
    let key = |key: &str| headers(&[JSON[0], ("idempotency-key", key)], BAD_KEY);
    vec![
        key(""),
        key("two words"),
        key("k\u{e9}y"),
        key(&"k".repeat(256)),
        headers(&[JSON[0], ("idempotency-key", "a"), ("idempotency-key", "b")], BAD_KEY),
        headers(&[], WRONG_TYPE),
        headers(&[("content-type", "")], WRONG_TYPE),
        headers(&[("content-type", "text/plain")], WRONG_TYPE),
        headers(&[("content-type", "application/jsonp")], WRONG_TYPE),
        headers(&[("content-type", "application/x-www-form-urlencoded")], WRONG_TYPE),
        headers(&[("content-type", "\u{e4}")], WRONG_TYPE),
        headers(&[JSON[0], ("content-encoding", "gzip")], WRONG_TYPE),
    ]
}

fn paths() -> Vec<Bad> {
    let delete = |path| request(Method::DELETE, path, &[], "", NOT_ALLOWED);
    let unknown = Method::from_bytes(b"BREW").unwrap();
    vec![
        get("/nowhere", (404, "not_found", "")),
        get("/orders/", (404, "not_found", "")),
        get("//orders", (404, "not_found", "")),
        get("/ORDERS", (404, "not_found", "")),
        get(&format!("/{}", "x".repeat(8_000)), (404, "not_found", "")),
        get("/orders/1", NO_ORDER),
        get("/orders/%00", NO_ORDER),
        get("/orders/%ff", NO_ORDER),
        get("/orders/%2e%2e%2fproducts", NO_ORDER),
        get("/orders/01980000-0000-7000-8000-000000000000", NO_ORDER),
        get("/orders/%7B01980000-0000-7000-8000-000000000000%7D", NO_ORDER),
        get("/orders/0198000000007000800000000000000000000000", NO_ORDER),
        delete("/orders"),
        delete("/products"),
        delete("/health"),
        delete("/"),
        request(
            Method::PUT,
            "/orders/01980000-0000-7000-8000-000000000000",
            JSON,
            "{}",
            NOT_ALLOWED,
        ),
        request(Method::PATCH, "/orders", JSON, "{}", NOT_ALLOWED),
        request(Method::OPTIONS, "/orders", &[], "", NOT_ALLOWED),
        request(POST, "/products", JSON, "{}", NOT_ALLOWED),
        request(unknown, "/orders", &[], "", NOT_ALLOWED),
        get("/orders?limit=0", query("limit")),
        get("/orders?limit=101", query("limit")),
        get("/orders?limit=-1", query("limit")),
        get("/orders?limit=1.0", query("limit")),
        get("/orders?limit=%2B5", query("limit")),
        get("/orders?limit=99999999999999999999", query("limit")),
        get("/orders?limit=", query("limit")),
        get("/orders?limit=1&limit=2", query("limit")),
        get("/orders?status=lost", query("status")),
        get("/orders?status=PLACED", query("status")),
        get("/orders?status=", query("status")),
        get("/orders?customer_id=", query("customer_id")),
        get("/orders?customer_id=%00", query("customer_id")),
        get("/orders?customer_id=%ff%fe", query("customer_id")),
        get("/orders?customer_id=a%27%20OR%201=1--", query("customer_id")),
        get("/orders?cursor=", query("cursor")),
        get(&format!("/orders?cursor={}", "x".repeat(513)), query("cursor")),
        get("/orders?cursor=nonsense", (400, "invalid_cursor", "cursor")),
        get("/orders?cursor=%F0%9F%8D%B5", (400, "invalid_cursor", "cursor")),
        get("/orders?custmer_id=ada", query("custmer_id")),
    ]
}

#[tokio::test]
async fn every_bad_request_has_its_own_answer() {
    let shop = Shop::open().await;
    let table: Vec<_> = [bodies(), values(), heads(), paths()].into_iter().flatten().collect();
    assert!(table.len() >= 100, "{}", table.len());
    // An admin, for whom nothing is wrong but what is.
    let admin = bearer(Role::Admin, "root");
    for bad in table {
        let headers = bad.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let headers: Vec<_> = headers.chain([("authorization", admin.as_str())]).collect();
        let what = format!("{} {} {headers:?} {}", bad.method, bad.path, shown(&bad.body));
        let answer = shop.ask(bad.method, &bad.path, &headers, bad.body).await;
        let code = answer.code();
        let problem = answer.json();
        let field = problem.get("field").and_then(Value::as_str).unwrap_or_default();
        assert_eq!((answer.status, code.as_str(), field), bad.answer, "{what}: {answer:?}");
    }
    let listed = shop.get_as(&admin, "/orders").await.json();
    assert_eq!(listed["orders"].as_array().map(Vec::len), Some(0), "a bad request stored an order");
}

fn shown(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(120).collect()
}
