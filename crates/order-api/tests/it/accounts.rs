//! Signing in, over gRPC.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use contract::{
    refusal::Reason,
    shop::v1::{AuthenticateRequest, GetAccountRequest, Role, accounts_client::AccountsClient},
};
use testbed::eventually;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, service::interceptor::InterceptedService, transport::Channel};

use crate::shop::{Presents, SOON, Shop, reason};

/// A broker that is never there.
const NOBODY: &str = "amqp://guest:guest@127.0.0.1:1/%2f";
/// The pause of whoever guesses and is refused.
const PAUSE: Duration = Duration::from_millis(20);

async fn sign_in(shop: &Shop, username: &str, password: &str) -> Result<(String, Role), Status> {
    let (username, password) = (username.to_owned(), password.to_owned());
    let answer = shop.accounts().authenticate(AuthenticateRequest { username, password }).await?;
    let account = answer.into_inner().account.unwrap();
    Ok((account.customer_id.clone(), account.role()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_the_password_is_told_who_they_are() {
    let shop = Shop::start_without_broker().await;
    let ada = sign_in(&shop, "ada", "analytical").await.unwrap();
    assert_eq!(ada, ("ada".to_owned(), Role::Customer));
    let root = sign_in(&shop, "root", "keep-it-running").await.unwrap();
    assert_eq!(root, ("root".to_owned(), Role::Admin));

    let account = async |name: &str| {
        let request = GetAccountRequest { customer_id: name.to_owned() };
        shop.accounts().get_account(request).await.map(|answer| answer.into_inner())
    };
    assert_eq!(account("root").await.unwrap().account.unwrap().role(), Role::Admin);
    for nobody in ["eve", "", "a b", "\u{0}"] {
        let refused = account(nobody).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused)), (Code::NotFound, Reason::AccountNotFound));
    }
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_name_and_a_wrong_password_are_answered_alike() {
    let shop = Shop::start_without_broker().await;
    let wrong = sign_in(&shop, "ada", "synthetical").await.unwrap_err();
    assert_eq!((wrong.code(), reason(&wrong)), (Code::Unauthenticated, Reason::InvalidCredentials));
    let long = "x".repeat(129);
    for (name, password) in [
        ("eve", "analytical"),
        ("ada", ""),
        ("ada", "Analytical"),
        ("ada", "analytical "),
        ("ada", &long),
        ("root", "analytical"),
        ("", "analytical"),
        ("ada' OR '1'='1", "analytical"),
        ("\u{0}", "analytical"),
    ] {
        let refused = sign_in(&shop, name, password).await.unwrap_err();
        let alike = (refused.code(), refused.message(), refused.details());
        assert_eq!(alike, (wrong.code(), wrong.message(), wrong.details()), "{name} {password}");
    }
    assert!(!wrong.message().contains("analytical") && !wrong.message().contains("ada"));
    shop.finish().await;
}

/// More than can be verified in time are refused soon, and whoever calls for something else is not
/// held up by them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_logins_is_refused_and_holds_up_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", directory.path().join("shop.db").display());
    // A busy machine is no reason to give up on the provider or on the database.
    let settings = ["--payment-provider-timeout=10s", "--database-acquire-timeout=20s"];
    let shop = Shop::start_with(&settings, &database, NOBODY, directory).await;
    shop.becomes_ready(true).await;
    sign_in(&shop, "ada", "analytical").await.unwrap();
    let (refused, over) = (Arc::new(AtomicU32::new(0)), CancellationToken::new());
    let flood: Vec<_> = (0..50)
        .map(|_| tokio::spawn(guess(shop.accounts(), Arc::clone(&refused), over.clone())))
        .collect();
    eventually(SOON, "a refusal", async || (refused.load(Ordering::Relaxed) > 0).then_some(()))
        .await;
    for _ in 0..20 {
        let place = shop.place(&[("TEA-001", 1)]);
        let placed = tokio::time::timeout(SOON, place).await;
        placed.expect("an order does not wait for logins").unwrap();
    }
    over.cancel();
    for guesses in flood {
        guesses.await.unwrap();
    }
    sign_in(&shop, "ada", "analytical").await.unwrap();
    shop.finish().await;
}

/// Guesses until it is over, and counts how often that is refused; whoever is comes again soon.
async fn guess(
    mut accounts: AccountsClient<InterceptedService<Channel, Presents>>,
    refused: Arc<AtomicU32>,
    over: CancellationToken,
) {
    while !over.is_cancelled() {
        let (username, password) = ("ada".to_owned(), "guess".to_owned());
        let guess = AuthenticateRequest { username, password };
        let refusal = reason(&accounts.authenticate(guess).await.unwrap_err());
        match refusal {
            Reason::Overloaded => {
                refused.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
            Reason::InvalidCredentials | Reason::Unavailable => {}
            other => panic!("{other:?}"),
        }
    }
}
