//! The line between the gateway and order-api, which can be cut and can go dead.

use std::{net::Ipv4Addr, sync::Arc};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// A relay between two ports.
pub(crate) struct Line {
    port: u16,
    pub(crate) to: u16,
    relay: Option<JoinHandle<()>>,
    /// Changes when the connections of the moment go dead.
    dead: Arc<watch::Sender<()>>,
}

impl Line {
    /// A line from `port` to `to` that is not up yet.
    pub(crate) fn new(port: u16, to: u16) -> Self {
        Self { port, to, relay: None, dead: Arc::new(watch::Sender::new(())) }
    }

    /// New connections can be made from now on.
    pub(crate) async fn up(&mut self) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await.unwrap();
        let (to, dead) = (self.to, Arc::clone(&self.dead));
        self.relay = Some(tokio::spawn(async move {
            // Dropped with the relay, and every connection with it.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                connections.spawn(relay(near, to, dead.subscribe()));
            }
        }));
    }

    /// Every connection breaks and none can be made, as when a process is killed.
    pub(crate) async fn cut(&mut self) {
        let Some(relay) = self.relay.take() else { return };
        relay.abort();
        let _ = relay.await;
    }

    /// Every connection stays open and carries nothing, as when a machine vanishes; new ones can
    /// be made.
    pub(crate) fn die(&self) {
        self.dead.send_replace(());
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.relay.iter().for_each(JoinHandle::abort);
    }
}

async fn relay(mut near: TcpStream, to: u16, mut dead: watch::Receiver<()>) {
    let Ok(mut far) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await else { return };
    let died = tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => false,
        _ = dead.changed() => true,
    };
    if died {
        std::future::pending::<()>().await;
    }
}
