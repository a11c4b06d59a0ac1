//! A line of bounded length in front of a number of servers: first come, first served, each for a
//! time that is drawn.
//!
//! What a request does, it does at the moment it is taken up, under one lock, in the order of the
//! line; then the time of service passes, then the answer is given. So there is no moment at which
//! something is half done, and whoever asks later sees what was taken up before.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard},
};

use rand::{SeedableRng as _, rngs::StdRng};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{oneshot, watch},
    time::sleep,
};

use crate::{behaviour::Behaviour, error::Error, metrics::Metrics};

/// How busy the servers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Requests that are served.
    pub busy: usize,
    /// Requests that wait to be.
    pub waiting: usize,
}

/// What is done when a request is taken up; gives what is to be done when its time has passed.
type Job<S> = Box<dyn FnOnce(&mut S) -> Answer + Send>;
type Answer = Box<dyn FnOnce() + Send>;

/// Servers that work on one state.
pub(crate) struct Servers<S>(Arc<Shared<S>>);

struct Shared<S> {
    behaviour: watch::Receiver<Behaviour>,
    metrics: Metrics,
    floor: Mutex<Floor<S>>,
}

struct Floor<S> {
    state: S,
    rng: StdRng,
    busy: usize,
    /// Those who wait, by their number in the line.
    waiting: BTreeMap<u64, Job<S>>,
    /// The number of the last one who came.
    last: u64,
}

impl<S: Send + 'static> Servers<S> {
    pub(crate) fn new(
        state: S,
        seed: u64,
        behaviour: watch::Receiver<Behaviour>,
        metrics: Metrics,
    ) -> Self {
        let (rng, waiting) = (StdRng::seed_from_u64(seed), BTreeMap::new());
        let floor = Mutex::new(Floor { state, rng, busy: 0, waiting, last: 0 });
        Self(Arc::new(Shared { behaviour, metrics, floor }))
    }

    /// Waits for a server, does `work`, and returns what came of it when the time of service has
    /// passed. Whoever drops this while it waits has left the line; later, it changes nothing.
    pub(crate) async fn serve<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answered) = oneshot::channel();
        let _place = self.line_up(Box::new(move |state| {
            let done = work(state);
            // Whoever asked may have gone.
            Box::new(move || drop(reply.send(done)))
        }))?;
        Ok(answered.await.expect("whoever is taken up is answered"))
    }

    /// Looks at the state, as only its owner may: without standing in line.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&S) -> T) -> T {
        at(&self.floor().state)
    }

    /// How busy the servers are.
    pub(crate) fn load(&self) -> Load {
        let floor = self.floor();
        Load { busy: floor.busy, waiting: floor.waiting.len() }
    }

    /// Lets those in who wait for what has changed.
    pub(crate) fn behave(&self) {
        self.take_up(&mut self.floor());
    }

    fn line_up(&self, job: Job<S>) -> Result<Place<S>, Error> {
        let Behaviour { capacity, queue, .. } = *self.0.behaviour.borrow();
        let mut floor = self.floor();
        if floor.busy >= capacity && floor.waiting.len() >= queue {
            return Err(Error::Overloaded);
        }
        floor.last += 1;
        let number = floor.last;
        floor.waiting.insert(number, job);
        self.take_up(&mut floor);
        Ok(Place { servers: self.clone(), number })
    }

    /// Takes up those who wait, as far as there are servers for them.
    fn take_up(&self, floor: &mut Floor<S>) {
        let behaviour = *self.0.behaviour.borrow();
        while floor.busy < behaviour.capacity
            && let Some((_, job)) = floor.waiting.pop_first()
        {
            floor.busy += 1;
            let answer = job(&mut floor.state);
            let time = behaviour.service_time(&mut floor.rng);
            let servers = self.clone();
            // Of its own, so that it goes on when whoever asked has gone.
            tokio::spawn(async move {
                sleep(time).await;
                servers.finish();
                answer();
            });
        }
        self.show(floor);
    }

    fn finish(&self) {
        let mut floor = self.floor();
        floor.busy -= 1;
        self.take_up(&mut floor);
    }

    fn leave(&self, number: u64) {
        let mut floor = self.floor();
        if floor.waiting.remove(&number).is_some() {
            self.show(&floor);
        }
    }

    fn show(&self, floor: &Floor<S>) {
        let metrics = &self.0.metrics;
        metrics.provider_servers.set(self.0.behaviour.borrow().capacity as f64);
        metrics.provider_servers_busy.set(floor.busy as f64);
        metrics.provider_queue_depth.set(floor.waiting.len() as f64);
    }

    fn floor(&self) -> MutexGuard<'_, Floor<S>> {
        self.0.floor.lock().expect("no holder of the lock panics")
    }
}

/// A place in the line, or with a server.
struct Place<S: Send + 'static> {
    servers: Servers<S>,
    number: u64,
}

impl<S: Send + 'static> Drop for Place<S> {
    fn drop(&mut self) {
        self.servers.leave(self.number);
    }
}

impl<S> Clone for Servers<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> fmt::Debug for Servers<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Servers").finish_non_exhaustive()
    }
}
