//! What a broker is told at its start.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The settings of a broker; the default listens on a free port of 127.0.0.1 and lets guest in.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The one user.
    pub user: String,
    /// The user's password.
    pub password: String,
    /// The heartbeat interval proposed to clients; a client silent for two of them is dropped.
    pub heartbeat: Duration,
    /// Bytes of messages, with a flat charge for each, beyond which publishes are refused.
    pub memory_limit: usize,
    /// The largest message body, in bytes; a larger one closes the channel with 406.
    pub max_body: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            user: "guest".to_owned(),
            password: "guest".to_owned(),
            heartbeat: Duration::from_secs(60),
            memory_limit: 64 << 20,
            max_body: 16 << 20,
        }
    }
}
