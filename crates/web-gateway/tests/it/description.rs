//! `/openapi.json` and the page: what they promise is true.

use std::collections::BTreeSet;

use serde_json::Value;
use web_gateway::metrics::{Endpoint, Status};

use crate::shop::Shop;

fn operations(document: &Value) -> Vec<(String, http::Method, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let each = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| {
            let method = method.to_uppercase().parse().unwrap();
            (path.clone(), method, operation.clone())
        })
    });
    each.collect()
}

#[tokio::test]
async fn every_route_is_described_with_every_answer_that_it_can_give() {
    let shop = Shop::without_order_api(&[]).await;
    let document = shop.get("/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    let operations = operations(&document);
    assert_eq!(operations.len(), 11);
    for (path, method, operation) in operations {
        let statuses = Endpoint::of(&method, Some(&path)).statuses().iter();
        let possible: BTreeSet<_> = statuses
            .filter(|status| **status != Status::ClientClosedRequest)
            .map(|status| status.as_str().to_owned())
            .collect();
        let responses = operation["responses"].as_object().unwrap();
        let described: BTreeSet<_> = responses.keys().cloned().collect();
        assert_eq!(described, possible, "{method} {path}");
        assert!(operation["summary"].is_string(), "{method} {path}");
        for (status, response) in responses {
            let named = response["headers"]["X-Correlation-ID"].is_object();
            assert!(named, "{method} {path} {status}");
            let refusal = status.as_str() >= "400" && path != "/ready";
            let problem = &response["content"]["application/problem+json"];
            assert!(!refusal || problem["examples"].is_object(), "{method} {path} {status}");
        }
    }
}

#[tokio::test]
async fn the_example_of_an_order_can_be_placed() {
    let shop = Shop::open().await;
    let document = shop.get("/openapi.json").await.json();
    let example = &document["components"]["schemas"]["NewOrder"]["example"];
    let placed = shop.order(example).await;
    assert_eq!(placed.status, 201, "{placed:?}");

    let fields = |value: &Value| -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    let schema = &document["components"]["schemas"]["Order"];
    assert_eq!(fields(&placed.json()), fields(&schema["properties"]));
}

#[tokio::test]
async fn the_page_loads_nothing_from_anywhere() {
    let shop = Shop::without_order_api(&[]).await;
    let page = shop.get("/").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
    assert!(page.text.contains(&format!("<script nonce=\"{nonce}\">")));
    assert!(!page.text.contains("{{nonce}}"));
    for outside in ["src=\"http", "href=\"http", "@import", "url(http", "style=\"", "onclick="] {
        assert!(!page.text.contains(outside), "{outside}");
    }
    let again = shop.get("/").await;
    assert_ne!(again.header("content-security-policy"), policy, "a nonce is used once");
}
