//! A change of the table of orders waits for a lock, and everybody else waits behind it.
//!
//! A report has read the orders and left its transaction open: idle, and no harm to anybody. Then a
//! migration comes that would take a millisecond, and needs the table for itself. It waits for the
//! report, and in the queue for a lock nobody overtakes: all statements on orders wait behind the
//! migration, reading ones too. Calls pile up, connections are used up, and requests end at their
//! deadline. The database has nothing to do. Who kills the migration sees it come again.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer};
use crate::{
    action::{Action, Deed},
    contract::{Contract, Slo, Sql, metrics, rows, told},
    repair::Repair,
};

pub(super) const FAULT: Fault = Fault {
    name: "migration-lock",
    source: include_str!("migration_lock.rs"),
    layer: Layer::Database,
    family: Family::SlowDatabase,
    parameters: &[],
    mechanism: |_| vec![Action::Database(Deed::LockOrders)],
    contract: Contract {
        witness: rows(
            "sessions wait for the table of orders, and one that is idle keeps it",
            "SELECT 1 FROM pg_locks AS waiting JOIN pg_locks AS held USING (locktype, database, relation) JOIN pg_stat_activity AS keeper ON keeper.pid = held.pid WHERE NOT waiting.granted AND held.granted AND relation = 'orders'::regclass AND keeper.state = 'idle in transaction'",
            "",
        ),
        signature: &[
            metrics(
                "statements on orders take seconds or are given up",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query=~"sample_oldest|claim_due"}[30s]))) > 1"#,
            ),
            metrics(
                "calls pile up in order-api",
                r#"sum(avg_over_time(grpc_requests_active{job="order-api"}[20s])) > 4"#,
            ),
        ],
        fires: &["GatewayAvailabilityBurn"],
        silent: &["PaymentSuccessBurn"],
        tells: &[
            told(
                "pool-leak",
                "statements that need no connection of the pool wait too",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="sample_oldest"}[30s]))) > 1"#,
            ),
            told(
                "missing-index",
                "all statements on orders wait, not one",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="claim_due"}[30s]))) > 1"#,
            ),
            told(
                "hot-row",
                "reading waits, too",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="sample_oldest"}[30s]))) > 1"#,
            ),
            told(
                "lock-convoy",
                "reading waits, too",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="sample_oldest"}[30s]))) > 1"#,
            ),
            told(
                "latency",
                "reading waits, too",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="sample_oldest"}[30s]))) > 1"#,
            ),
            told(
                "n-plus-one",
                "requests are given up",
                r#"sum(rate(http_requests_total{job="web-gateway", status_code=~"503|504"}[30s])) > 0"#,
            ),
            told(
                "slow-link",
                "the database answers at once when it is asked for nothing",
                r#"histogram_quantile(0.9, sum by (le) (rate(db_statement_duration_seconds_bucket{query="ping"}[30s]))) < 0.25"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Availability),
        recovers_within: Duration::from_secs(420),
    },
    hints: [
        "Everything about orders stands still, and products are still shown: what do the two not share?",
        "The database is not busy. Ask pg_stat_activity who waits, and pg_blocking_pids for whom.",
        "Follow the chain to its end: all wait for an ALTER TABLE, which waits for a session that does \
         nothing and has not ended its transaction.",
    ],
    red_herring: "The migration, on which all others wait: it is the first victim, and comes again.",
    fix: "End the session that is idle in its transaction. Give \
          migrations a lock_timeout, and sessions an idle_in_transaction_session_timeout.",
    repairs: &[Repair::Run(Sql::postgres(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name <> 'order-api' AND state = 'idle in transaction'",
    ))],
    incident: Incident {
        what: "GoCardless, 2015: a change of a table waited for a long read, and all queries of the API \
               on that table waited behind it for 15 seconds.",
        url: "https://gocardless.com/blog/zero-downtime-postgres-migrations-the-hard-parts/",
    },
};
