//! SIGTERM and Ctrl-C as a token.

use tokio::signal;
use tokio_util::sync::CancellationToken;

/// A token that is canceled by the first SIGTERM or Ctrl-C; a second one ends the process.
pub fn on_signal() -> CancellationToken {
    let token = CancellationToken::new();
    let canceled = token.clone();
    tokio::spawn(async move {
        asked_to_stop().await;
        canceled.cancel();
        asked_to_stop().await;
        std::process::exit(130);
    });
    token
}

#[cfg(unix)]
async fn asked_to_stop() {
    use signal::unix::{SignalKind, signal};
    let mut terminate =
        signal(SignalKind::terminate()).expect("a runtime with IO can listen to signals");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = signal::ctrl_c() => {}
    }
}

#[cfg(not(unix))]
async fn asked_to_stop() {
    signal::ctrl_c().await.expect("a runtime with IO can listen to signals");
}
