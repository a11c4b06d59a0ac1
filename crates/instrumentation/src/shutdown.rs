//! SIGTERM and Ctrl-C as a token.

use tokio::signal;
use tokio_util::sync::CancellationToken;

/// A token that is canceled by the first SIGTERM or Ctrl-C; a second one ends the process.
pub fn on_signal() -> CancellationToken {
    let token = CancellationToken::new();
    let canceled = token.clone();
    // From now on, and not from when the task first runs.
    let asked = asked_to_stop();
    tokio::spawn(async move {
        asked.await;
        canceled.cancel();
        asked_to_stop().await;
        crate::logs::flush();
        std::process::exit(130);
    });
    token
}

#[cfg(unix)]
fn asked_to_stop() -> impl Future<Output = ()> {
    use signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).expect("a runtime with IO can listen to signals");
    let mut terminate = listen(SignalKind::terminate());
    let mut interrupt = listen(SignalKind::interrupt());
    async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
async fn asked_to_stop() {
    signal::ctrl_c().await.expect("a runtime with IO can listen to signals");
}
