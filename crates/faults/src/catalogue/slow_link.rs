//! The way from order-api to the database has become long.
//!
//! Whatever order-api says to its database arrives 30 ms later, and so does what comes back. A
//! statement that took one millisecond takes sixty, and so does every other, even `SELECT 1`: the p50
//! of all queries in `db_statement_duration_seconds` rises by the same. An order asks some fifteen
//! times, one after the other, so placing one takes most of a second. The database itself has less to
//! do than ever: its own clock (`pg_stat_statements`) finds every statement as fast as before, and its
//! sessions idle in the middle of their transactions, waiting for what order-api says next.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer};
use crate::{
    action::Action,
    contract::{ANY, Contract, Slo, Traces, metrics, rows, told, traces},
    parameters::Parameter,
};

pub(super) const FAULT: Fault = Fault {
    name: "slow-link",
    source: include_str!("slow_link.rs"),
    layer: Layer::Database,
    family: Family::SlowDatabase,
    parameters: &[
        Parameter {
            name: "ms",
            meaning: "how much longer everything takes in each direction, in milliseconds",
            default: 30.0,
            min: 1.0,
            max: 1000.0,
        },
        Parameter {
            name: "jitter_ms",
            meaning: "how much beyond that at most, in milliseconds",
            default: 5.0,
            min: 0.0,
            max: 1000.0,
        },
    ],
    mechanism: |settings| {
        let [latency_ms, jitter_ms] = ["ms", "jitter_ms"].map(|name| settings.get(name));
        vec![Action::Lengthen { latency_ms, jitter_ms }]
    },
    contract: Contract {
        witness: rows(
            "to the database, order-api's sessions pause in the middle of their transactions",
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'order-api' AND state = 'idle in transaction' AND wait_event = 'ClientRead' AND clock_timestamp() - state_change > interval '15 milliseconds'",
            "",
        ),
        signature: &[
            metrics(
                "even a statement that asks for nothing takes long",
                r#"histogram_quantile(0.5, sum by (le) (rate(db_statement_duration_seconds_bucket{query="ping"}[30s]))) > 0.04"#,
            ),
            metrics(
                "there is no statement that does not",
                r#"min(histogram_quantile(0.5, sum by (le, query) (rate(db_statement_duration_seconds_bucket[30s])))) > 0.04"#,
            ),
            traces(
                "traces of orders in which adding a row takes long",
                Traces { like: &[("step", "insert_event"), ("lasting", "40ms")], ..ANY },
            ),
        ],
        fires: &["GatewayLatencyBurn"],
        // The first time on a connection a statement is prepared too, in a few round trips more: those
        // that are rare may come to be slow queries.
        silent: &["DbPoolSaturated", "RuntimeLagHigh"],
        tells: &[
            told(
                "latency",
                "the time is spent in statements",
                r#"histogram_quantile(0.5, sum by (le) (rate(db_statement_duration_seconds_bucket{query="insert_event"}[30s]))) > 0.04"#,
            ),
            told(
                "pool-leak",
                "nobody waits for a connection in vain",
                "sum(rate(db_pool_timeouts_total[30s])) == 0",
            ),
            told(
                "n-plus-one",
                "reading orders takes no more statements than ever",
                r#"sum(rate(db_statement_duration_seconds_count{query="get_order"}[30s])) < 2 * sum(rate(grpc_requests_total{job="order-api", method="GetOrder"}[30s])) + 2"#,
            ),
            told(
                "missing-index",
                "it is the same for statements that read no table",
                r#"histogram_quantile(0.5, sum by (le) (rate(db_statement_duration_seconds_bucket{query="ping"}[30s]))) > 0.04"#,
            ),
            told(
                "migration-lock",
                "all statements end, and none takes much longer than another",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query=~"sample_oldest|claim_due"}[30s]))) < 0.5"#,
            ),
            told(
                "hot-row",
                "reading takes as long as writing",
                r#"histogram_quantile(0.5, sum by (le) (rate(db_statement_duration_seconds_bucket{query="sample_oldest"}[30s]))) > 0.04"#,
            ),
            told(
                "lock-convoy",
                "the time is spent in statements",
                r#"histogram_quantile(0.5, sum by (le) (rate(db_statement_duration_seconds_bucket{query="insert_event"}[30s]))) > 0.04"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Latency),
        recovers_within: Duration::from_secs(240),
    },
    hints: [
        "Everything that touches the database is slower, and by the same: which statement is not?",
        "Compare what a statement takes by order-api's clock with what it takes by the database's \
         (pg_stat_statements), and look what sessions wait for in pg_stat_activity.",
        "The statements are fast and the answers are late: the time is lost on the way between the \
         two, once for every round trip.",
    ],
    red_herring: "The database: it has nothing to do, and each of its statements is as fast as ever.",
    fix: "Have the way repaired or go another one; until then, ask less often: each round trip that an \
          order does without saves it 60 ms.",
    repairs: &[],
    incident: Incident {
        what: "GitHub, 2018: after a network partition of 43 seconds its primary databases were on the \
               other coast, and applications could not cope with a cross-country round trip for each \
               of their queries.",
        url: "https://github.blog/2018-10-30-oct21-post-incident-analysis/",
    },
};
