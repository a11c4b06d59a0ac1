//! Tokens: good ones, bad ones and none.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use identity::{Role, secret::Secret, token::Kind};
use reqwest::Method;
use serde_json::{Value, json};
use testbed::eventually;

use crate::shop::{SOON, Shop, bearer, bearer_of, cart};

const NO_ORDER: &str = "/orders/01980000-0000-7000-8000-000000000000";

fn rejections(reason: &str) -> String {
    format!("auth_rejections_total{{reason=\"{reason}\"}}")
}

/// A token that says it needs no signature, with the claims of an admin.
fn unsigned(algorithm: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({
        "iss": "mishap", "aud": "shop", "sub": "root", "role": "admin", "typ": "access",
        "iat": now, "exp": now + 600, "jti": "01980000-0000-7000-8000-000000000000",
    });
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("Bearer {}.{}.", part(json!({"typ": "JWT", "alg": algorithm})), part(claims))
}

/// The token with another first character of its signature. The last one would not do: four of
/// its six bits count, so that one token in sixteen would stay as it was.
fn tampered(token: &str) -> String {
    let (claims, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{claims}.{first}{}", &signature[1..])
}

#[tokio::test]
async fn a_bad_token_is_refused_and_its_bearer_is_not_anonymous() {
    let shop = Shop::open().await;
    let demo: Secret = Secret::DEMO.parse().unwrap();
    let good = bearer(Role::Customer, "ada");
    let tampered = tampered(&good);
    let bad = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer nonsense".to_owned(),
        "Basic YWRhOmFuYWx5dGljYWw=".to_owned(),
        good.trim_start_matches("Bearer ").to_owned(),
        format!("{good} {good}"),
        tampered,
        unsigned("none"),
        unsigned("HS256"),
        bearer_of(&Secret::random(), Role::Customer, Kind::Access, "ada"),
        bearer_of(&demo, Role::Customer, Kind::Refresh, "ada"),
        bearer_of(&demo, Role::Service, Kind::Access, "fulfillment-worker"),
    ];
    let headers = |token| [("authorization", token), ("content-type", "application/json")];
    for token in &bad {
        for (method, path) in [
            (Method::GET, "/products"),
            (Method::GET, "/orders"),
            (Method::GET, NO_ORDER),
            (Method::POST, "/orders"),
        ] {
            let refused = shop.ask(method, path, &headers(token), cart().to_string()).await;
            let code = refused.code();
            assert_eq!((refused.status, code.as_str()), (401, "invalid_token"), "{token}");
            let challenge = refused.header("www-authenticate");
            assert_eq!(challenge, r#"Bearer realm="shop", error="invalid_token""#);
            assert!(token.len() < 10 || !refused.text.contains(token.as_str()), "{refused:?}");
        }
    }
    let twice = [("authorization", good.as_str()), ("authorization", good.as_str())];
    assert_eq!(shop.ask(Method::GET, "/orders", &twice, "").await.status, 401);
    assert_eq!(shop.get_as(&good, "/orders").await.status, 200);
    let malformed = shop.metric(&rejections("token_malformed")).await;
    let invalid = shop.metric(&rejections("token_invalid")).await;
    assert_eq!(malformed + invalid, bad.len() as f64 * 4.0 + 1.0);
    assert_eq!(shop.get("/orders").await.json()["orders"], json!([]), "nothing was placed");
}

#[tokio::test]
async fn a_token_that_has_expired_says_so() {
    let mut shop = Shop::without_order_api(&["--access-ttl", "1s"]).await;
    shop.start_order_api().await;
    let tokens = shop.log_in("ada", "analytical").await.json();
    assert_eq!(tokens["expires_in"], 1);
    let ada = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let refused = eventually(SOON, "the token expires", async || {
        Some(shop.get_as(&ada, "/orders").await).filter(|answer| answer.status != 200)
    })
    .await;
    assert_eq!((refused.status, refused.code().as_str()), (401, "token_expired"));
    assert!(refused.header("www-authenticate").contains("invalid_token"), "{refused:?}");
    assert!(shop.metric(&rejections("token_expired")).await >= 1.0);

    let form = json!({"refresh_token": tokens["refresh_token"]}).to_string();
    assert_eq!(shop.post("/auth/refresh", form).await.status, 200);
}

#[tokio::test]
async fn without_an_anonymous_customer_everybody_says_who_they_are() {
    let mut shop = Shop::without_order_api(&["--anonymous-customer", ""]).await;
    shop.start_order_api().await;
    for path in ["/products", "/orders", "/orders?customer_id=demo", NO_ORDER] {
        let refused = shop.get(path).await;
        assert_eq!((refused.status, refused.code().as_str()), (401, "token_required"), "{path}");
        assert_eq!(refused.header("www-authenticate"), r#"Bearer realm="shop""#);
    }
    assert_eq!(shop.order(&cart()).await.status, 401);
    assert_eq!(shop.metric(&rejections("token_missing")).await, 5.0);

    let ada = bearer(Role::Customer, "ada");
    assert_eq!(shop.order_as(&ada, &cart()).await.status, 201);
    let products = shop.get_as(&ada, "/products").await;
    assert!(products.header("cache-control").starts_with("private, "), "{products:?}");
    assert_eq!(shop.log_in("ada", "analytical").await.status, 200);
    for path in ["/", "/health", "/ready", "/metrics", "/openapi.json"] {
        assert_eq!(shop.get(path).await.status, 200, "{path}");
    }
    assert_eq!(shop.get("/nowhere").await.status, 404);
    let document = shop.get("/openapi.json").await.json();
    assert_eq!(document["paths"]["/orders"]["get"]["security"], json!([{"token": []}]));
}

#[tokio::test]
async fn the_description_says_what_needs_a_token() {
    let shop = Shop::without_order_api(&[]).await;
    let document = shop.get("/openapi.json").await.json();
    let scheme = &document["components"]["securitySchemes"]["token"];
    assert_eq!((&scheme["type"], &scheme["scheme"]), (&json!("http"), &json!("bearer")));
    let paths = document["paths"].as_object().unwrap();
    for (path, item) in paths {
        for operation in item.as_object().unwrap().values() {
            let shop = path.starts_with("/orders") || path == "/products";
            let expected = if shop { json!([{}, {"token": []}]) } else { json!(null) };
            assert_eq!(operation["security"], expected, "{path}");
        }
    }
}

/// A gateway that could be talked into letting somebody in has not let them in at order-api.
#[tokio::test]
async fn order_api_verifies_again_what_the_gateway_has_let_through() {
    let mut shop = Shop::without_order_api(&["--request-deadline", "2s"]).await;
    let other = Secret::random();
    shop.start_order_api_with(&["--jwt-secret", other.expose()]).await;
    let ada = bearer(Role::Customer, "ada");
    for answer in [
        shop.get_as(&ada, "/orders").await,
        shop.order_as(&ada, &cart()).await,
        shop.get("/products").await,
        shop.log_in("ada", "analytical").await,
    ] {
        assert_eq!((answer.status, answer.code().as_str()), (500, "internal"), "{answer:?}");
    }
    let refused = r#"grpc_client_requests_total{method="PlaceOrder",status="UNAUTHENTICATED"}"#;
    assert_eq!(shop.metric(refused).await, 1.0);
}
