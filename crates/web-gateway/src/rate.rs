//! How much one client may ask for, so that no one of them takes what all need.
//!
//! A bucket of tokens for each client: one for each request, filled at a rate, so that a burst is
//! allowed and a flood is not. Clients share 65536 buckets by a hash that nobody outside can
//! foresee: memory has a bound whatever addresses come, and two clients that fall into one bucket
//! by chance are a rare thing.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher as _, Hash},
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock as _};
use http::HeaderName;

use crate::{
    error::Error,
    metrics::{Endpoint, Status},
};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address at the other end of a request's connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// What one client may ask for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    /// Requests a second.
    pub(crate) rate: NonZeroU32,
    /// Requests at once.
    pub(crate) burst: NonZeroU32,
}

/// Buckets of tokens; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct RateLimit {
    buckets: Arc<DefaultKeyedRateLimiter<u16>>,
    hash: RandomState,
    /// Whether a proxy stands before the gateway, which says for whom it asks.
    behind_proxy: bool,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// Whoever has this address. An IPv6 network is one client, since it has addresses to spare.
    Address(IpAddr),
    /// Nobody knows.
    Unknown,
}

impl RateLimit {
    pub(crate) fn new(Allowance { rate, burst }: Allowance, behind_proxy: bool) -> Self {
        let buckets = Arc::new(RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst)));
        Self { buckets, hash: RandomState::new(), behind_proxy }
    }

    /// Takes a token of this client's; if there is none, says when there is one.
    fn take(&self, client: &Client) -> Result<(), Duration> {
        let bucket = self.hash.hash_one(client) as u16;
        let taken = self.buckets.check_key(&bucket);
        taken.map_err(|early| early.wait_time_from(self.buckets.clock().now()))
    }
}

/// Refuses what is more than a client may ask for; the gateway's own pages are free.
pub(crate) async fn limit(
    State(limit): State<RateLimit>,
    request: Request,
    next: Next,
) -> Result<Response, Error> {
    if is_limited(&request) {
        limit.take(&client(&request, limit.behind_proxy)).map_err(Error::RateLimited)?;
    }
    Ok(next.run(request).await)
}

fn is_limited(request: &Request) -> bool {
    let template = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let endpoint = Endpoint::of(request.method(), template);
    endpoint.statuses().contains(&Status::TooManyRequests)
}

/// Whoever a request is known to come from, before it says who it is.
pub(crate) fn client(request: &Request, behind_proxy: bool) -> Client {
    let forwarded = || {
        let said = request.headers().get_all(FORWARDED_FOR).iter().next_back()?;
        // The last one was added by the proxy; those before it are only claimed.
        said.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
    };
    let peer = || request.extensions().get::<Peer>().map(|Peer(address)| address.ip());
    let address = if behind_proxy { forwarded().or_else(peer) } else { peer() };
    address.map_or(Client::Unknown, |address| Client::Address(network(address)))
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn asked(peer: &str, forwarded: &[&str]) -> Request {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(Peer(peer.parse().unwrap()));
        for said in forwarded {
            request.headers_mut().append(FORWARDED_FOR, said.parse().unwrap());
        }
        request
    }

    fn address(text: &str) -> Client {
        Client::Address(text.parse().unwrap())
    }

    #[test]
    fn a_client_is_who_it_is_and_not_who_it_says() {
        let request = asked("192.0.2.1:1000", &["198.51.100.7"]);
        assert_eq!(client(&request, false), address("192.0.2.1"));
        assert_eq!(client(&request, true), address("198.51.100.7"));
        let request = asked("192.0.2.1:1000", &["203.0.113.9", "203.0.113.9, 198.51.100.7"]);
        assert_eq!(client(&request, true), address("198.51.100.7"), "the proxy's word");
        for odd in [&["unknown"][..], &[]] {
            assert_eq!(client(&asked("192.0.2.1:1000", odd), true), address("192.0.2.1"));
        }
        assert_eq!(client(&Request::new(Body::empty()), false), Client::Unknown);
    }

    #[test]
    fn a_network_is_one_client() {
        let (one, other) = ("[2001:db8:1:2:aaaa::1]:80", "[2001:db8:1:2:bbbb::2]:80");
        let next = asked("[2001:db8:1:3::1]:80", &[]);
        let (one, other) = (client(&asked(one, &[]), false), client(&asked(other, &[]), false));
        assert_eq!(one, other);
        assert_ne!(one, client(&next, false));
        let mapped = asked("[::ffff:192.0.2.1]:80", &[]);
        assert_eq!(client(&mapped, false), address("192.0.2.1"));
    }

    #[test]
    fn a_burst_is_allowed_a_flood_is_not_and_others_are_not_harmed() {
        let number = |number| NonZeroU32::new(number).unwrap();
        let limit = RateLimit::new(Allowance { rate: number(1), burst: number(5) }, false);
        let (flooding, other) = (address("192.0.2.1"), address("192.0.2.2"));
        let passed = (0..100).filter(|_| limit.take(&flooding).is_ok()).count();
        assert_eq!(passed, 5);
        let wait = limit.take(&flooding).unwrap_err();
        assert!(wait > Duration::from_millis(500) && wait <= Duration::from_secs(1), "{wait:?}");
        assert!(limit.take(&other).is_ok());
    }

    #[test]
    fn any_number_of_clients_fits() {
        let number = |number| NonZeroU32::new(number).unwrap();
        let limit = RateLimit::new(Allowance { rate: number(1), burst: number(100_000) }, false);
        for bits in 0..200_000_u32 {
            limit.take(&Client::Address(std::net::Ipv4Addr::from_bits(bits).into())).unwrap();
        }
        assert!(limit.buckets.len() <= 65_536);
    }
}
