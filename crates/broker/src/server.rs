//! The broker as its process sees it: bound, run, watched and disturbed.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use amq_protocol::types::ShortString;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::connection::serve;
use crate::error::Error;
use crate::expiry::keep_time;
use crate::state::State;
use crate::stats::{QueueStats, Stats};

/// How long to leave a listener alone that cannot accept, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the tasks of a broker share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    /// Why publishers are blocked, while they are.
    pub(crate) blocked: watch::Sender<Option<ShortString>>,
    state: Mutex<State>,
    /// Tells the timer to look again.
    pub(crate) wake: Arc<Notify>,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic is a bug, but not one that takes the other connections with it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A broker that listens; [`Broker::run`] makes it answer.
#[derive(Debug)]
pub struct Broker {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Broker {
    /// Listens where `config` says.
    ///
    /// # Errors
    /// When the address is taken or cannot be had.
    pub async fn bind(config: Config) -> Result<Self, Error> {
        let address = config.listen;
        let failed = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let wake = Arc::new(Notify::new());
        let state = Mutex::new(State::new(&config, Arc::clone(&wake)));
        let (blocked, _) = watch::channel(None);
        let shared = Arc::new(Shared { config, blocked, state, wake });
        Ok(Self { listener, address, shared })
    }

    /// Where it listens, with the port that was taken.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// A way to watch and disturb it while it runs.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle { shared: Arc::clone(&self.shared) }
    }

    /// Serves clients until `shutdown`, then closes their connections with 320 and returns when
    /// they have agreed or a few seconds have passed. What it held is gone then.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut connections = JoinSet::new();
        {
            let clock = keep_time(&self.shared);
            tokio::pin!(clock);
            loop {
                tokio::select! {
                    accepted = self.listener.accept() => match accepted {
                        Ok((stream, _)) => {
                            let shared = Arc::clone(&self.shared);
                            connections.spawn(serve(stream, shared, shutdown.clone()));
                        }
                        Err(error) => {
                            tracing::warn!(%error, "cannot accept a connection");
                            sleep(ACCEPT_PAUSE).await;
                        }
                    },
                    Some(_) = connections.join_next() => {}
                    () = &mut clock => {}
                    () = shutdown.cancelled() => break,
                }
            }
        }
        drop(self.listener);
        connections.join_all().await;
    }
}

/// Watches and disturbs a broker; works as long as the broker does.
#[derive(Debug, Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    /// The queues, by name.
    #[must_use]
    pub fn queue_stats(&self) -> Vec<QueueStats> {
        self.shared.lock().queue_stats()
    }

    /// The broker as a whole.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.lock().stats()
    }

    /// Cuts every connection without a word, as a crash of the network would; clients may return
    /// at once. Gives the number of connections.
    pub fn close_connections(&self) -> usize {
        let state = self.shared.lock();
        for session in state.sessions.values() {
            session.cut.cancel();
        }
        state.sessions.len()
    }

    /// Blocks publishers until [`Handle::unblock`]: each is told `connection.blocked` at its next
    /// message, and no more is read from it. Consumers on other connections go on.
    pub fn block(&self, reason: &str) {
        let reason = &reason[..reason.floor_char_boundary(255)];
        self.shared.blocked.send_replace(Some(reason.into()));
    }

    /// Lets publishers go on.
    pub fn unblock(&self) {
        self.shared.blocked.send_replace(None);
    }
}
