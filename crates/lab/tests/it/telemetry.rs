//! Traces and logs: sent to the desk over real gRPC, asked for over HTTP and from the command line.

use std::process::{Command, Output};

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::{ExportLogsServiceRequest, logs_service_client::LogsServiceClient},
        trace::v1::{ExportTraceServiceRequest, trace_service_client::TraceServiceClient},
    },
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, status::StatusCode as SpanStatus},
};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::desk::{DeskFixture, World};

const SLOW: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const FAILED: &str = "0af7651916cd43dd8448eb211c80319c";
const START: u64 = 1_767_323_045_000_000_000;

#[tokio::test]
async fn a_trace_that_was_sent_is_listed_drawn_and_given_as_json() {
    let desk = desk_with_two_traces().await;
    let (status, list) = desk.text(Method::GET, "/traces", "").await;
    assert_eq!(status, StatusCode::OK);
    assert!(list.contains(SLOW) && list.contains(FAILED), "{list}");
    for (query, found) in [
        ("slow", SLOW),
        ("slow=600ms", SLOW),
        ("error", FAILED),
        ("route=/orders", SLOW),
        ("route=/products", FAILED),
        ("service=order-api", FAILED),
        ("version=0.2.0", FAILED),
        ("instance=web-gateway-1", SLOW),
        ("step=list&version=0.2.0&instance=order-api-1", FAILED),
        ("limit=1", SLOW),
    ] {
        let (_, json) = desk.json(Method::GET, &format!("/traces?{query}"), "").await;
        let ids: Vec<_> = json["traces"].as_array().expect("a list").iter().collect();
        assert_eq!(ids.len(), 1, "{query}: {json}");
        assert_eq!(ids[0]["trace_id"], found, "{query}: {json}");
    }

    let header = format!("/traces/00-{SLOW}-00f067aa0ba902b7-01?width=100");
    let (_, drawn) = desk.text(Method::GET, &header, "").await;
    assert!(drawn.starts_with(&format!("trace {SLOW}, 2026-01-02")), "{drawn}");
    assert!(drawn.contains("POST /orders") && drawn.contains("order stored"), "{drawn}");
    let (_, json) = desk.json(Method::GET, &format!("/traces/{FAILED}"), "").await;
    assert_eq!(json["trace_id"], FAILED);
    assert_eq!(
        json["spans"][0],
        json!({
            "span_id": "0000000000000002", "parent_span_id": null, "name": "list",
            "kind": "unspecified", "service": "order-api", "version": "0.2.0", "instance": "order-api-1",
            "start_unix_nano": START, "duration_ms": 20.0, "status": "error",
            "status_message": "no database", "attributes": {"http.route": "/products"},
            "events": [], "links": [],
        })
    );
}

#[tokio::test]
async fn log_lines_are_found_and_followed() {
    let desk = desk_with_two_traces().await;
    for query in ["order=42", &format!("trace={SLOW}"), "level=warn", "text=STORED", "limit=1"] {
        let (status, text) = desk.text(Method::GET, &format!("/logs?{query}"), "").await;
        assert_eq!(status, StatusCode::OK, "{text}");
        let line = "03:04:05.000 WARN  order-api          order stored order_id=42 trace=";
        assert_eq!(text, format!("{line}{SLOW}\n"), "{query}");
    }
    let (_, text) = desk.text(Method::GET, "/logs?service=web-gateway", "").await;
    assert_eq!(text, "none of the 1 log lines is like that\n");

    let mut answer = desk.send(Method::GET, "/logs?follow", "", true).await;
    let before = answer.chunk().await.expect("it goes on").expect("what there was");
    assert!(String::from_utf8_lossy(&before).contains("order stored"), "{before:?}");
    desk.send_log("a new line").await;
    let new = answer.chunk().await.expect("it goes on").expect("what came");
    let new: serde_json::Value = serde_json::from_slice(&new).expect("a line of JSON");
    assert_eq!((&new["body"], &new["level"]), (&json!("a new line"), &json!("warn")));
    desk.stop().await;
    assert_eq!(answer.chunk().await.expect("a clean end"), None);
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_what_can() {
    let desk = World::empty().desk().await;
    for (path, status, possible) in [
        ("/traces/ada", StatusCode::BAD_REQUEST, "32 hexadecimal digits"),
        (&format!("/traces/{SLOW}"), StatusCode::NOT_FOUND, "keeps only the last 50000 spans"),
        (&format!("/traces/{SLOW}"), StatusCode::NOT_FOUND, "lab traces, or GET /traces"),
        (&format!("/traces/{SLOW}?width=x"), StatusCode::BAD_REQUEST, "width=1 or more"),
        ("/traces?slow=500", StatusCode::BAD_REQUEST, "slow=500ms"),
        ("/traces?error=perhaps", StatusCode::BAD_REQUEST, "error=true or false"),
        ("/traces?limit=0", StatusCode::BAD_REQUEST, "limit=1 to 10000"),
        ("/logs?trace=ada", StatusCode::BAD_REQUEST, "32 hexadecimal digits"),
        ("/logs?level=loud", StatusCode::BAD_REQUEST, "level=trace, debug, info"),
        ("/logs?speed=1", StatusCode::BAD_REQUEST, "order=ID"),
    ] {
        let (seen, text) = desk.text(Method::GET, path, "").await;
        assert_eq!(seen, status, "{path}: {text}");
        assert!(text.contains(possible), "{path}: {text}");
        let (_, json) = desk.json(Method::GET, path, "").await;
        assert!(json["error"].is_string() && json["possible"].is_array(), "{json}");
    }
    let (_, text) = desk.text(Method::GET, "/traces", "").await;
    assert_eq!(text, "no trace has come yet\n");
}

#[tokio::test]
async fn a_lab_whose_telemetry_goes_elsewhere_says_where() {
    let elsewhere = "http://tempo:4317/".to_owned();
    let desk = World { otlp_elsewhere: Some(elsewhere), ..World::empty() }.desk().await;
    assert_eq!(desk.otlp_url, None, "nobody would send anything there");
    for path in ["/traces", "/logs", &format!("/traces/{SLOW}")] {
        let (_, text) = desk.text(Method::GET, path, "").await;
        assert!(text.contains("traces and logs go to http://tempo:4317/"), "{text}");
    }
}

#[tokio::test]
async fn what_came_is_counted() {
    let desk = desk_with_two_traces().await;
    assert_eq!(desk.metric("telemetry_spans_received_total").await, Some(2.0));
    assert_eq!(desk.metric("telemetry_log_records_received_total").await, Some(1.0));
    assert_eq!(desk.metric("telemetry_traces").await, Some(2.0));
    assert!(desk.metric("telemetry_memory_bytes").await > Some(300.0));
    assert_eq!(desk.metric("telemetry_spans_evicted_total").await, Some(0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_asks_the_desk() {
    let desk = desk_with_two_traces().await;
    let header = format!("00-{SLOW}-00f067aa0ba902b7-01");
    for (arguments, shown) in [
        (vec!["trace", &header], "POST /orders"),
        (vec!["traces", "--slow"], SLOW),
        (vec!["traces", "--slow", "1ms", "--error"], FAILED),
        (vec!["traces", "--route", "/products", "--limit", "1"], FAILED),
        (vec!["logs", "--order", "42", "--trace", SLOW], "order stored"),
        (vec!["logs", "--service", "nobody"], "none of the 1 log lines"),
    ] {
        let output = lab(&desk, &arguments);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
        assert!(text.contains(shown), "{arguments:?}: {text}");
    }
    for arguments in [vec!["trace", "ada"], vec!["traces", "--slow=soon"]] {
        assert_eq!(lab(&desk, &arguments).status.code(), Some(2), "{arguments:?}");
    }
}

fn lab(desk: &DeskFixture, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(arguments).env("LAB_DESK_URL", &desk.url).output().expect("the program runs")
}

/// One trace that was slow, with a log line, and one that failed.
async fn desk_with_two_traces() -> DeskFixture {
    let desk = World::empty().desk().await;
    let failed = Status { message: "no database".to_owned(), code: SpanStatus::Error.into() };
    let failed = Span { status: Some(failed), ..span(FAILED, 2, "list", "/products", 20) };
    desk.send_spans("order-api", failed).await;
    desk.send_spans("web-gateway", span(SLOW, 1, "POST /orders", "/orders", 700)).await;
    desk.send_log("order stored").await;
    desk
}

impl DeskFixture {
    async fn send_spans(&self, service: &str, span: Span) {
        let url = self.otlp_url.clone().expect("it takes traces");
        let mut client = TraceServiceClient::connect(url).await.expect("it listens");
        let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
        let sent =
            ResourceSpans { resource: resource(service), scope_spans, ..ResourceSpans::default() };
        let request = ExportTraceServiceRequest { resource_spans: vec![sent] };
        client.export(request).await.expect("it takes spans");
    }

    async fn send_log(&self, body: &str) {
        let url = self.otlp_url.clone().expect("it takes logs");
        let mut client = LogsServiceClient::connect(url).await.expect("it listens");
        let record = LogRecord {
            time_unix_nano: START,
            severity_number: 13,
            body: text(body),
            attributes: vec![attribute("order_id", "42")],
            trace_id: trace_id(SLOW),
            ..LogRecord::default()
        };
        let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
        let resource = resource("order-api");
        let sent = ResourceLogs { resource, scope_logs, ..ResourceLogs::default() };
        let request = ExportLogsServiceRequest { resource_logs: vec![sent] };
        client.export(request).await.expect("it takes log records");
    }
}

fn span(trace: &str, id: u64, name: &str, route: &str, milliseconds: u64) -> Span {
    Span {
        trace_id: trace_id(trace),
        span_id: id.to_be_bytes().into(),
        name: name.to_owned(),
        start_time_unix_nano: START,
        end_time_unix_nano: START + milliseconds * 1_000_000,
        attributes: vec![attribute("http.route", route)],
        ..Span::default()
    }
}

fn trace_id(hexadecimal: &str) -> Vec<u8> {
    u128::from_str_radix(hexadecimal, 16).expect("an id").to_be_bytes().into()
}

fn resource(service: &str) -> Option<Resource> {
    let instance = attribute("service.instance.id", &format!("{service}-1"));
    let version = if service == "order-api" { "0.2.0" } else { "0.1.0" };
    let version = attribute("service.version", version);
    let attributes = vec![attribute("service.name", service), version, instance];
    Some(Resource { attributes, ..Resource::default() })
}

fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: text(value), ..KeyValue::default() }
}

fn text(text: &str) -> Option<AnyValue> {
    Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) })
}
