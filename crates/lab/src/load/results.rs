//! What a load came to, as data: printed as a table, drawn as a report, written as JSON.

use std::time::Duration;

use serde::Serialize;

use super::{
    course::Second,
    errand::Kind,
    generator::Plan,
    outcome::{Class, Ended, Outcome},
    record::Record,
    tally::{Outcomes, Tally},
    threshold::{Threshold, Verdict},
};

/// What a load came to. Times are in seconds, rates per second.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// The profile.
    pub profile: &'static str,
    /// What it shows.
    pub shows: &'static str,
    /// The shop.
    pub url: String,
    /// The highest rate that was planned.
    pub highest_rate: f64,
    /// How long the load lasted.
    pub lasted: f64,
    /// What the arrivals were drawn from.
    pub seed: u64,
    /// Up to when a right answer is a good one.
    pub good_within: f64,
    /// Requests that were due.
    pub offered_rate: f64,
    /// Answers, right or wrong.
    pub achieved_rate: f64,
    /// Right answers that came soon enough.
    pub good_rate: f64,
    /// How many were in flight at once, at most.
    pub most_in_flight: usize,
    /// How many might have been.
    pub in_flight_limit: usize,
    /// How much later than due a request was sent, at most: the generator's own fault.
    pub sent_late_by: f64,
    /// All requests.
    pub all: Row,
    /// Those of each kind that was asked.
    pub requests: Vec<Row>,
    /// How they ended, each way that occurred.
    pub ended: Vec<Ending>,
    /// Whether it kept to its thresholds.
    pub thresholds: Vec<Verdict>,
    /// The slowest right answers.
    pub slowest: Vec<Sample>,
    /// Some that failed.
    pub failed: Vec<Sample>,
    /// Its course.
    pub seconds: Vec<Point>,
}

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Which requests.
    pub name: &'static str,
    /// How many.
    pub count: u64,
    /// The share with a right answer.
    pub success: Option<f64>,
    /// The share that was turned away.
    pub shed: Option<f64>,
    /// The share that failed.
    pub errors: Option<f64>,
    /// The times they took.
    #[serde(flatten)]
    pub times: Times,
    /// The longest.
    pub max: Option<f64>,
}

/// Percentiles of times, in seconds; none where nothing was measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Times {
    /// The median.
    pub p50: Option<f64>,
    /// The 95th percentile.
    pub p95: Option<f64>,
    /// The 99th percentile.
    pub p99: Option<f64>,
}

/// How many ended in one way.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ending {
    /// The way.
    pub outcome: Outcome,
    /// How many.
    pub count: u64,
}

/// One request, worth a closer look.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    /// Which request.
    pub request: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// The answer's status, if there was an answer.
    pub status: Option<u16>,
    /// How long it took.
    pub took: f64,
    /// The command that shows what happened.
    pub look: String,
}

/// One second of the course.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// Requests that were due.
    pub offered: u64,
    /// Answers that came.
    pub achieved: u64,
    /// Right ones that came soon enough.
    pub good: u64,
    /// What went otherwise, each way that occurred.
    pub bad: Vec<Ending>,
    /// How long those took that were due.
    #[serde(flatten)]
    pub times: Times,
}

/// What is known of a run beside its record.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// The profile's name.
    pub profile: &'static str,
    /// What it shows.
    pub shows: &'static str,
    /// The shop.
    pub url: &'a str,
    /// What was planned.
    pub plan: &'a Plan,
}

impl Results {
    /// What a record says of a run.
    pub fn of(run: Run<'_>, record: &Record, thresholds: &[Threshold]) -> Self {
        let whole = record.during(0, usize::MAX);
        let lasted = run.plan.schedule.lasts().min(Duration::from_secs(whole.seconds as u64));
        let asked = Kind::ALL.into_iter().zip(&record.kinds);
        let asked = asked.filter(|(_, tally)| tally.outcomes().total() > 0);
        Self {
            profile: run.profile,
            shows: run.shows,
            url: run.url.trim_end_matches('/').to_owned(),
            highest_rate: run.plan.schedule.peak(),
            lasted: lasted.as_secs_f64(),
            seed: run.plan.seed,
            good_within: run.plan.good_within.as_secs_f64(),
            offered_rate: whole.offered as f64 / lasted.as_secs_f64(),
            achieved_rate: whole.ended.answered() as f64 / lasted.as_secs_f64(),
            good_rate: whole.good as f64 / lasted.as_secs_f64(),
            most_in_flight: record.most_in_flight,
            in_flight_limit: run.plan.in_flight,
            sent_late_by: record.latest.as_secs_f64(),
            all: Row::of("all", &record.all),
            requests: asked.map(|(kind, tally)| Row::of(kind.name(), tally)).collect(),
            ended: endings(record.all.outcomes(), |_| true),
            thresholds: thresholds.iter().map(|each| each.judge(&record.all)).collect(),
            slowest: record.notables.slowest.iter().map(Sample::of).collect(),
            failed: record.notables.failed.iter().map(Sample::of).collect(),
            seconds: record.seconds.iter().map(Point::of).collect(),
        }
    }

    /// Whether it kept to all its thresholds.
    pub fn kept(&self) -> bool {
        self.thresholds.iter().all(|verdict| verdict.kept)
    }
}

impl Row {
    fn of(name: &'static str, tally: &Tally) -> Self {
        let outcomes = tally.outcomes();
        Self {
            name,
            count: outcomes.total(),
            success: outcomes.share(Class::Success),
            shed: outcomes.share(Class::Shed),
            errors: outcomes.share(Class::Error),
            times: Times::of(|share| tally.quantile(share)),
            max: tally.quantile(1.0).map(|time| time.as_secs_f64()),
        }
    }
}

impl Times {
    fn of(quantile: impl Fn(f64) -> Option<Duration>) -> Self {
        let seconds = |share| quantile(share).map(|time| time.as_secs_f64());
        Self { p50: seconds(0.5), p95: seconds(0.95), p99: seconds(0.99) }
    }
}

impl Sample {
    fn of(ended: &Ended) -> Self {
        Self {
            request: ended.kind.name(),
            outcome: ended.outcome,
            status: ended.status.map(|status| status.as_u16()),
            took: ended.took.as_secs_f64(),
            look: ended.look(),
        }
    }
}

impl Point {
    fn of(second: &Second) -> Self {
        Self {
            offered: second.offered,
            achieved: second.ended.answered(),
            good: second.good,
            bad: endings(second.ended, |outcome| outcome.class() != Class::Success),
            times: Times::of(|share| second.quantile(share)),
        }
    }
}

fn endings(outcomes: Outcomes, which: impl Fn(Outcome) -> bool) -> Vec<Ending> {
    let all = Outcome::ALL.into_iter().filter(|outcome| which(*outcome));
    let counted = all.map(|outcome| Ending { outcome, count: outcomes.of(outcome) });
    counted.filter(|ending| ending.count > 0).collect()
}
