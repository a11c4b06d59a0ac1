//! A circuit breaker: stops calling a dependency that fails, and finds out when it is back.
//!
//! Closed, it lets every call through and counts how they end. When too many of the last ones have
//! failed it opens: calls are refused at once, which spares the caller's time and the dependency's.
//! After a while it is half open: a few calls go through as probes. If all of them succeed it
//! closes, if one fails it opens again.
//!
//! The caller says what a failure is: a dependency that refuses a wrong request has not failed. A
//! call that its own caller cancels says nothing of the dependency, and counts as neither.

#[cfg(test)]
mod tests;
mod window;

use std::{
    error::Error,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use instrumentation::{
    metrics::LabelSet,
    settings::{self, Live},
};
use rand::RngExt as _;
use tokio::time::Instant;

use self::window::Window;
use crate::setting;

/// How much longer than it must be a breaker may stay open, as a share: callers that were cut off
/// together do not come back together.
const JITTER: f64 = 0.25;

/// When a breaker opens, and when it closes again.
#[derive(Clone, Copy, Debug, PartialEq, clap::Args)]
#[group(skip)]
pub struct Settings {
    /// How far back a circuit breaker looks.
    #[arg(id = "breaker_window", long = "breaker-window", env = "BREAKER_WINDOW",
          default_value = "10s", value_name = "DURATION", value_parser = setting::some_time)]
    pub window: Duration,

    /// With how few calls in that time a circuit breaker does not open, whatever they come to.
    #[arg(id = "breaker_minimum", long = "breaker-minimum", env = "BREAKER_MINIMUM",
          default_value_t = 20, value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub minimum: u32,

    /// Share of failed calls, 0 to 1, from which on a circuit breaker opens.
    #[arg(id = "breaker_threshold", long = "breaker-threshold", env = "BREAKER_THRESHOLD",
          default_value_t = 0.5, value_name = "SHARE", value_parser = setting::share)]
    pub threshold: f64,

    /// How long a circuit breaker stays open before it tries again; up to a quarter more.
    #[arg(id = "breaker_open_for", long = "breaker-open-for", env = "BREAKER_OPEN_FOR",
          default_value = "2s", value_name = "DURATION", value_parser = setting::some_time)]
    pub open_for: Duration,

    /// How many calls must succeed before a circuit breaker closes again.
    #[arg(id = "breaker_probes", long = "breaker-probes", env = "BREAKER_PROBES",
          default_value_t = 3, value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub probes: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10),
            minimum: 20,
            threshold: 0.5,
            open_for: Duration::from_secs(2),
            probes: 3,
        }
    }
}

impl Settings {
    /// Adds what can be changed of it while a service runs.
    pub fn offer(live: &Live<Self>, settings: settings::Settings) -> settings::Settings {
        settings
            .with_part(
                "breaker-minimum",
                live,
                setting::count,
                |all| all.minimum,
                |all, minimum| all.minimum = minimum,
            )
            .with_part(
                "breaker-threshold",
                live,
                setting::share,
                |all| all.threshold,
                |all, threshold| all.threshold = threshold,
            )
            .with_part(
                "breaker-open-for",
                live,
                setting::some_time,
                |all| all.open_for,
                |all, open_for| all.open_for = open_for,
            )
    }
}

instrumentation::label! {
    /// Where a breaker stands.
    pub enum State as "state" {
        /// Calls go through.
        Closed = "closed",
        /// Calls are refused.
        Open = "open",
        /// A few calls go through, to see whether they succeed.
        HalfOpen = "half_open",
    }
}

instrumentation::metrics! {
    /// What breakers measure, each under its own name.
    pub struct Metrics<Circuit> {
        /// Where a circuit breaker stands: 1 for its state, 0 for the others.
        circuit_breaker_state: Gauge<(Circuit, State)>, Count;
        /// Times that a circuit breaker came into a state.
        circuit_breaker_transitions_total: Counter<(Circuit, State)>, Count;
        /// Calls that a circuit breaker refused.
        circuit_breaker_rejections_total: Counter<Circuit>, Count;
    }
}

/// A breaker; its clones are the same one.
#[derive(Clone, Debug)]
pub struct Breaker(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: Live<Settings>,
    circuit: Mutex<Circuit>,
    series: Option<Series>,
}

#[derive(Debug)]
struct Circuit {
    phase: Phase,
    /// How often the phase has changed: a call that was admitted in another one says nothing of
    /// this one.
    generation: u64,
}

#[derive(Debug)]
enum Phase {
    Closed(Window),
    Open { until: Instant },
    HalfOpen { in_hand: u32, succeeded: u32 },
}

/// Why a call was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the circuit is open")]
pub struct Open {
    /// When calls are let through again; nothing if probes are on their way just now.
    pub retry_after: Duration,
}

/// A call that was admitted; says how it ended. Dropped without a word, it was canceled.
#[must_use = "dropped, it counts as canceled"]
#[derive(Debug)]
pub struct Permit {
    breaker: Breaker,
    generation: u64,
    ending: Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Succeeded,
    Failed,
    Canceled,
}

impl Open {
    /// The refusal that an error was made of, if it was.
    pub fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        let deeper = || error.source().and_then(Self::of);
        error.downcast_ref().copied().or_else(deeper)
    }
}

impl Breaker {
    /// A breaker that is closed.
    pub fn new(settings: Settings) -> Self {
        Self::with(Live::new(settings), None)
    }

    /// A breaker that is closed, and measured under this name; what is changed of its settings holds
    /// at once.
    pub fn measured<C: LabelSet>(settings: &Live<Settings>, metrics: &Metrics<C>, name: C) -> Self {
        let series = Series::of(metrics, name);
        series.stands(State::Closed);
        Self::with(settings.clone(), Some(series))
    }

    fn with(settings: Live<Settings>, series: Option<Series>) -> Self {
        let phase = Phase::Closed(Window::new(settings.get().window));
        let circuit = Mutex::new(Circuit { phase, generation: 0 });
        Self(Arc::new(Shared { settings, circuit, series }))
    }

    /// Lets a call through, or not.
    ///
    /// # Errors
    /// If the circuit is open, or half open with as many probes on their way as there may be.
    pub fn admit(&self) -> Result<Permit, Open> {
        let mut circuit = self.lock();
        let admitted = self.try_admit(&mut circuit, Instant::now());
        if admitted.is_err()
            && let Some(series) = &self.0.series
        {
            series.rejections.increment(1);
        }
        admitted
    }

    /// Where it stands. An open one becomes half open when the next call comes.
    pub fn state(&self) -> State {
        self.lock().phase.state()
    }

    fn try_admit(&self, circuit: &mut Circuit, now: Instant) -> Result<Permit, Open> {
        if let Phase::Open { until } = circuit.phase
            && until <= now
        {
            self.change(circuit, Phase::HalfOpen { in_hand: 0, succeeded: 0 });
        }
        match &mut circuit.phase {
            Phase::Closed(_) => {}
            Phase::Open { until } => return Err(Open { retry_after: *until - now }),
            Phase::HalfOpen { in_hand, succeeded } => {
                if *in_hand + *succeeded == self.0.settings.get().probes {
                    return Err(Open { retry_after: Duration::ZERO });
                }
                *in_hand += 1;
            }
        }
        let (breaker, generation) = (self.clone(), circuit.generation);
        Ok(Permit { breaker, generation, ending: Ending::Canceled })
    }

    fn settle(&self, generation: u64, ending: Ending) {
        let mut circuit = self.lock();
        if circuit.generation != generation {
            return;
        }
        if let Some(phase) = circuit.phase.after(ending, &self.0.settings.get(), Instant::now()) {
            self.change(&mut circuit, phase);
        }
    }

    fn change(&self, circuit: &mut Circuit, phase: Phase) {
        let state = phase.state();
        *circuit = Circuit { phase, generation: circuit.generation + 1 };
        match state {
            State::Open => tracing::warn!("the circuit opens"),
            State::HalfOpen => tracing::debug!("the circuit is half open"),
            State::Closed => tracing::info!("the circuit closes"),
        }
        if let Some(series) = &self.0.series {
            series.stands(state);
            series.transitions[state.index()].increment(1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Circuit> {
        self.0.circuit.lock().expect("no holder of the lock panics")
    }
}

impl Phase {
    fn state(&self) -> State {
        match self {
            Self::Closed(_) => State::Closed,
            Self::Open { .. } => State::Open,
            Self::HalfOpen { .. } => State::HalfOpen,
        }
    }

    /// Takes in how a call ended; the phase that follows, if another one does.
    fn after(&mut self, ending: Ending, settings: &Settings, now: Instant) -> Option<Self> {
        match self {
            Self::Closed(window) => {
                let failed = match ending {
                    Ending::Succeeded => false,
                    Ending::Failed => true,
                    Ending::Canceled => return None,
                };
                window.count(failed, now);
                window.is_bad(settings, now).then(|| Self::open(settings, now))
            }
            // Nobody is admitted into it.
            Self::Open { .. } => None,
            Self::HalfOpen { in_hand, succeeded } => {
                *in_hand -= 1;
                match ending {
                    Ending::Canceled => return None,
                    Ending::Failed => return Some(Self::open(settings, now)),
                    Ending::Succeeded => *succeeded += 1,
                }
                (*succeeded == settings.probes).then(|| Self::Closed(Window::new(settings.window)))
            }
        }
    }

    fn open(settings: &Settings, now: Instant) -> Self {
        let stretch = 1.0 + rand::rng().random_range(0.0..=JITTER);
        Self::Open { until: now + settings.open_for.mul_f64(stretch) }
    }
}

impl Permit {
    /// The dependency did its work, if only by refusing what was wrong.
    pub fn succeeded(mut self) {
        self.ending = Ending::Succeeded;
    }

    /// The dependency failed.
    pub fn failed(mut self) {
        self.ending = Ending::Failed;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.breaker.settle(self.generation, self.ending);
    }
}

/// The series of one breaker.
#[derive(Debug)]
struct Series {
    states: Vec<metrics::Gauge>,
    transitions: Vec<metrics::Counter>,
    rejections: metrics::Counter,
}

impl Series {
    fn of<C: LabelSet>(metrics: &Metrics<C>, name: C) -> Self {
        let states = State::ALL.iter();
        let gauge = |state: &State| metrics.circuit_breaker_state.with((name, *state)).clone();
        let transitions = State::ALL
            .iter()
            .map(|state| metrics.circuit_breaker_transitions_total.with((name, *state)).clone());
        Self {
            states: states.map(gauge).collect(),
            transitions: transitions.collect(),
            rejections: metrics.circuit_breaker_rejections_total.with(name).clone(),
        }
    }

    fn stands(&self, state: State) {
        for (place, gauge) in self.states.iter().enumerate() {
            gauge.set(if place == state.index() { 1.0 } else { 0.0 });
        }
    }
}
