//! Idempotency keys are forgotten by the service itself, and not before their time.

use testbed::eventually;

use crate::{
    database::{new_order, sqlite, with_key},
    shop::{SOON, Shop},
};

const NOBODY: &str = "amqp://guest:guest@127.0.0.1:1/%2f";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_forgets_keys_when_their_time_is_over() {
    let db = sqlite().await;
    for key in ["old", "young"] {
        let unknown = with_key(key, new_order("ada", &[("UNICORN", 1)]));
        db.store.place(&unknown).await.unwrap_err();
    }
    db.change(
        "UPDATE idempotency_keys SET created_at =
             strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now', CASE key WHEN 'old' THEN '-61 minutes'
                                                                 ELSE '-59 minutes' END)",
    )
    .await;
    let settings = ["--idempotency-retention=1h"];
    let shop = Shop::start_with(&settings, &db.url, NOBODY, tempfile::tempdir().unwrap()).await;
    eventually(SOON, "one key less", async || {
        (db.number("SELECT COUNT(*) FROM idempotency_keys").await == 1).then_some(())
    })
    .await;
    assert_eq!(db.number("SELECT COUNT(*) FROM idempotency_keys WHERE key = 'young'").await, 1);
    shop.finish().await;
}
