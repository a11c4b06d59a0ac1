//! The way to a service that may run more than once: each call goes to one of its replicas.
//!
//! Its hosts are looked up again and again. Each of their addresses has a connection of its own, is
//! asked for its health once a second, and is called only while it says that it serves; if none
//! does, all are tried, so that a call finds out by itself and soon. Of two replicas chosen at
//! random, a call goes to the one with less in hand.
//!
//! tonic can balance too, but it makes the connections itself, so that nobody can count their
//! bytes, prefers an address where nobody answers, since it fails so quickly, and lets calls wait
//! for as long as it knows no address.

use std::{
    collections::{BTreeSet, HashMap},
    error::Error,
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use instrumentation::{
    metrics::LabelSet,
    net::{Metered, Metrics},
    rpc::is_too_late,
};
use rand::seq::IndexedRandom as _;
use tokio::{
    net::{TcpStream, lookup_host},
    sync::{Notify, watch},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;
use tonic::{
    ConnectError,
    body::Body,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tower::{BoxError, Service, ServiceExt as _, service_fn};

use crate::urls::Urls;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// For how long after a failure no new connection is tried.
///
/// Calls wait in line while one is being made; without this, each would wait out its own.
const CONNECT_PAUSE: Duration = Duration::from_millis(100);
/// How often a silent peer is asked whether it is there, and how long it has to answer.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(2));
/// How often the host is looked up while all is well.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(2);
/// How often a replica is asked for its health, and how long it has to answer.
const HEALTH_CHECK: (Duration, Duration) = (Duration::from_secs(1), Duration::from_millis(800));

/// The replicas of a service, called as if they were one; its clones are the same.
#[derive(Clone, Debug)]
pub struct Balanced {
    /// Nothing before the hosts were looked up for the first time.
    replicas: watch::Receiver<Option<Vec<Arc<Replica>>>>,
    /// Says that a replica was lost, so that the hosts are looked up at once.
    lost: Arc<Notify>,
}

/// One of the addresses of the service.
struct Replica {
    address: SocketAddr,
    channel: Channel,
    health: AtomicU8,
    /// Calls that wait for their answer.
    in_hand: AtomicUsize,
}

/// What is known of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Health {
    /// Nothing yet.
    Unknown,
    /// It answers, and serves.
    Up,
    /// It does not.
    Down,
}

impl Balanced {
    /// The replicas behind these URLs, whose `service` is asked for its health; connections are
    /// counted as those to `peer`.
    ///
    /// Must be called inside a runtime; what it needs ends with the last clone.
    pub fn new<P: LabelSet>(
        urls: &Urls,
        service: &'static str,
        peer: P,
        network: Metrics<P>,
    ) -> Self {
        let (origin, hosts) = (urls.first().clone(), Arc::from(urls.hosts()));
        let look_up = move || look_up(Arc::clone(&hosts));
        let connect = move |address| connect(&origin, address, peer, network.clone());
        Self::over(look_up, connect, service)
    }

    fn over<L, F, C>(look_up: L, connect: C, service: &'static str) -> Self
    where
        L: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = BTreeSet<SocketAddr>> + Send + 'static,
        C: Fn(SocketAddr) -> Channel + Send + Sync + 'static,
    {
        let (sender, replicas) = watch::channel(None);
        let lost = Arc::new(Notify::new());
        let lookout = Lookout { look_up, connect, service, replicas: Arc::new(sender) };
        tokio::spawn(lookout.run(Arc::clone(&lost)));
        Self { replicas, lost }
    }

    /// The replica for a call; waits for the first look-up, and for the first word of a replica if
    /// there is no other, neither for long.
    async fn pick(&self) -> Result<Arc<Replica>, ConnectError> {
        let mut replicas = self.replicas.clone();
        let known = replicas.wait_for(|replicas| replicas.as_deref().is_some_and(is_clear));
        let found = match timeout(CONNECT_TIMEOUT, known).await {
            Ok(Ok(replicas)) => replicas.as_deref().and_then(choose),
            Ok(Err(_)) | Err(_) => self.replicas.borrow().as_deref().and_then(choose),
        };
        found.ok_or_else(|| ConnectError("no address is known".into()))
    }
}

impl Service<Request<Body>> for Balanced {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let replica = this.pick().await?;
            let answer = replica.call(request).await;
            if let Err(error) = &answer
                && !is_too_late(error)
            {
                replica.set(Health::Down);
                this.lost.notify_one();
            }
            Ok(answer?)
        })
    }
}

/// Whether a request surely never left this process, so that repeating it does nothing twice.
pub fn was_never_sent(error: &(dyn Error + 'static)) -> bool {
    error.is::<ConnectError>() || error.source().is_some_and(was_never_sent)
}

/// Whether enough is known of the replicas to choose one.
fn is_clear(replicas: &[Arc<Replica>]) -> bool {
    let knows = |health| replicas.iter().any(|replica| replica.health() == health);
    replicas.len() < 2 || knows(Health::Up) || !knows(Health::Unknown)
}

/// The less busy one of two, of those that serve if any does.
fn choose(replicas: &[Arc<Replica>]) -> Option<Arc<Replica>> {
    let serving = replicas.iter().filter(|replica| replica.health() == Health::Up);
    let mut candidates: Vec<_> = serving.collect();
    if candidates.is_empty() {
        candidates = replicas.iter().collect();
    }
    let two = candidates.sample(&mut rand::rng(), 2);
    let less = two.min_by_key(|replica| replica.in_hand.load(Ordering::Relaxed))?;
    Some(Arc::clone(less))
}

impl Replica {
    async fn call(
        &self,
        request: Request<Body>,
    ) -> Result<Response<Body>, tonic::transport::Error> {
        struct InHand<'a>(&'a AtomicUsize);
        impl Drop for InHand<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.in_hand.fetch_add(1, Ordering::Relaxed);
        let _in_hand = InHand(&self.in_hand);
        self.channel.clone().oneshot(request).await
    }

    fn health(&self) -> Health {
        match self.health.load(Ordering::Relaxed) {
            0 => Health::Unknown,
            1 => Health::Up,
            _ => Health::Down,
        }
    }

    fn set(&self, health: Health) {
        self.health.store(health as u8, Ordering::Relaxed);
    }

    /// Asks it, again and again, whether it serves.
    async fn watch(self: Arc<Self>, service: &'static str, changed: impl Fn()) {
        let (every, patience) = HEALTH_CHECK;
        let mut client = HealthClient::new(self.channel.clone());
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let question = HealthCheckRequest { service: service.to_owned() };
            let health = match timeout(patience, client.check(question)).await {
                Ok(Ok(answer)) if answer.get_ref().status() == ServingStatus::Serving => Health::Up,
                Ok(Ok(_)) => Health::Down,
                // It has no word for health, but it is there.
                Ok(Err(status)) if status.source().is_none() => Health::Up,
                Ok(Err(_)) | Err(_) => Health::Down,
            };
            if self.health() != health {
                tracing::debug!(address = %self.address, ?health, "replica");
                self.set(health);
                changed();
            }
        }
    }
}

impl fmt::Debug for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.address, self.health())
    }
}

/// Keeps the list of replicas up to date.
struct Lookout<L, C> {
    look_up: L,
    connect: C,
    service: &'static str,
    replicas: Arc<Replicas>,
}

/// The list; nothing before the hosts were looked up for the first time.
type Replicas = watch::Sender<Option<Vec<Arc<Replica>>>>;

/// Those who watch each replica, for as long as it is one.
type Watches = HashMap<SocketAddr, AbortOnDropHandle<()>>;

impl<L, F, C> Lookout<L, C>
where
    L: Fn() -> F,
    F: Future<Output = BTreeSet<SocketAddr>>,
    C: Fn(SocketAddr) -> Channel,
{
    async fn run(self, lost: Arc<Notify>) {
        let mut watches = Watches::new();
        loop {
            // While nobody can say, the addresses of before are kept: it may be the one who is
            // asked that is away.
            let found = (self.look_up)().await;
            if !found.is_empty() || self.replicas.borrow().is_none() {
                self.update(&found, &mut watches);
            }
            tokio::select! {
                () = sleep(LOOKUP_INTERVAL) => {}
                () = lost.notified() => sleep(CONNECT_PAUSE).await,
                () = self.replicas.closed() => return,
            }
        }
    }

    fn update(&self, found: &BTreeSet<SocketAddr>, watches: &mut Watches) {
        let mut replicas = self.replicas.borrow().clone().unwrap_or_default();
        replicas.retain(|replica| found.contains(&replica.address));
        watches.retain(|address, _| found.contains(address));
        for address in found {
            if !watches.contains_key(address) {
                let replica = self.begin(*address);
                let watch = Arc::clone(&replica).watch(self.service, announcer(&self.replicas));
                watches.insert(*address, AbortOnDropHandle::new(tokio::spawn(watch)));
                replicas.push(replica);
            }
        }
        self.replicas.send_replace(Some(replicas));
    }

    fn begin(&self, address: SocketAddr) -> Arc<Replica> {
        Arc::new(Replica {
            address,
            channel: (self.connect)(address),
            health: AtomicU8::new(Health::Unknown as u8),
            in_hand: AtomicUsize::new(0),
        })
    }
}

/// Tells those who wait that more is known of a replica; nobody, if nobody can wait any more.
fn announcer(replicas: &Arc<Replicas>) -> impl Fn() + use<> {
    let replicas = Arc::downgrade(replicas);
    move || {
        if let Some(replicas) = replicas.upgrade() {
            replicas.send_modify(|_| {});
        }
    }
}

/// The addresses of all hosts; one of which nobody can say anything has none.
async fn look_up(hosts: Arc<[(String, u16)]>) -> BTreeSet<SocketAddr> {
    let mut found = BTreeSet::new();
    for (host, port) in hosts.iter() {
        if let Ok(addresses) = lookup_host((host.as_str(), *port)).await {
            found.extend(addresses);
        }
    }
    found
}

/// A channel to one address that is not connected before its first call; calls name the `origin`.
fn connect<P: LabelSet>(
    origin: &Uri,
    address: SocketAddr,
    peer: P,
    network: Metrics<P>,
) -> Channel {
    let (interval, patience) = KEEP_ALIVE;
    let failed = Arc::new(Mutex::new(None));
    let connector = service_fn(move |address: Uri| {
        let (network, failed) = (network.clone(), Arc::clone(&failed));
        async move { dial(&address, peer, network, &failed).await.map(TokioIo::new) }
    });
    let address = format!("http://{address}").parse::<Uri>();
    Endpoint::from(address.expect("an address can stand in a URI"))
        .origin(origin.clone())
        .http2_keep_alive_interval(interval)
        .keep_alive_timeout(patience)
        .keep_alive_while_idle(true)
        .connect_with_connector_lazy(connector)
}

async fn dial<P: LabelSet>(
    address: &Uri,
    peer: P,
    network: Metrics<P>,
    failed: &Mutex<Option<(Instant, io::ErrorKind)>>,
) -> io::Result<Metered<TcpStream>> {
    let last = *failed.lock().expect("no holder of the lock panics");
    if let Some((when, kind)) = last
        && when.elapsed() < CONNECT_PAUSE
    {
        return Err(kind.into());
    }
    let connected = timeout(CONNECT_TIMEOUT, network.dial(peer, address)).await;
    let connected = connected.unwrap_or_else(|_| {
        Err(io::Error::new(io::ErrorKind::TimedOut, "no connection within a second"))
    });
    let failure = connected.as_ref().err().map(|error| (Instant::now(), error.kind()));
    *failed.lock().expect("no holder of the lock panics") = failure;
    connected
}

#[cfg(test)]
mod tests {
    use std::{future::ready, sync::Mutex};

    use instrumentation::metrics::Registry;
    use testbed::{eventually, free_port};
    use tokio::runtime::{Builder, Runtime};
    use tonic::transport::Server;
    use tonic_health::{ServingStatus as Status, server::HealthReporter};

    use super::*;

    instrumentation::label! {
        /// The other end of the test's connections.
        enum Peer as "peer" {
            /// One that is called.
            Shop = "shop",
        }
    }

    const SHOP: &str = "shop";
    const SOON: Duration = Duration::from_secs(30);

    /// A server that knows a service by this name, so that a call tells who answered.
    struct Known {
        name: &'static str,
        address: SocketAddr,
        reporter: HealthReporter,
        /// Of its own, so that its connections die with it.
        runtime: Option<Runtime>,
    }

    impl Known {
        async fn start(name: &'static str) -> Self {
            Self::start_at(name, free_address()).await
        }

        async fn start_at(name: &'static str, address: SocketAddr) -> Self {
            let (reporter, health) = tonic_health::server::health_reporter();
            for service in [SHOP, name] {
                reporter.set_service_status(service, Status::Serving).await;
            }
            let server = Server::builder().add_service(health);
            let runtime =
                Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            runtime.spawn(async move { server.serve(address).await.unwrap() });
            eventually(SOON, "a server", async || TcpStream::connect(address).await.ok()).await;
            Self { name, address, reporter, runtime: Some(runtime) }
        }
    }

    impl Drop for Known {
        fn drop(&mut self) {
            self.runtime.take().unwrap().shutdown_background();
        }
    }

    /// Whoever is at the addresses of the moment, and the way to change them.
    fn replicas(addresses: &[SocketAddr]) -> (Balanced, Arc<Mutex<Vec<SocketAddr>>>) {
        let registry = Registry::new("test", &[Metrics::<Peer>::CATALOGUE]);
        let network = Metrics::<Peer>::register(&registry);
        let addresses = Arc::new(Mutex::new(addresses.to_vec()));
        let known = Arc::clone(&addresses);
        let look_up = move || ready(known.lock().unwrap().iter().copied().collect());
        let origin = Uri::from_static("http://shop:50051");
        let connect = move |address| connect(&origin, address, Peer::Shop, network.clone());
        (Balanced::over(look_up, connect, SHOP), addresses)
    }

    /// Whether a call of this service was answered by somebody who knows it.
    async fn answers(replicas: &Balanced, name: &str) -> Result<bool, tonic::Status> {
        let request = HealthCheckRequest { service: name.to_owned() };
        match HealthClient::new(replicas.clone()).check(request).await {
            Ok(_) => Ok(true),
            Err(status) if status.code() == tonic::Code::NotFound => Ok(false),
            Err(status) => Err(status),
        }
    }

    /// How many of a hundred calls this server has answered.
    async fn share(replicas: &Balanced, server: &Known) -> u32 {
        let mut share = 0;
        for _ in 0..100 {
            share += u32::from(answers(replicas, server.name).await.unwrap());
        }
        share
    }

    fn free_address() -> SocketAddr {
        ([127, 0, 0, 1], free_port()).into()
    }

    #[tokio::test]
    async fn calls_are_shared_by_all_who_serve() {
        let (ada, bob) = (Known::start("ada").await, Known::start("bob").await);
        let (replicas, _) = replicas(&[ada.address, bob.address]);
        eventually(SOON, "both serve", async || {
            let known = replicas.replicas.borrow().clone()?;
            known.iter().all(|replica| replica.health() == Health::Up).then_some(())
        })
        .await;
        let share = share(&replicas, &ada).await;
        assert!((20..=80).contains(&share), "{share} of 100");
    }

    #[tokio::test]
    async fn all_urls_lead_to_replicas_and_one_that_leads_nowhere_does_no_harm() {
        let (ada, bob) = (Known::start("ada").await, Known::start("bob").await);
        let nobody = free_address();
        let urls = format!("http://{},http://{nobody},http://{}", ada.address, bob.address);
        let registry = Registry::new("test", &[Metrics::<Peer>::CATALOGUE]);
        let network = Metrics::<Peer>::register(&registry);
        let replicas = Balanced::new(&urls.parse().unwrap(), SHOP, Peer::Shop, network);
        for name in [ada.name, bob.name] {
            eventually(SOON, name, async || {
                answers(&replicas, name).await.is_ok_and(|known| known).then_some(())
            })
            .await;
        }
    }

    #[tokio::test]
    async fn an_address_where_nobody_answers_is_not_called() {
        let ada = Known::start("ada").await;
        let (replicas, _) = replicas(&[free_address(), ada.address, free_address()]);
        assert_eq!(share(&replicas, &ada).await, 100, "from the first call on");
    }

    #[tokio::test]
    async fn one_that_does_not_serve_is_not_called_while_another_does() {
        let (ada, bob) = (Known::start("ada").await, Known::start("bob").await);
        let (replicas, _) = replicas(&[ada.address, bob.address]);
        ada.reporter.set_service_status(SHOP, Status::NotServing).await;
        eventually(SOON, "only bob answers", async || {
            (share(&replicas, &bob).await == 100).then_some(())
        })
        .await;
        bob.reporter.set_service_status(SHOP, Status::NotServing).await;
        eventually(SOON, "both are tried", async || {
            (1..100).contains(&share(&replicas, &ada).await).then_some(())
        })
        .await;
    }

    #[tokio::test]
    async fn one_that_dies_is_missed_once_and_used_again_when_it_is_back() {
        let (ada, bob) = (Known::start("ada").await, Known::start("bob").await);
        let (replicas, _) = replicas(&[ada.address, bob.address]);
        share(&replicas, &ada).await;
        let address = ada.address;
        drop(ada);
        let mut missed = 0;
        for _ in 0..100 {
            missed += u32::from(answers(&replicas, bob.name).await.is_err());
        }
        assert!(missed <= 2, "{missed} calls missed it");

        let _ada = Known::start_at("ada", address).await;
        eventually(SOON, "it is used again", async || {
            answers(&replicas, "ada").await.is_ok_and(|known| known).then_some(())
        })
        .await;
    }

    #[tokio::test]
    async fn who_comes_is_called_and_who_goes_is_not() {
        let (ada, bob) = (Known::start("ada").await, Known::start("bob").await);
        let (replicas, addresses) = replicas(&[ada.address]);
        assert_eq!(share(&replicas, &ada).await, 100);
        addresses.lock().unwrap().push(bob.address);
        eventually(SOON, "bob is found", async || {
            answers(&replicas, "bob").await.unwrap().then_some(())
        })
        .await;
        addresses.lock().unwrap().remove(0);
        eventually(SOON, "ada is left", async || {
            (share(&replicas, &bob).await == 100).then_some(())
        })
        .await;
        addresses.lock().unwrap().clear();
        tokio::time::sleep(LOOKUP_INTERVAL).await;
        assert_eq!(share(&replicas, &bob).await, 100, "nobody can say where it is");
    }

    #[tokio::test]
    async fn a_call_to_nobody_fails_at_once_and_surely_was_not_sent() {
        for nobody in [vec![], vec![free_address()]] {
            let (replicas, _) = replicas(&nobody);
            let started = Instant::now();
            let failed = answers(&replicas, "ada").await.unwrap_err();
            assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
            assert!(was_never_sent(&failed), "{failed:?}");
        }
        assert!(!was_never_sent(&tonic::Status::unavailable("who knows")));
    }

    #[tokio::test]
    async fn of_two_the_one_with_less_in_hand_is_called() {
        let registry = Registry::new("test", &[Metrics::<Peer>::CATALOGUE]);
        let network = Metrics::<Peer>::register(&registry);
        let replica = |port: u16, health, in_hand| {
            let (address, origin) = (([127, 0, 0, 1], port).into(), "http://shop".parse().unwrap());
            Arc::new(Replica {
                address,
                channel: connect(&origin, address, Peer::Shop, network.clone()),
                health: AtomicU8::new(health as u8),
                in_hand: AtomicUsize::new(in_hand),
            })
        };
        let chosen = |replicas: &[Arc<Replica>]| {
            let mut ports: Vec<_> =
                (0..200).map(|_| choose(replicas).unwrap().address.port()).collect();
            ports.sort_unstable();
            ports.dedup();
            ports
        };
        let (idle, busy) = (replica(1, Health::Up, 0), replica(2, Health::Up, 9));
        let down = replica(3, Health::Down, 0);
        assert_eq!(chosen(&[idle.clone(), busy.clone(), down.clone()]), [1]);
        assert_eq!(chosen(&[idle, busy, replica(4, Health::Up, 5)]), [1, 4], "never the busiest");
        assert_eq!(chosen(&[down, replica(5, Health::Down, 0)]), [3, 5], "there is no other");
        assert_eq!(choose(&[]).map(|replica| replica.address), None);
    }
}
