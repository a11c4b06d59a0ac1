//! Signing in, staying so, and guessing passwords.

use identity::Role;
use serde_json::{Value, json};
use testbed::eventually;

use crate::shop::{SOON, Shop, bearer, cart};

const CHALLENGE: &str = r#"Bearer realm="shop""#;

fn logins(outcome: &str) -> String {
    format!("auth_logins_total{{outcome=\"{outcome}\"}}")
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn who_has_signed_in_orders_in_their_own_name() {
    let shop = Shop::open().await;
    let answer = shop.log_in("ada", "analytical").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store", "RFC 6749, 5.1");
    let tokens = answer.json();
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(900)));
    let ada = format!("Bearer {}", word(&tokens["access_token"]));
    let placed = shop.order_as(&ada, &cart()).await;
    assert_eq!((placed.status, &placed.json()["customer_id"]), (201, &json!("ada")));

    let tokens = shop.log_in("root", "keep-it-running").await.json();
    let root = format!("Bearer {}", word(&tokens["access_token"]));
    assert_eq!(shop.get_as(&root, placed.header("location")).await.status, 200);
    assert_eq!(shop.metric(&logins("accepted")).await, 2.0);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_are_answered_alike() {
    let shop = Shop::open().await;
    let mut answers = Vec::new();
    for (name, password) in [("ada", "Analytical"), ("eve", "analytical"), ("root", "analytical")] {
        let answer = shop.log_in(name, password).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "invalid_credentials"));
        assert_eq!(answer.header("www-authenticate"), CHALLENGE);
        let mut problem = answer.json();
        problem["correlation_id"] = json!(null);
        let said = problem.to_string();
        assert!(!said.contains(password) && !said.contains(name), "{said}");
        answers.push(problem);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(shop.metric(&logins("rejected")).await, 3.0);
}

#[tokio::test]
async fn a_refresh_token_gets_an_access_token_and_is_good_for_nothing_else() {
    let shop = Shop::open().await;
    let tokens = shop.log_in("ada", "analytical").await.json();
    let (access, refresh) = (word(&tokens["access_token"]), word(&tokens["refresh_token"]));
    let renew = async |token: &str| {
        shop.post("/auth/refresh", json!({"refresh_token": token}).to_string()).await
    };
    let renewed = renew(refresh).await;
    assert_eq!(renewed.status, 200, "{renewed:?}");
    let renewed = renewed.json();
    assert_eq!(renewed["refresh_token"], json!(null), "a session ends some day");
    let fresh = format!("Bearer {}", word(&renewed["access_token"]));
    assert_eq!(shop.order_as(&fresh, &cart()).await.json()["customer_id"], "ada");

    let misused = shop.get_as(&format!("Bearer {refresh}"), "/orders").await;
    assert_eq!((misused.status, misused.code().as_str()), (401, "invalid_token"));
    let nonsense = "a".repeat(40);
    for token in [access, nonsense.as_str(), "a.b.c"] {
        let refused = renew(token).await;
        assert_eq!((refused.status, refused.code().as_str()), (401, "invalid_token"));
        let challenge = refused.header("www-authenticate");
        assert_eq!(challenge, format!(r#"{CHALLENGE}, error="invalid_token""#));
    }
}

#[tokio::test]
async fn a_refresh_is_for_what_the_account_is_by_now() {
    let shop = Shop::open().await;
    let tokens = shop.log_in("ada", "analytical").await.json();
    let form = json!({"refresh_token": tokens["refresh_token"]}).to_string();
    let pool = sqlx::SqlitePool::connect(&shop.database_url()).await.unwrap();
    let promote = "UPDATE users SET role = 'admin' WHERE username = 'ada'";
    sqlx::query(promote).execute(&pool).await.unwrap();
    let renewed = shop.post("/auth/refresh", form.clone()).await.json();
    let admin = format!("Bearer {}", word(&renewed["access_token"]));
    assert_eq!(shop.get_as(&admin, "/orders?customer_id=grace").await.status, 200);

    sqlx::query("DELETE FROM users WHERE username = 'ada'").execute(&pool).await.unwrap();
    let gone = shop.post("/auth/refresh", form).await;
    assert_eq!((gone.status, gone.code().as_str()), (401, "invalid_token"));
}

#[tokio::test]
async fn a_password_cannot_be_guessed_for_long() {
    let shop = Shop::open().await;
    for _ in 0..5 {
        assert_eq!(shop.log_in("ada", "guess").await.status, 401);
    }
    for password in ["guess", "analytical"] {
        let limited = shop.log_in("ada", password).await;
        assert_eq!((limited.status, limited.code().as_str()), (429, "too_many_attempts"));
        let wait: u64 = limited.header("retry-after").parse().unwrap();
        assert!((1..=12).contains(&wait), "{wait}");
    }
    assert_eq!(shop.log_in("grace", "nanosecond").await.status, 200, "others are not kept out");
    assert_eq!(shop.metric(&logins("limited")).await, 2.0);
    let ada = bearer(Role::Customer, "ada");
    assert_eq!(shop.get_as(&ada, "/orders").await.status, 200, "nor who has signed in before");
}

#[tokio::test]
async fn who_knows_the_password_may_sign_in_as_often_as_they_like() {
    let shop = Shop::open().await;
    for _ in 0..12 {
        assert_eq!(shop.log_in("ada", "analytical").await.status, 200);
    }
}

#[tokio::test]
async fn a_login_while_order_api_is_away_is_no_guess() {
    let mut shop = Shop::without_order_api(&[]).await;
    for _ in 0..12 {
        let failed = shop.log_in("ada", "analytical").await;
        assert_eq!((failed.status, failed.code().as_str()), (503, "unavailable"));
    }
    assert_eq!(shop.metric(&logins("failed")).await, 12.0);
    shop.start_order_api().await;
    // The circuit that they have opened lets one through after a while.
    eventually(SOON, "a login", async || {
        (shop.log_in("ada", "analytical").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_no_login_is_refused_and_nothing_of_it_repeated() {
    let shop = Shop::without_order_api(&[]).await;
    let form = |username: &str, password: &str| {
        json!({"username": username, "password": password}).to_string()
    };
    let long = "hunter22".repeat(17);
    for (path, body, status, code, field) in [
        ("/auth/login", "hunter22".to_owned(), 400, "malformed_json", ""),
        ("/auth/login", "[]".to_owned(), 422, "invalid_form", "$"),
        ("/auth/login", r#"{"username":"ada"}"#.to_owned(), 422, "invalid_form", "password"),
        ("/auth/login", form("a b", "hunter22"), 422, "invalid_form", "username"),
        ("/auth/login", form("ada", &long), 422, "invalid_form", "password"),
        (
            "/auth/login",
            r#"{"username":"ada","password":"hunter22","role":"admin"}"#.to_owned(),
            422,
            "invalid_form",
            "role",
        ),
        ("/auth/login", " ".repeat(70_000), 413, "body_too_large", ""),
        ("/auth/refresh", "{}".to_owned(), 422, "invalid_form", "refresh_token"),
        (
            "/auth/refresh",
            r#"{"refresh_token":7}"#.to_owned(),
            422,
            "invalid_form",
            "refresh_token",
        ),
    ] {
        let refused = shop.post(path, body).await;
        assert_eq!((refused.status, refused.code().as_str()), (status, code), "{refused:?}");
        let problem = refused.json();
        assert_eq!(problem["field"].as_str().unwrap_or_default(), field);
        assert!(!refused.text.contains("hunter22"), "{refused:?}");
    }
}
