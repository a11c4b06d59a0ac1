//! The breaker in paused time: what each phase does, and any sequence of calls against a model.

use instrumentation::metrics::Registry;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::time::advance;

use super::*;

const SETTINGS: Settings = Settings {
    window: Duration::from_secs(1),
    minimum: 4,
    threshold: 0.5,
    open_for: Duration::from_secs(5),
    probes: 2,
};
const SLICE: Duration = Duration::from_millis(100);
/// The longest that it can be open.
const OPEN_AT_MOST: Duration = Duration::from_millis(6250);

fn end(breaker: &Breaker, endings: &[Ending]) {
    for ending in endings {
        give(breaker.admit().unwrap(), *ending);
    }
}

fn give(permit: Permit, ending: Ending) {
    match ending {
        Ending::Succeeded => permit.succeeded(),
        Ending::Failed => permit.failed(),
        Ending::Canceled => drop(permit),
    }
}

fn opened() -> Breaker {
    let breaker = Breaker::new(SETTINGS);
    end(&breaker, &[Ending::Failed; 4]);
    assert_eq!(breaker.state(), State::Open);
    breaker
}

#[tokio::test(start_paused = true)]
async fn it_opens_when_half_of_enough_calls_have_failed_and_not_before() {
    let breaker = Breaker::new(SETTINGS);
    end(&breaker, &[Ending::Failed; 3]);
    assert_eq!(breaker.state(), State::Closed, "three calls are too few to tell");
    end(&breaker, &[Ending::Canceled; 9]);
    assert_eq!(breaker.state(), State::Closed, "a canceled call is no call");

    let breaker = Breaker::new(SETTINGS);
    end(&breaker, &[Ending::Succeeded; 6]);
    end(&breaker, &[Ending::Failed; 5]);
    assert_eq!(breaker.state(), State::Closed, "five of eleven are less than half");
    end(&breaker, &[Ending::Failed]);
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn what_is_older_than_the_window_is_forgotten() {
    let breaker = Breaker::new(SETTINGS);
    end(&breaker, &[Ending::Failed; 3]);
    advance(SETTINGS.window).await;
    end(&breaker, &[Ending::Failed; 3]);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn open_it_refuses_at_once_and_says_for_how_long() {
    let breaker = opened();
    let Open { retry_after } = breaker.admit().unwrap_err();
    assert!((SETTINGS.open_for..=OPEN_AT_MOST).contains(&retry_after), "{retry_after:?}");
    advance(retry_after - Duration::from_millis(1)).await;
    assert_eq!(breaker.admit().unwrap_err().retry_after, Duration::from_millis(1));
    advance(Duration::from_millis(1)).await;
    let _probe = breaker.admit().unwrap();
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[tokio::test(start_paused = true)]
async fn half_open_it_lets_a_few_through_and_closes_when_all_succeed() {
    let breaker = opened();
    advance(OPEN_AT_MOST).await;
    let (first, second) = (breaker.admit().unwrap(), breaker.admit().unwrap());
    assert_eq!(breaker.admit().unwrap_err().retry_after, Duration::ZERO);
    first.succeeded();
    assert!(breaker.admit().is_err(), "one that succeeded gives its place to nobody");
    second.succeeded();
    assert_eq!(breaker.state(), State::Closed);
    end(&breaker, &[Ending::Failed; 3]);
    assert_eq!(breaker.state(), State::Closed, "it counts from nothing");
}

#[tokio::test(start_paused = true)]
async fn half_open_it_opens_again_when_one_fails() {
    let breaker = opened();
    advance(OPEN_AT_MOST).await;
    let (first, second) = (breaker.admit().unwrap(), breaker.admit().unwrap());
    first.failed();
    assert_eq!(breaker.state(), State::Open);
    second.succeeded();
    assert_eq!(breaker.state(), State::Open);
    assert!(breaker.admit().unwrap_err().retry_after >= SETTINGS.open_for);
}

#[tokio::test(start_paused = true)]
async fn a_canceled_probe_gives_its_place_back() {
    let breaker = opened();
    advance(OPEN_AT_MOST).await;
    for _ in 0..20 {
        drop(breaker.admit().unwrap());
    }
    assert_eq!(breaker.state(), State::HalfOpen);
    end(&breaker, &[Ending::Succeeded; 2]);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_call_says_nothing_of_a_phase_that_it_was_not_admitted_in() {
    let breaker = Breaker::new(SETTINGS);
    let late: Vec<_> = (0..4).map(|_| breaker.admit().unwrap()).collect();
    end(&breaker, &[Ending::Failed; 4]);
    advance(OPEN_AT_MOST).await;
    let probe = breaker.admit().unwrap();
    late.into_iter().for_each(Permit::failed);
    assert_eq!(breaker.state(), State::HalfOpen);
    drop(probe);
    end(&breaker, &[Ending::Succeeded; 2]);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn its_state_its_changes_and_its_refusals_are_measured() {
    instrumentation::label! {
        /// The test's breakers.
        enum Name as "circuit" {
            /// The one that is measured.
            Shop = "shop",
        }
    }
    let registry = Registry::new("test", &[Metrics::<Name>::CATALOGUE]);
    let breaker =
        Breaker::measured(&Live::new(SETTINGS), &Metrics::register(&registry), Name::Shop);
    let shows = |line: &str| {
        let text = registry.render();
        assert!(text.lines().any(|known| known == line), "no {line} in\n{text}");
    };
    shows(r#"circuit_breaker_state{circuit="shop",state="closed"} 1"#);

    end(&breaker, &[Ending::Failed; 4]);
    breaker.admit().unwrap_err();
    shows(r#"circuit_breaker_state{circuit="shop",state="closed"} 0"#);
    shows(r#"circuit_breaker_state{circuit="shop",state="open"} 1"#);
    shows(r#"circuit_breaker_transitions_total{circuit="shop",state="open"} 1"#);
    shows(r#"circuit_breaker_rejections_total{circuit="shop"} 1"#);

    advance(OPEN_AT_MOST).await;
    end(&breaker, &[Ending::Succeeded; 2]);
    shows(r#"circuit_breaker_state{circuit="shop",state="closed"} 1"#);
    shows(r#"circuit_breaker_state{circuit="shop",state="open"} 0"#);
    shows(r#"circuit_breaker_transitions_total{circuit="shop",state="half_open"} 1"#);
}

/// What the breaker is to do, written down without a thought for what it costs.
struct Model {
    stands: Stands,
    /// How often that has changed.
    changes: u32,
}

enum Stands {
    Closed(Vec<(Instant, bool)>),
    Open(Instant),
    HalfOpen { in_hand: u32, succeeded: u32 },
}

impl Model {
    fn admits(&mut self, now: Instant) -> bool {
        if matches!(self.stands, Stands::Open(until) if until <= now) {
            self.turn(Stands::HalfOpen { in_hand: 0, succeeded: 0 });
        }
        match &mut self.stands {
            Stands::Closed(_) => true,
            Stands::Open(_) => false,
            Stands::HalfOpen { in_hand, succeeded } => {
                let admits = *in_hand + *succeeded < SETTINGS.probes;
                *in_hand += u32::from(admits);
                admits
            }
        }
    }

    fn takes(&mut self, admitted_after: u32, ending: Ending, now: Instant, open: Stands) {
        if admitted_after != self.changes {
            return;
        }
        match (&mut self.stands, ending) {
            (Stands::Closed(_), Ending::Canceled) | (Stands::Open(_), _) => {}
            (Stands::Closed(ended), _) => {
                ended.push((now, ending == Ending::Failed));
                ended.retain(|(at, _)| now - *at < SETTINGS.window);
                let failed = ended.iter().filter(|(_, failed)| *failed).count();
                if ended.len() >= SETTINGS.minimum as usize && 2 * failed >= ended.len() {
                    self.turn(open);
                }
            }
            (Stands::HalfOpen { .. }, Ending::Failed) => self.turn(open),
            (Stands::HalfOpen { in_hand, .. }, Ending::Canceled) => *in_hand -= 1,
            (Stands::HalfOpen { in_hand, succeeded }, Ending::Succeeded) => {
                (*in_hand, *succeeded) = (*in_hand - 1, *succeeded + 1);
                if *succeeded == SETTINGS.probes {
                    self.turn(Stands::Closed(Vec::new()));
                }
            }
        }
    }

    fn turn(&mut self, stands: Stands) {
        self.stands = stands;
        self.changes += 1;
    }

    fn state(&self) -> State {
        match self.stands {
            Stands::Closed(_) => State::Closed,
            Stands::Open(_) => State::Open,
            Stands::HalfOpen { .. } => State::HalfOpen,
        }
    }
}

/// Until when the breaker is open, which only it knows.
fn until(breaker: &Breaker) -> Instant {
    match breaker.lock().phase {
        Phase::Open { until } => until,
        _ => Instant::now(),
    }
}

/// Calls come, overlap and end at random; the time goes on by whole slices, so that the model's
/// window and the breaker's end at the same moment.
#[tokio::test(start_paused = true)]
async fn whatever_happens_it_does_what_the_model_does() {
    let mut seen = [0; 3];
    for seed in 0..200 {
        let mut rng = StdRng::seed_from_u64(seed);
        let breaker = Breaker::new(SETTINGS);
        let mut model = Model { stands: Stands::Closed(Vec::new()), changes: 0 };
        let mut in_hand = Vec::new();
        let bad = rng.random_range(0.0..1.0);
        for step in 0..400 {
            let at = format!("seed {seed}, step {step}");
            match rng.random_range(0..10) {
                0 => advance(SLICE * rng.random_range(0..5)).await,
                1 if breaker.state() == State::Open => advance(SETTINGS.open_for).await,
                2..6 => {
                    let admitted = breaker.admit();
                    assert_eq!(admitted.is_ok(), model.admits(Instant::now()), "{at}");
                    in_hand.extend(admitted.map(|permit| (permit, model.changes)));
                }
                _ if in_hand.is_empty() => {}
                _ => {
                    let place = rng.random_range(0..in_hand.len());
                    let (permit, admitted_after) = in_hand.swap_remove(place);
                    let ending = match rng.random_bool(0.1) {
                        true => Ending::Canceled,
                        false if rng.random_bool(bad) => Ending::Failed,
                        false => Ending::Succeeded,
                    };
                    give(permit, ending);
                    let open = Stands::Open(until(&breaker));
                    model.takes(admitted_after, ending, Instant::now(), open);
                }
            }
            assert_eq!(breaker.state(), model.state(), "{at}");
            seen[breaker.state().index()] += 1;
        }
    }
    assert!(seen.iter().all(|steps| *steps > 1000), "too little of some state: {seen:?}");
}
