//! What came of a load, as it comes.

use std::time::Duration;

use super::{
    course::{Second, Slice},
    errand::Kind,
    notable::Notables,
    outcome::{Class, Ended, Outcome},
    tally::Tally,
};

/// What came of a load.
#[derive(Debug)]
pub struct Record {
    /// All of it.
    pub all: Tally,
    /// Of each kind of request, in the order of [`Kind::ALL`].
    pub kinds: [Tally; Kind::ALL.len()],
    /// Its course.
    pub seconds: Vec<Second>,
    /// Those worth a closer look.
    pub notables: Notables,
    /// How much later than due a request was sent, at most.
    pub latest: Duration,
    /// How many were in flight at once, at most.
    pub most_in_flight: usize,
    /// Up to when a right answer is a good one.
    good_within: Duration,
}

impl Record {
    /// An empty one, of a load that lasts so long.
    pub fn new(lasts: Duration, good_within: Duration) -> Self {
        let seconds = lasts.as_secs_f64().ceil() as usize;
        Self {
            all: Tally::new(),
            kinds: std::array::from_fn(|_| Tally::new()),
            seconds: (0..seconds).map(|_| Second::new()).collect(),
            notables: Notables::default(),
            latest: Duration::ZERO,
            most_in_flight: 0,
            good_within,
        }
    }

    /// Counts a request that was due.
    pub fn offer(&mut self, due: Duration, in_flight: usize) {
        self.second(due).offered += 1;
        self.most_in_flight = self.most_in_flight.max(in_flight);
    }

    /// Counts one that was never sent.
    pub fn drop_one(&mut self, kind: Kind, due: Duration) {
        self.all.drop_one();
        self.kinds[kind as usize].drop_one();
        self.second(due).end(Outcome::Dropped, false);
    }

    /// Counts one that was sent and has ended.
    pub fn end(&mut self, ended: &Ended) {
        let good = ended.outcome.class() == Class::Success && ended.took <= self.good_within;
        self.all.end(ended, good);
        self.kinds[ended.kind as usize].end(ended, good);
        self.second(ended.due + ended.took).end(ended.outcome, good);
        self.second(ended.due).settle(ended, good);
        self.latest = self.latest.max(ended.late);
        self.notables.consider(ended);
    }

    /// What of it fell into these seconds.
    pub fn during(&self, from: usize, until: usize) -> Slice {
        let until = until.min(self.seconds.len());
        Slice::of(&self.seconds[from.min(until)..until])
    }

    fn second(&mut self, at: Duration) -> &mut Second {
        let index = at.as_secs() as usize;
        if index >= self.seconds.len() {
            self.seconds.resize_with(index + 1, Second::new);
        }
        &mut self.seconds[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::outcome::served;

    fn ended(due_ms: u64, took_ms: u64, outcome: Outcome) -> Ended {
        let (due, took) = (Duration::from_millis(due_ms), Duration::from_millis(took_ms));
        Ended { due, outcome, ..served(took) }
    }

    fn record() -> Record {
        Record::new(Duration::from_secs(3), Duration::from_secs(1))
    }

    #[test]
    fn a_request_is_slow_when_it_was_due_and_ends_when_it_ended() {
        let mut record = record();
        record.offer(Duration::from_millis(500), 1);
        record.end(&ended(500, 1900, Outcome::Served));
        let [first, _, third] = &record.seconds[..] else { panic!("three seconds") };
        assert_eq!((first.offered, first.ended.total(), third.ended.total()), (1, 0, 1));
        let slow = first.quantile(0.5).unwrap().as_secs_f64();
        assert!((slow / 1.9 - 1.0).abs() < 0.01, "{slow}");
        assert_eq!(third.quantile(0.5), None);
        assert_eq!((third.good, record.all.good()), (0, 0), "too late to be good");
        record.end(&ended(9_000, 1, Outcome::Served));
        assert_eq!(record.seconds.len(), 10, "what ends after the last stage counts too");
    }

    #[test]
    fn what_is_turned_away_at_once_does_not_make_answers_look_quick() {
        let mut record = record();
        (0..99).for_each(|_| record.end(&ended(0, 1, Outcome::Shed)));
        record.end(&ended(0, 700, Outcome::Served));
        assert!(record.all.quantile(0.5).unwrap() > Duration::from_millis(690));
        let outcomes = record.all.outcomes();
        assert_eq!(outcomes.share(Class::Shed), Some(0.99));
        assert_eq!(outcomes.share(Class::Success), Some(0.01));
        assert_eq!(outcomes.share(Class::Error), Some(0.0));
    }

    #[test]
    fn what_was_dropped_is_an_error_and_no_answer() {
        let mut record = record();
        record.offer(Duration::ZERO, 9);
        record.drop_one(Kind::Browse, Duration::ZERO);
        let outcomes = record.all.outcomes();
        assert_eq!((outcomes.total(), outcomes.answered()), (1, 0));
        assert_eq!(outcomes.share(Class::Error), Some(1.0));
        assert_eq!(record.kinds[Kind::Browse as usize].outcomes().of(Outcome::Dropped), 1);
        assert_eq!(record.all.quantile(0.99), None);
    }

    #[test]
    fn seconds_add_up() {
        let mut record = record();
        for second in 0..3 {
            record.offer(Duration::from_secs(second), 1);
            record.end(&ended(second * 1000, 100 * (second + 1), Outcome::Served));
        }
        let slice = record.during(1, 9);
        assert_eq!((slice.seconds, slice.offered, slice.good), (2, 2, 2));
        assert_eq!(slice.rate(slice.good), 1.0);
        assert!(slice.quantile(0.5).unwrap() >= Duration::from_millis(199));
    }
}
