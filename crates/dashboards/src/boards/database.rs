//! Database: what order-api sees of it, and what Postgres says itself.

use crate::{
    model::{Dashboard, Level, Panel, Unit},
    promql::{rate, share},
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard::new(
        "database",
        "Database",
        "Is it the connections, the statements, the locks or the machine? Above, what order-api \
         waits for; below, what Postgres says itself (in compose).",
    )
    .next(&["start-here", "order-api", "hosts"])
    .row("Connections: the pool of order-api", pool())
    .row("Statements, as order-api sees them", statements())
    .row("Sessions and locks, as Postgres sees them (in compose)", sessions())
    .row("Transactions, as Postgres sees them (in compose)", transactions())
    .row("Tables and statements, as Postgres sees them (in compose)", tables())
}

fn pool() -> [Panel; 4] {
    [
        Panel::areas("Connections", Unit::Count)
            .says(
                "What the pooled connections do, and how many there may be. Good: used well below \
                 the limit; from 90% on calls queue for them (alert DbPoolSaturated).",
            )
            .draws("sum by (state) (db_pool_connections)", "{{state}}")
            .draws("sum(db_pool_connections_max)", "limit")
            .tone("limit", Level::Neutral),
        Panel::lines("Waiting for a connection", Unit::Count)
            .says("Calls that wait for one, and that waited in vain. Good: 0.")
            .draws("sum(db_pool_waiters)", "waiting")
            .draws(rate("", "db_pool_timeouts_total"), "in vain, per second")
            .tone("in vain, per second", Level::Bad)
            .too_high(1.0, 5.0),
        Panel::lines("Time waited for a connection", Unit::Seconds)
            .says(
                "Good: below 1 ms. High while statements are fast: connections are leaked, or \
                 held during something else.",
            )
            .percentiles("db_pool_wait_duration_seconds", "")
            .too_high(0.05, 0.5),
        Panel::lines("Time a connection is kept", Unit::Seconds)
            .says(
                "By a call, from getting it to giving it back. Good: little more than its \
                 statements take.",
            )
            .percentiles("db_pool_use_duration_seconds", ""),
    ]
    .map(|panel| panel.size(6, 8))
}

fn statements() -> [Panel; 4] {
    [
        Panel::areas("Statements", Unit::PerSecond)
            .says(
                "By name. Good: moves with the calls; one that multiplies is a loop around a \
                 query.",
            )
            .draws(
                format!("{} > 0", rate("query", "db_statement_duration_seconds_count")),
                "{{query}}",
            ),
        Panel::lines("Duration", Unit::Seconds)
            .says(
                "p95 by statement. Good: below 50 ms. One alone: its plan or its locks. All: the \
                 way there, or the machine.",
            )
            .draws("query:db_statement_duration_seconds:p95 > 0", "{{query}}")
            .bad_from(0.25),
        Panel::areas("Time in statements", Unit::Count)
            .says(
                "How many connections each statement keeps busy on average: how often times how \
                 long. Good: far below the pool's limit. The widest band is what to improve.",
            )
            .draws(
                format!("{} > 0", rate("query", "db_statement_duration_seconds_sum")),
                "{{query}}",
            ),
        Panel::lines("Transactions done again", Unit::PerSecond)
            .says("After a conflict with another. Good: 0; else many want the same row.")
            .draws(rate("", "db_transaction_retries_total"), "done again")
            .too_high(0.1, 1.0),
    ]
    .map(|panel| panel.size(12, 8))
}

fn sessions() -> [Panel; 4] {
    let by = |label: &str, gauge: &str| format!("sum by ({label}) ({gauge}) > 0");
    let waiting = r#"pg_stat_activity_count{datname="shop", wait_event_type!=""}"#;
    [
        Panel::areas("Sessions by state", Unit::Count)
            .says(
                "Good: mostly idle, far below the limit (alert DbConnectionsHigh). Idle in \
                 transaction holds locks and does nothing.",
            )
            .draws(by("state", r#"pg_stat_activity_count{datname="shop"}"#), "{{state}}")
            .draws("max(pg_settings_max_connections)", "max_connections")
            .tone("idle in transaction.*", Level::Bad)
            .tone("max_connections", Level::Neutral),
        Panel::areas("What sessions wait for", Unit::Count)
            .says(
                "Good: Client, which is the shop's turn. Lock: another transaction has it (alert \
                 DbLockWaitHigh). IO: the disk. LWLock: Postgres itself.",
            )
            .draws(by("wait_event_type", waiting), "{{wait_event_type}}")
            .tone("Lock", Level::Bad),
        Panel::areas("Locks by mode", Unit::Count)
            .says(
                "Good: share modes that come and go. An accessexclusivelock stops everyone at that \
                 table.",
            )
            .draws(by("mode", r#"pg_locks_count{datname="shop"}"#), "{{mode}}")
            .tone("accessexclusivelock", Level::Bad),
        Panel::lines("Longest transaction", Unit::Seconds)
            .says("Good: below a second. A long one keeps its locks, and what vacuum would remove.")
            .draws(r#"max(pg_stat_activity_max_tx_duration{datname="shop"})"#, "longest")
            .too_high(5.0, 30.0),
    ]
    .map(|panel| panel.size(6, 8))
}

/// A counter of the shop's database.
fn counter(name: &str) -> String {
    rate("", &format!(r#"pg_stat_database_{name}{{datname="shop"}}"#))
}

fn transactions() -> [Panel; 4] {
    let (hit, read) = (counter("blks_hit"), counter("blks_read"));
    [
        Panel::lines("Transactions", Unit::PerSecond)
            .says("Good: commits; rollbacks only for refused orders.")
            .draws(counter("xact_commit"), "committed")
            .draws(counter("xact_rollback"), "rolled back")
            .tone("rolled back", Level::Warn),
        Panel::lines("Deadlocks", Unit::PerSecond)
            .says("Good: 0. Else two transactions take the same rows in different order.")
            .draws(counter("deadlocks"), "deadlocks")
            .bad_from(0.001),
        Panel::lines("Rows", Unit::PerSecond)
            .says(
                "Returned: looked at; fetched: wanted. Good: close together. Far apart, an index \
                 is missing.",
            )
            .draws(counter("tup_returned"), "returned")
            .draws(counter("tup_fetched"), "fetched")
            .draws(counter("tup_inserted"), "inserted")
            .draws(counter("tup_updated"), "updated"),
        Panel::lines("Blocks found in memory", Unit::Ratio)
            .says("Good: above 99%. Lower, the disk decides how fast statements are.")
            .draws(format!("{hit} / ({hit} + {read} > 0)"), "in memory")
            .too_low(0.99, 0.9),
    ]
    .map(|panel| panel.size(6, 8))
}

fn tables() -> [Panel; 4] {
    let rows = |kind: &str| format!("sum by (relname) (pg_stat_user_tables_n_{kind}_tup)");
    let (live, dead) = (rows("live"), rows("dead"));
    let (seconds, calls) = ("pg_stat_statements_seconds_total", "pg_stat_statements_calls_total");
    [
        Panel::lines("Rows read by scans of whole tables", Unit::PerSecond)
            .says("By table. Good: few, or small tables; else an index is missing.")
            .draws(rate("relname", "pg_stat_user_tables_seq_tup_read"), "{{relname}}"),
        Panel::lines("Dead rows", Unit::Ratio)
            .says("By table: rows that vacuum has not removed yet. Good: below 20%.")
            .draws(format!("{dead} / ({live} + {dead} > 0)"), "{{relname}}")
            .too_high(0.2, 0.5),
        Panel::lines("Size", Unit::Bytes)
            .says("Good: grows with the orders, and not faster.")
            .draws(r#"pg_database_size_bytes{datname="shop"}"#, "database")
            .draws("pg_wal_size_bytes", "write-ahead log"),
        Panel::table("Statements that take most", Unit::Count)
            .says(
                "From pg_stat_statements: which of them keep Postgres busy. Good: the mean is far \
                 below a millisecond. Compare with the duration above: the difference is the way.",
            )
            .column("busy", Unit::Ratio, format!("topk(10, {})", rate("queryid", seconds)))
            .column("calls", Unit::PerSecond, rate("queryid", calls))
            .column("mean", Unit::Seconds, share("queryid", seconds, calls))
            .size(24, 8),
    ]
}
