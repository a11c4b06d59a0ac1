//! A way to a server on which everything can be made to stand still.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// A way to a server. When it is shut, nothing is said on it any more and nothing is closed, as
/// behind a firewall that forgot its connections, and new ones wait. When it is open again, those
/// that waited and those to come are let through; the ones of before stay as they are.
#[derive(Debug)]
pub struct Gate {
    url: String,
    state: watch::Sender<State>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    is_shut: bool,
    /// How often it was shut: who came before the last time stands still.
    times: u32,
}

impl Gate {
    /// An open way to the server of this URL, of the form `scheme://user@address:port/path`.
    ///
    /// # Errors
    /// If the URL is none of these, or no port is free.
    pub async fn before(url: &str) -> Result<Self> {
        let (user, place) = url.rsplit_once('@').context("a URL without a user")?;
        let (address, path) = place.split_once('/').context("a URL without a path")?;
        let address: SocketAddr = address.parse().context("a URL without an IP address")?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("{user}@{}/{path}", listener.local_addr()?);
        let state = watch::Sender::new(State::default());
        tokio::spawn(let_through(listener, address, state.subscribe()));
        Ok(Self { url, state })
    }

    /// The URL of the server by this way.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on everything stands still.
    pub fn shut(&self) {
        self.state.send_modify(|state| *state = State { is_shut: true, times: state.times + 1 });
    }

    /// From now on everything that is new is let through.
    pub fn open(&self) {
        self.state.send_modify(|state| state.is_shut = false);
    }
}

async fn let_through(listener: TcpListener, address: SocketAddr, state: watch::Receiver<State>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let mut state = state.clone();
        tokio::spawn(async move {
            let State { times, .. } = *state.wait_for(|state| !state.is_shut).await.ok()?;
            let mut server = TcpStream::connect(address).await.ok()?;
            tokio::select! {
                // First, so that nothing is carried once it is shut.
                biased;
                shut = state.wait_for(|state| state.times != times) => { shut.ok()?; }
                _ = copy_bidirectional(&mut client, &mut server) => return None,
            }
            // Held until the test is over.
            std::future::pending::<Option<()>>().await
        });
    }
}
