//! Ports that nobody listens on.

use std::{
    net::{Ipv4Addr, TcpListener},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// Below the ports that Linux and macOS give to outgoing connections, any of which could take a
/// port between its being found and its being listened on.
const FIRST: u32 = 10_000;
const COUNT: u32 = 20_000;

/// A TCP port of 127.0.0.1 that was free a moment ago, and that this process gets only once.
///
/// # Panics
/// When the machine has no free port left.
#[must_use]
pub fn free_port() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    // Test processes that run at the same time look in different places.
    let start = process::id().wrapping_mul(211);
    let next = || start.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % COUNT + FIRST;
    let ports = (0..COUNT).map(|_| u16::try_from(next()).expect("the range is below 65536"));
    let mut free = ports.filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    free.next().expect("a free port on 127.0.0.1")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_free_port_can_be_listened_on() {
        TcpListener::bind((Ipv4Addr::LOCALHOST, free_port())).expect("the port is free");
    }

    #[test]
    fn no_port_is_given_twice() {
        let ports: HashSet<_> = (0..100).map(|_| free_port()).collect();
        assert_eq!(ports.len(), 100);
    }
}
