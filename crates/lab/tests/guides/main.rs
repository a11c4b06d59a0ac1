//! The guides of docs/guides, followed: every block is run against a real lab, in order, and what
//! the guide says it shows is what it shows.
//!
//! With `MISHAP_GUIDES_IN_COMPOSE` set it is the lab that runs in compose, one guide after the other
//! (`--test-threads 1`); `GATEWAY_PORT`, `DESK_PORT` and `PROMETHEUS_PORT` say where, as for compose.

mod guide;
mod lab;
mod learner;
mod pattern;

use std::fs;

use guide::Guide;
use lab::Lab;
use learner::Learner;

/// Makes a test of each guide.
macro_rules! guides {
    ($($test:ident: $name:literal),* $(,)?) => {
        const TESTED: &[&str] = &[$($name),*];

        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                follow($name).await;
            }
        )*
    };
}

guides! {
    the_map_is_true: "README",
    the_guide_to_logs_is_true: "logs",
    the_guide_to_metrics_is_true: "metrics",
    the_guide_from_one_to_the_other_is_true: "pivot",
    the_guide_to_traces_is_true: "traces",
}

/// Follows a guide from its first block to its last, as somebody would who has just started a lab.
async fn follow(name: &str) {
    let guide = Guide::read(name);
    let watched = guide.asks_prometheus();
    // In compose it is there, whatever this machine has.
    let here = watched && !Lab::is_in_compose();
    if here && testbed::left_out(testbed::Prometheus::available()) {
        return;
    }
    let lab = Lab::start(watched).await;
    let learner = Learner::of(&lab);
    for step in guide.steps().iter().filter(|step| step.only.is_none_or(|kind| kind == lab.kind)) {
        learner.take(&guide, step).await;
    }
}

#[test]
fn every_guide_is_followed() {
    let files = fs::read_dir(guide::folder()).expect("the folder is there").flatten();
    let mut names: Vec<_> =
        files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let tested: Vec<_> = TESTED.iter().map(|name| format!("{name}.md")).collect();
    assert_eq!(names, tested);
}

#[test]
fn a_guide_leads_only_to_what_is_there() {
    for name in TESTED {
        let broken = Guide::read(name).broken_links();
        assert_eq!(broken, Vec::<String>::new(), "{name}");
    }
}
