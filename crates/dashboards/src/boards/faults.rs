//! Faults: what is on, since when, and what it did. It gives the answers away, so nobody is led here.

use faults::{FAULTS, Family};

use crate::model::{Dashboard, Level, Panel, Unit};

pub(super) fn dashboard() -> Dashboard {
    Dashboard::new(
        "faults",
        "Faults (gives the answers away)",
        "For those who teach, and for afterwards: what was turned on when, beside what was promised \
         to customers and what fired. Learners stay away from it while they look.",
    )
    .next(&["slos", "alerts", "start-here"])
    .row("What they did", effects())
    .row("What is on", Family::ALL.iter().map(|family| on(*family)))
}

fn effects() -> [Panel; 3] {
    [
        Panel::stat("On now", Unit::Count)
            .says("How many are on. Good: 0, all that is wrong then is wrong by itself.")
            .draws("sum(fault_armed)", "on")
            .too_high(1.0, 2.0)
            .size(4, 8),
        Panel::lines("Burn rates", Unit::Times)
            .says("How many times faster than allowed promises are broken. Good: below 1.")
            .draws("slo:burn_rate:ratio1m", "{{slo}}")
            .limits([(1.0, Level::Warn), (14.4, Level::Bad)])
            .size(10, 8)
            .next("slos"),
        Panel::timeline("Alerts")
            .says("Which alert was firing when: after its fault, or without one. Good: empty.")
            .draws(
                "max by (alertname, severity) (ALERTS{alertstate=\"firing\"})",
                "{{alertname}} ({{severity}})",
            )
            .means(1, "firing", Level::Bad)
            .size(10, 8)
            .next("alerts"),
    ]
}

/// The faults of a family, which look alike at first.
fn on(family: Family) -> Panel {
    let members = FAULTS.iter().filter(|fault| fault.family == family);
    let names: Vec<_> = members.map(|fault| fault.name).collect();
    Panel::timeline(capitalized(family.name()))
        .says(format!("What tells them apart: {} Good: all off.", family.question()))
        .draws(format!("fault_armed{{fault=~\"{}\"}}", names.join("|")), "{{fault}}")
        .means(0, "off", Level::Good)
        .means(1, "on", Level::Bad)
        .size(12, 8)
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}
