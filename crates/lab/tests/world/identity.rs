//! Somebody in the shop: signed in by the lab's own command, and silent about how.

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use testbed::eventually;

use crate::{
    lab::{Lab, PATIENCE},
    shop::cart,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_from_the_command_line_is_good_in_the_shop() {
    let lab = Lab::start(&[]).await;
    lab.ready().await;
    let token = |arguments: &[&str]| {
        let (code, printed) = lab.command(&[&["token"], arguments].concat());
        assert_eq!(code, 0, "{printed}");
        printed.trim().to_owned()
    };
    let (ada, admin) = (token(&["--user", "ada"]), token(&["--role", "admin"]));
    let url = format!("http://127.0.0.1:{}/orders", lab.gateway_port);
    let client = Client::new();
    let order = client.post(&url).bearer_auth(&ada).json(&cart("TEA-001", 1)).send().await;
    let order: Value = order.expect("an answer").json().await.expect("JSON");
    assert_eq!(order["customer_id"], "ada");

    let url = format!("{url}/{}", order["id"].as_str().expect("an id"));
    let seen = async |token: Option<&str>| {
        let request = client.get(&url);
        let request = token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
        request.send().await.expect("an answer").status()
    };
    assert_eq!(seen(Some(&ada)).await, StatusCode::OK);
    assert_eq!(seen(Some(&admin)).await, StatusCode::OK);
    assert_eq!(seen(None).await, StatusCode::NOT_FOUND);

    let (code, printed) = lab.command(&["token", "--user", "eve"]);
    assert_eq!((code, printed.contains("ada, grace")), (2, true), "{printed}");
    let (code, printed) = lab.command(&["token", "--user", "eve", "--password", "let-me-in"]);
    assert_eq!(code, 1, "{printed}");
    assert!(
        printed.contains("eve is not signed in") && !printed.contains("let-me-in"),
        "{printed}"
    );
}

/// Neither in a log nor in a span, neither when it was right nor when it was wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_password_and_no_token_is_written_anywhere() {
    let settings = [("LOG_LEVEL", "debug")];
    let lab = Lab::start_with(&[], &settings).await;
    lab.ready().await;
    let shop = format!("http://127.0.0.1:{}", lab.gateway_port);
    let client = Client::new();
    let sign_in = async |password: &str| -> Value {
        let form = json!({"username": "ada", "password": password});
        let answer = client.post(format!("{shop}/auth/login")).json(&form).send().await;
        answer.expect("an answer").json().await.expect("JSON")
    };
    assert_eq!(sign_in("wrong-and-not-to-be-seen").await["code"], "invalid_credentials");
    let tokens = sign_in("analytical").await;
    let [access, refresh] =
        ["access_token", "refresh_token"].map(|name| tokens[name].as_str().expect("a token"));
    let form = json!({"refresh_token": refresh});
    let renewed = client.post(format!("{shop}/auth/refresh")).json(&form).send().await;
    assert_eq!(renewed.expect("an answer").status(), StatusCode::OK);
    let order = client.post(format!("{shop}/orders")).bearer_auth(access);
    let order = order.json(&cart("TEA-001", 1)).send().await.expect("an answer");
    assert!([StatusCode::CREATED, StatusCode::ACCEPTED].contains(&order.status()));
    let tampered = client.get(format!("{shop}/orders")).bearer_auth(format!("{access}x"));
    assert_eq!(tampered.send().await.expect("an answer").status(), StatusCode::UNAUTHORIZED);

    let told = eventually(PATIENCE, "what happened is told", || async {
        let desk = format!("http://127.0.0.1:{}", lab.desk_port);
        let read = async |path: &str| {
            let request = client.get(format!("{desk}{path}")).header("accept", "application/json");
            request.send().await.ok()?.text().await.ok()
        };
        let traces: Value = serde_json::from_str(&read("/traces?limit=100").await?).ok()?;
        let mut told = read("/logs?limit=1000").await?;
        for trace in traces["traces"].as_array()? {
            told += &read(&format!("/traces/{}", trace["trace_id"].as_str()?)).await?;
        }
        let happened = ["not signed in", "signed in", "verify password", "find_user"];
        let all = happened.iter().all(|happened| told.contains(happened));
        (all && told.contains("process fulfillment.orders")).then_some(told)
    })
    .await;
    let logs = ["web-gateway", "order-api", "fulfillment-worker"].map(|name| lab.log(name));
    let written = [told, lab.screen()].into_iter().chain(logs).collect::<String>();
    let signature = access.rsplit_once('.').expect("a token has three parts").1;
    for secret in
        ["wrong-and-not-to-be-seen", "analytical", access, refresh, signature, "argon2id", "Bearer"]
    {
        let place = written.find(secret).map(|place| &written[place.saturating_sub(200)..place]);
        assert_eq!(place, None, "{secret} is written");
    }
}
