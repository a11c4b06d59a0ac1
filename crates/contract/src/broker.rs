//! Connecting to the broker.

use lapin::{Connection, ConnectionProperties, uri::AMQPUri};
use tokio::net::TcpStream;

/// Connects to the broker at `uri`.
///
/// A broker that cannot be reached is found out first, because lapin (4.12) leaves two tasks behind
/// for every connection that is refused, and services try again for as long as it is away.
///
/// # Errors
/// If nobody listens there, or the broker does not let us in.
pub async fn connect(uri: AMQPUri, properties: ConnectionProperties) -> lapin::Result<Connection> {
    drop(TcpStream::connect((uri.authority.host.as_str(), uri.authority.port)).await?);
    Connection::connect_uri(uri, properties).await
}
