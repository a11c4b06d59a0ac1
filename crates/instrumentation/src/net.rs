//! Connections in and out, and the bytes that go through them.
//!
//! A service says whom it is connected to with a label `peer`, and wraps each connection that it
//! accepts or makes. Bytes are those that the socket took or gave: HTTP with its headers, HTTP/2
//! with its frames and pings. Not counted are the side port, whose connections are machines', and
//! the connections to the database and the broker, whose drivers make them themselves.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use http::Uri;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tonic::transport::server::Connected;

use crate::metrics::{Held, LabelSet};

crate::metrics! {
    /// What a service measures of its connections.
    pub struct Metrics<Peer> {
        /// Connections that are open.
        network_connections_open: Gauge<Peer>, Count;
        /// Connections opened: accepted from clients, made to others.
        network_connections_total: Counter<Peer>, Count;
        /// Bytes received over connections.
        network_receive_bytes_total: Counter<Peer>, Bytes;
        /// Bytes sent over connections.
        network_transmit_bytes_total: Counter<Peer>, Bytes;
    }
}

impl<Peer: LabelSet> Metrics<Peer> {
    /// Counts a connection that was just opened, for as long as it is open, and its bytes.
    pub fn meter<S>(&self, peer: Peer, stream: S) -> Metered<S> {
        self.network_connections_total.with(peer).increment(1);
        Metered {
            stream,
            received: self.network_receive_bytes_total.with(peer).clone(),
            sent: self.network_transmit_bytes_total.with(peer).clone(),
            _open: self.network_connections_open.hold(peer),
        }
    }

    /// Connects to the host and port of a URI, to port 80 if it has none.
    ///
    /// # Errors
    /// If nobody answers there.
    pub async fn dial(&self, peer: Peer, uri: &Uri) -> io::Result<Metered<TcpStream>> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(80))).await?;
        // Small calls must not wait for the acknowledgment of the ones before.
        stream.set_nodelay(true)?;
        Ok(self.meter(peer, stream))
    }
}

/// A connection that is counted.
#[derive(Debug)]
pub struct Metered<S> {
    stream: S,
    received: metrics::Counter,
    sent: metrics::Counter,
    _open: Held,
}

impl<S> Metered<S> {
    fn count_sent(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = written {
            self.sent.increment(bytes as u64);
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let bytes = buffer.filled().len() - before;
        if bytes > 0 {
            self.received.increment(bytes as u64);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.count_sent(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.count_sent(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: Connected> Connected for Metered<S> {
    type ConnectInfo = S::ConnectInfo;

    fn connect_info(&self) -> S::ConnectInfo {
        self.stream.connect_info()
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::metrics::Registry;

    crate::label! {
        /// The other end of the test's connections.
        enum Peer as "peer" {
            /// Those who call.
            Clients = "clients",
            /// One that is called.
            Shop = "shop",
        }
    }

    fn value(registry: &Registry, series: &str) -> f64 {
        let text = registry.render();
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.unwrap_or_else(|| panic!("there is no {series}")).trim().parse().unwrap()
    }

    #[tokio::test]
    async fn both_ends_count_every_byte_and_the_connection_until_it_is_dropped() {
        let registry = Registry::new("test", &[Metrics::<Peer>::CATALOGUE]);
        let network = Metrics::<Peer>::register(&registry);
        let count = |name: &str, peer: &str| {
            value(&registry, &format!("network_{name}{{peer=\"{peer}\"}}"))
        };
        assert_eq!(count("connections_open", "shop"), 0.0);

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let mut client = network.dial(Peer::Shop, &uri).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let mut server = network.meter(Peer::Clients, stream);
        for peer in ["clients", "shop"] {
            assert_eq!(count("connections_open", peer), 1.0);
            assert_eq!(count("connections_total", peer), 1.0);
        }

        assert!(client.is_write_vectored(), "hyper would copy what it sends");
        let slices = [IoSlice::new(b"one "), IoSlice::new(b"order")];
        assert_eq!(client.write_vectored(&slices).await.unwrap(), 9);
        client.shutdown().await.unwrap();
        let mut asked = String::new();
        server.read_to_string(&mut asked).await.unwrap();
        assert_eq!(asked, "one order");
        server.write_all(b"placed").await.unwrap();
        drop(server);
        let mut answered = String::new();
        client.read_to_string(&mut answered).await.unwrap();
        assert_eq!(answered, "placed");

        assert_eq!(count("transmit_bytes_total", "shop"), 9.0);
        assert_eq!(count("receive_bytes_total", "clients"), 9.0);
        assert_eq!(count("transmit_bytes_total", "clients"), 6.0);
        assert_eq!(count("receive_bytes_total", "shop"), 6.0);
        assert_eq!(count("connections_open", "clients"), 0.0, "it was dropped");
        assert_eq!(count("connections_open", "shop"), 1.0);
        drop(client);
        assert_eq!(count("connections_open", "shop"), 0.0);
        assert_eq!(count("connections_total", "shop"), 1.0);
    }

    #[tokio::test]
    async fn a_connection_that_does_not_come_to_be_is_not_counted() {
        let registry = Registry::new("test", &[Metrics::<Peer>::CATALOGUE]);
        let network = Metrics::<Peer>::register(&registry);
        // A port that was free a moment ago.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        drop(listener);
        assert!(network.dial(Peer::Shop, &uri).await.is_err());
        assert_eq!(value(&registry, "network_connections_total{peer=\"shop\"}"), 0.0);
    }
}
