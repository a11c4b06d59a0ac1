//! The open loop: each request is sent when it is due, however the earlier ones fare.
//!
//! A closed loop, in which a user waits for an answer before asking again, asks less while the shop
//! is slow and so hides what it came to measure: coordinated omission. Here a request that is due
//! while the shop stands still is sent, or counted as dropped, and its time begins when it was due.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    errand::Shopper,
    outcome::Ended,
    record::Record,
    schedule::{Schedule, Spacing},
    target::{Due, Target},
};

/// How often whoever watches is told.
const TICK: Duration = Duration::from_millis(250);

/// What to send, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// When.
    pub schedule: Schedule,
    /// How arrivals follow each other.
    pub spacing: Spacing,
    /// Decides when each arrives, and what it asks.
    pub seed: u64,
    /// So many may be in flight; those that arrive beyond are dropped and counted.
    pub in_flight: usize,
    /// Up to when a right answer is a good one.
    pub good_within: Duration,
}

/// Where a run stands.
#[derive(Debug)]
pub struct Progress<'a> {
    /// How long it has run.
    pub elapsed: Duration,
    /// How many are in flight.
    pub in_flight: usize,
    /// What came of it so far.
    pub record: &'a Record,
}

/// Sends what is planned, until it is over or `stop` says so, and waits for the last answers.
pub async fn run(
    plan: &Plan,
    target: &Arc<Target>,
    shopper: &mut Shopper,
    stop: &CancellationToken,
    mut watch: impl FnMut(Progress<'_>),
) -> Record {
    let mut load = Load {
        begin: Instant::now(),
        in_flight: JoinSet::new(),
        record: Record::new(plan.schedule.lasts(), plan.good_within),
        shopper,
    };
    let mut arrivals = plan.schedule.arrivals(plan.spacing, plan.seed).zip(0..);
    let mut next = arrivals.next();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while next.is_some() || !load.in_flight.is_empty() {
        let due = next.map(|(offset, number)| Due { at: load.begin + offset, offset, number });
        tokio::select! {
            // What is due goes first: an answer can wait, an arrival must not.
            biased;
            () = stop.cancelled(), if next.is_some() => next = None,
            () = sleep_until(due.map_or(load.begin, |due| due.at)), if next.is_some() => {
                load.arrive(due.expect("it has just come"), plan.in_flight, target);
                next = arrivals.next();
            }
            _ = tick.tick() => watch(load.progress()),
            Some(ended) = load.in_flight.join_next() => load.end(ended.expect("it does not panic")),
        }
    }
    watch(load.progress());
    load.record
}

/// A run that is under way.
struct Load<'a> {
    begin: Instant,
    in_flight: JoinSet<Ended>,
    record: Record,
    shopper: &'a mut Shopper,
}

impl Load<'_> {
    fn arrive(&mut self, due: Due, limit: usize, target: &Arc<Target>) {
        // Those that have ended are still in the set until someone looks.
        while let Some(ended) = self.in_flight.try_join_next() {
            self.end(ended.expect("it does not panic"));
        }
        let errand = self.shopper.draw();
        if self.in_flight.len() < limit {
            self.in_flight.spawn(Arc::clone(target).run(errand, due));
        } else {
            self.record.drop_one(errand.kind(), due.offset);
        }
        self.record.offer(due.offset, self.in_flight.len());
    }

    fn end(&mut self, mut ended: Ended) {
        if let Some(placed) = ended.placed.take() {
            self.shopper.remember(placed);
        }
        self.record.end(&ended);
    }

    fn progress(&self) -> Progress<'_> {
        Progress {
            elapsed: self.begin.elapsed(),
            in_flight: self.in_flight.len(),
            record: &self.record,
        }
    }
}
