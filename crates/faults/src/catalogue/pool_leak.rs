//! A connection to the database is lost with every declined card.
//!
//! In order-api, the branch that lets go of an order whose payment was declined takes a pooled
//! connection and never gives it back. Nothing happens at first: declined cards are few. Then
//! `db_pool_connections{state="used"}` has climbed, step by step, to its maximum, and everybody waits
//! for a connection (`db_pool_wait_duration_seconds`, `db_pool_timeouts_total`), for statements that
//! then take a millisecond. To the database it looks like idle sessions. A restart helps until as
//! many cards were declined again.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer, detour, share};
use crate::{
    action::Action,
    contract::{ANY, Contract, Slo, Traces, metrics, told, traces},
    parameters::Parameter,
    repair::Repair,
    seam::{Seam, Service},
};

pub(super) const FAULT: Fault = Fault {
    name: "pool-leak",
    source: include_str!("pool_leak.rs"),
    layer: Layer::Database,
    family: Family::SlowDatabase,
    parameters: &[
        share("share of declined orders that lose a connection", 1.0),
        Parameter {
            name: "declined",
            meaning: "share of cards that are declined meanwhile",
            default: 0.15,
            min: 0.0,
            max: 1.0,
        },
    ],
    mechanism: |settings| {
        let declined = settings.get("declined").to_string();
        vec![
            detour(Seam::DeclineOrder, settings),
            Action::Provider(vec![("decline_rate", declined)]),
        ]
    },
    contract: Contract {
        witness: metrics(
            "connections are in use, and no call uses one: none is being answered that would",
            r#"db_pool_connections{state="used"} / ignoring (state) db_pool_connections_max > 0.9 and on () (sum(rate(db_statement_duration_seconds_sum[30s])) < 2)"#,
        ),
        signature: &[
            metrics("calls wait for a connection in vain", "rate(db_pool_timeouts_total[30s]) > 0"),
            traces(
                "traces with a long wait for a connection",
                Traces { like: &[("step", "wait for a connection"), ("lasting", "1s")], ..ANY },
            ),
        ],
        fires: &["DbPoolSaturated"],
        silent: &["DbSlowQueries", "RuntimeLagHigh"],
        tells: &[
            told(
                "latency",
                "calls wait for a connection",
                "histogram_quantile(0.95, sum by (le) \
                 (rate(db_pool_wait_duration_seconds_bucket[30s]))) > 0.5",
            ),
            told(
                "n-plus-one",
                "calls wait for a connection in vain",
                "rate(db_pool_timeouts_total[30s]) > 0",
            ),
            told(
                "migration-lock",
                "statements that need no connection of the pool are as fast as ever",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="sample_oldest"}[30s]))) < 0.25"#,
            ),
            told(
                "hot-row",
                "calls wait for a connection in vain",
                r#"rate(db_pool_timeouts_total[30s]) > 0"#,
            ),
            told(
                "lock-convoy",
                "calls wait for a connection in vain",
                r#"rate(db_pool_timeouts_total[30s]) > 0"#,
            ),
            told(
                "missing-index",
                "calls wait for a connection in vain",
                r#"rate(db_pool_timeouts_total[30s]) > 0"#,
            ),
            told(
                "slow-link",
                "statements that need no connection of the pool are as fast as ever",
                r#"histogram_quantile(0.5, sum by (le) (rate(db_statement_duration_seconds_bucket{query="ping"}[30s]))) < 0.03"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Availability),
        recovers_within: Duration::from_secs(240),
    },
    hints: [
        "Something that all calls of order-api need is used up: look at the row of its pool.",
        "In a slow trace, find the wait for a connection, and how long the statement takes that \
         follows it.",
        "Used connections rise in steps and never fall, with every declined card: that branch does not \
         give its connection back.",
    ],
    red_herring: "The database: it has time, and answers at once whoever gets through.",
    fix: "Roll back the release whose branch leaks; a restart only empties the pool to be leaked \
          again.",
    repairs: &[Repair::RollBack(Service::OrderApi)],
    incident: Incident {
        what: "GitHub, 2022: at times of peak load its main database cluster ran out of what its \
               many clients share, and services far from the cause failed.",
        url: "https://github.blog/2022-03-23-an-update-on-recent-service-disruptions/",
    },
};
