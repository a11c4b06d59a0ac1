//! How order-api is called: not too much at once, again if that does no harm, and not at all while
//! it fails.
//!
//! From the outside in: a request waits for its slot; each of its attempts must be admitted by the
//! circuit breaker, and is awaited no longer than the request's deadline; one that failed by chance
//! is made again after a moment, if the retry budget allows it.

use std::{error::Error as _, sync::Arc, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder, Retryable as _};
use contract::refusal::Reason;
use instrumentation::{
    rpc::{Method, RequestMetrics},
    settings::Live,
};
use resilience::{
    Breaker, Bulkhead, RetryBudget,
    balance::was_never_sent,
    breaker::{Open, Permit},
};
use tokio::time::timeout;
use tonic::{Code, Request, Response, Status};

use crate::{deadline::Deadline, error::Error};

/// The wait before a second attempt, doubled for the third; up to as much again by chance.
const FIRST_WAIT: Duration = Duration::from_millis(25);
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// A call that had less time than this and was too late says nothing of order-api.
const FAIR_TIME: Duration = Duration::from_secs(1);

/// What a call has to pass before it leaves.
#[derive(Debug)]
pub(crate) struct Calls {
    pub(crate) metrics: RequestMetrics,
    pub(crate) bulkhead: Bulkhead,
    pub(crate) budget: RetryBudget,
    /// How long one attempt may take, if not for as long as the request.
    pub(crate) attempt_timeout: Live<Duration>,
    /// One for placing and one for all else: the shop can be looked at while it takes no orders.
    pub(crate) placing: Breaker,
    pub(crate) reading: Breaker,
}

/// Whether a call may be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It does the same once as twice.
    Harmless,
    /// Only if it surely never reached order-api.
    Unsent,
}

impl Calls {
    /// Makes a call within the deadline, and again if need be.
    pub(crate) async fn make<Q, A, F>(
        &self,
        method: Method,
        deadline: Deadline,
        repeat: Repeat,
        message: Q,
        send: impl Fn(Request<Q>) -> F,
    ) -> Result<A, Error>
    where
        Q: Clone,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let _slot = self.bulkhead.enter().await.map_err(|_| Error::Overloaded)?;
        self.budget.note();
        let attempt = || self.attempt(method, deadline, message.clone(), &send);
        let making = attempt
            .retry(self.waits())
            .when(|status| may_repeat(repeat, status))
            .adjust(|_, wait| wait.filter(|wait| self.may_wait(*wait, deadline)));
        Ok(self.metrics.measure(method, making).await?.into_inner())
    }

    async fn attempt<Q, A, F>(
        &self,
        method: Method,
        deadline: Deadline,
        message: Q,
        send: impl Fn(Request<Q>) -> F,
    ) -> Result<Response<A>, Status>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let permit = self.circuit(method).admit().map_err(refused)?;
        let time = deadline.remaining().min(self.attempt_timeout.get());
        let mut request = Request::new(message);
        request.set_timeout(time);
        let answer = match timeout(time, send(request)).await {
            Ok(Err(status)) => Err(in_time(status)),
            Ok(answer) => answer,
            Err(_) => Err(Status::deadline_exceeded("there was no answer in time")),
        };
        judge(permit, answer.as_ref().err(), time);
        answer
    }

    fn circuit(&self, method: Method) -> &Breaker {
        match method {
            Method::PlaceOrder => &self.placing,
            Method::GetOrder
            | Method::ListOrders
            | Method::ListProducts
            | Method::CompleteFulfillment
            | Method::FailFulfillment
            | Method::Authorize
            | Method::Capture
            | Method::Refund
            | Method::GetPayment
            | Method::Authenticate
            | Method::GetAccount
            | Method::Other => &self.reading,
        }
    }

    fn waits(&self) -> impl BackoffBuilder {
        ExponentialBuilder::default()
            .with_min_delay(FIRST_WAIT)
            .with_max_delay(LONGEST_WAIT)
            .with_max_times(self.budget.limit())
            .with_jitter()
    }

    fn may_wait(&self, wait: Duration, deadline: Deadline) -> bool {
        wait < deadline.remaining() && self.budget.take()
    }
}

/// Tells the breaker how an attempt ended that had this much time.
fn judge(permit: Permit, failure: Option<&Status>, time: Duration) {
    match failure {
        Some(status) if status.code() == Code::DeadlineExceeded && time < FAIR_TIME => drop(permit),
        Some(status) if status.code() == Code::DeadlineExceeded => permit.failed(),
        Some(status) if is_unavailable(status) => permit.failed(),
        Some(_) | None => permit.succeeded(),
    }
}

/// Whether order-api could not be reached or cannot work. If it refuses with a reason of its own,
/// as when it has too much to do, it is there: asking again would not help it.
fn is_unavailable(status: &Status) -> bool {
    match Reason::of(status) {
        Some(reason) => reason == Reason::Unavailable,
        // A status that came over the wire has no source: this one was made here, of a connection
        // that broke.
        None => status.code() == Code::Unavailable || status.source().is_some(),
    }
}

fn may_repeat(repeat: Repeat, status: &Status) -> bool {
    let unsent = status.source().is_some_and(was_never_sent);
    let failed = is_unavailable(status) || status.code() == Code::DeadlineExceeded;
    let harmless = repeat == Repeat::Harmless && failed;
    (unsent || harmless) && Open::of(status).is_none()
}

/// An expired `grpc-timeout` is Cancelled to tonic 0.14, on both sides; nothing else here is.
fn in_time(status: Status) -> Status {
    match status.code() {
        Code::Cancelled => Status::deadline_exceeded(status.message()),
        _ => status,
    }
}

fn refused(open: Open) -> Status {
    let mut status = Status::unavailable(open.to_string());
    status.set_source(Arc::new(open));
    status
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use instrumentation::metrics::Registry;
    use tokio::time::{Instant, sleep};
    use tonic::ConnectError;

    use super::*;
    use crate::{metrics::CATALOGUES, problem, tuning::Tuning};

    /// How a call may end.
    #[derive(Clone, Copy, Debug)]
    enum Ending {
        Done,
        Refused(Reason),
        /// As the network says it.
        Unavailable,
        /// The connection broke during the call.
        Broken,
        /// There was no connection to begin with.
        NotConnected,
        Silent,
    }

    impl Ending {
        async fn come(self) -> Result<Response<()>, Status> {
            match self {
                Self::Done => Ok(Response::new(())),
                Self::Refused(reason) => Err(reason.status("because")),
                Self::Unavailable => Err(Status::unavailable("away")),
                Self::Broken => {
                    let broken = io::Error::from(io::ErrorKind::ConnectionReset);
                    Err(Status::from_error(broken.into()))
                }
                Self::NotConnected => {
                    let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
                    Err(Status::from_error(ConnectError(refused.into()).into()))
                }
                Self::Silent => std::future::pending().await,
            }
        }
    }

    struct World {
        calls: Calls,
        registry: Registry,
        made: Arc<AtomicUsize>,
    }

    impl World {
        fn new(settings: &[&str]) -> Self {
            let registry = Registry::new("web-gateway", CATALOGUES);
            let config = crate::tests::config_with(settings);
            let calls = crate::calls(&config, &Tuning::of(&config), &registry);
            Self { calls, registry, made: Arc::default() }
        }

        /// Makes a call whose attempts end one after the other like this, the last one for ever.
        async fn call(&self, repeat: Repeat, endings: &[Ending]) -> Result<(), Error> {
            self.call_of(Method::GetOrder, repeat, endings).await
        }

        async fn call_of(
            &self,
            method: Method,
            repeat: Repeat,
            endings: &[Ending],
        ) -> Result<(), Error> {
            self.made.store(0, Ordering::Relaxed);
            let send = |_: Request<()>| {
                let made = self.made.fetch_add(1, Ordering::Relaxed);
                endings[made.min(endings.len() - 1)].come()
            };
            let deadline = Deadline::after(Duration::from_secs(5));
            self.calls.make(method, deadline, repeat, (), send).await
        }

        fn made(&self) -> usize {
            self.made.load(Ordering::Relaxed)
        }

        fn shows(&self, line: &str) -> bool {
            self.registry.render().lines().any(|known| known == line)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_by_chance_is_tried_again_twice_after_short_waits() {
        let world = World::new(&[]);
        let started = Instant::now();
        world
            .call(Repeat::Harmless, &[Ending::Unavailable, Ending::Broken, Ending::Done])
            .await
            .unwrap();
        assert_eq!(world.made(), 3);
        assert!(started.elapsed() >= 3 * FIRST_WAIT && started.elapsed() <= 6 * FIRST_WAIT);
        let failed = world.call(Repeat::Harmless, &[Ending::Unavailable]).await.unwrap_err();
        assert_eq!((world.made(), failed.code()), (3, problem::Code::Unavailable));
        assert!(world.shows(r#"grpc_client_requests_total{method="GetOrder",status="OK"} 1"#));
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_have_been_done_is_not_tried_again_unless_it_is_harmless() {
        let world = World::new(&[]);
        for ending in [Ending::Unavailable, Ending::Broken] {
            world.call(Repeat::Unsent, &[ending]).await.unwrap_err();
            assert_eq!(world.made(), 1, "{ending:?}");
        }
        world.call(Repeat::Unsent, &[Ending::NotConnected, Ending::Done]).await.unwrap();
        assert_eq!(world.made(), 2, "it was surely not done");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_an_answer() {
        let world = World::new(&[]);
        for reason in Reason::ALL.iter().filter(|reason| **reason != Reason::Unavailable) {
            for _ in 0..30 {
                world.call(Repeat::Harmless, &[Ending::Refused(*reason)]).await.unwrap_err();
                assert_eq!(world.made(), 1, "{reason:?}");
            }
            let closed = r#"circuit_breaker_state{circuit="read",state="closed"} 1"#;
            assert!(world.shows(closed), "{reason:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_waited_for_or_tried_beyond_the_deadline() {
        let world = World::new(&[]);
        let started = Instant::now();
        let late = world.call(Repeat::Harmless, &[Ending::Silent]).await.unwrap_err();
        assert_eq!((world.made(), late.code()), (1, problem::Code::DeadlineExceeded));
        assert_eq!(started.elapsed(), Duration::from_secs(5));

        let send = |_: Request<()>| async {
            sleep(Duration::from_millis(4_990)).await;
            Ending::Unavailable.come().await
        };
        let deadline = Deadline::after(Duration::from_secs(5));
        let (method, repeat) = (Method::GetOrder, Repeat::Harmless);
        let failed = world.calls.make(method, deadline, repeat, (), send).await.unwrap_err();
        assert_eq!(failed.code(), problem::Code::Unavailable, "there was no time to try again");
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_takes_too_long_is_made_again_if_it_is_harmless() {
        let world = World::new(&["--attempt-timeout", "300ms"]);
        let started = Instant::now();
        world.call(Repeat::Harmless, &[Ending::Silent, Ending::Done]).await.unwrap();
        assert_eq!(world.made(), 2);
        assert!(started.elapsed() < Duration::from_millis(400), "{:?}", started.elapsed());
        let late = world.call(Repeat::Unsent, &[Ending::Silent]).await.unwrap_err();
        assert_eq!((world.made(), late.code()), (1, problem::Code::DeadlineExceeded));
    }

    #[tokio::test(start_paused = true)]
    async fn retries_end_with_their_budget() {
        let world = World::new(&["--breaker-threshold", "1", "--breaker-minimum", "1000"]);
        let mut made = 0;
        for _ in 0..100 {
            world.call(Repeat::Harmless, &[Ending::Unavailable]).await.unwrap_err();
            made += world.made();
        }
        assert!((120..=140).contains(&made), "{made} attempts at 100 requests");
        assert!(!world.shows("retry_budget_exhausted_total 0"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_api_that_fails_is_not_asked_until_it_may_be_back() {
        let world = World::new(&[]);
        let mut refused = None;
        for _ in 0..30 {
            let failed = world.call(Repeat::Unsent, &[Ending::Unavailable]).await.unwrap_err();
            refused = matches!(failed, Error::CircuitOpen(_)).then_some(failed).or(refused);
        }
        let refused = refused.expect("the circuit opened");
        assert_eq!((world.made(), refused.code()), (0, problem::Code::Unavailable));
        let placed = world.call_of(Method::PlaceOrder, Repeat::Unsent, &[Ending::Done]).await;
        assert!(placed.is_ok(), "placing has a circuit of its own");

        sleep(Duration::from_millis(2500)).await;
        for _ in 0..3 {
            world.call(Repeat::Unsent, &[Ending::Done]).await.unwrap();
        }
        assert!(world.shows(r#"circuit_breaker_state{circuit="read",state="closed"} 1"#));
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_was_nearly_over_says_nothing_of_order_api() {
        let world = World::new(&["--breaker-minimum", "2"]);
        let late = async |left| {
            let (method, deadline) = (Method::GetOrder, Deadline::after(left));
            let send = |_: Request<()>| Ending::Silent.come();
            world.calls.make(method, deadline, Repeat::Harmless, (), send).await.unwrap_err()
        };
        for _ in 0..30 {
            late(Duration::from_millis(100)).await;
        }
        assert_eq!(world.calls.reading.state(), resilience::breaker::State::Closed);
        for _ in 0..2 {
            late(Duration::from_secs(2)).await;
        }
        assert_eq!(world.calls.reading.state(), resilience::breaker::State::Open);
    }

    #[tokio::test(start_paused = true)]
    async fn more_than_fits_is_refused_and_a_client_that_leaves_makes_room() {
        let world = Arc::new(World::new(&["--concurrency", "1"]));
        let first = Arc::clone(&world);
        let first =
            tokio::spawn(async move { first.call(Repeat::Harmless, &[Ending::Silent]).await });
        sleep(Duration::from_millis(1)).await;
        let second = world.call(Repeat::Harmless, &[Ending::Done]).await.unwrap_err();
        assert_eq!((world.made(), second.code()), (0, problem::Code::Overloaded));
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        world.call(Repeat::Harmless, &[Ending::Done]).await.unwrap();
        let canceled = r#"grpc_client_requests_total{method="GetOrder",status="CANCELLED"} 1"#;
        assert!(world.shows(canceled) && world.shows("concurrency_in_use 0"));
    }
}
