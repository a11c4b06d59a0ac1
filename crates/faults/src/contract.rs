//! What a fault promises: how it shows, what it hurts, and how it ends.
//!
//! `lab prove` holds every fault to it. At rest neither its witness nor a sign of its signature is
//! there; when the fault is on, they and all that tells it from others are within [`WITHIN`], its alerts
//! fire and those that must not do not; when it is off, all is quiet again in time.

use std::time::Duration;

/// How long a fault may take to show.
pub const WITHIN: Duration = Duration::from_secs(150);

/// What a fault promises.
#[derive(Clone, Copy, Debug)]
pub struct Contract {
    /// That the fault took hold, seen by somebody who did not turn it on.
    pub witness: Sign,
    /// How it shows: all of these at the same time.
    pub signature: &'static [Sign],
    /// Alerts that must fire.
    pub fires: &'static [&'static str],
    /// Alerts that must not, though they do for a sibling.
    pub silent: &'static [&'static str],
    /// What tells it from its siblings: these are true of it, and not of them. At rest they may be true,
    /// too.
    pub tells: &'static [Tell],
    /// It goes on when what began it has passed: its signs count only after so long, and not at all
    /// before.
    pub outlives: Duration,
    /// What must be gone for it to be repaired, where that is not its witness: because the witness goes
    /// on whoever repairs it, or is not in the metrics.
    pub gone: Option<Sign>,
    /// Which promise to the customers it breaks; none for what spoils only what is known of the shop, for
    /// controls, and for what shows before it hurts.
    pub impact: Option<Slo>,
    /// How soon after healing all is quiet.
    pub recovers_within: Duration,
}

/// Something that can be seen, or not.
#[derive(Clone, Copy, Debug)]
pub struct Sign {
    /// What it is, in words.
    pub says: &'static str,
    /// Where to look.
    pub look: Look,
}

/// What tells a fault from a sibling.
#[derive(Clone, Copy, Debug)]
pub struct Tell {
    /// The sibling's name.
    pub from: &'static str,
    /// What is seen of the fault, and not of the sibling.
    pub sign: Sign,
}

/// Where something is seen.
#[derive(Clone, Copy, Debug)]
pub enum Look {
    /// A query in PromQL; it is seen if there is a result.
    Metrics(&'static str),
    /// Traces of the last minute.
    Traces(Traces),
    /// Lines of the log of the last minute.
    Logs(Logs),
    /// A query in SQL to the shop's database; it is seen if there is a row.
    Database(Sql),
    /// A query in SQL for a number; it is seen if that has grown since the fault was turned on.
    Grown(Sql),
}

/// A query to the shop's database, in each of its dialects; empty where there is no such thing to see.
#[derive(Clone, Copy, Debug)]
pub struct Sql {
    /// For Postgres.
    pub postgres: &'static str,
    /// For SQLite.
    pub sqlite: &'static str,
}

impl Sql {
    /// The same in both.
    pub const fn both(sql: &'static str) -> Self {
        Self { postgres: sql, sqlite: sql }
    }

    /// In Postgres alone.
    pub const fn postgres(sql: &'static str) -> Self {
        Self { postgres: sql, sqlite: "" }
    }
}

/// So many traces like this, at least: settings as of `lab traces`.
#[derive(Clone, Copy, Debug)]
pub struct Traces {
    /// As in `route=/orders slow=500ms`.
    pub like: &'static [(&'static str, &'static str)],
    /// What their first step is called; empty for any.
    pub root: &'static str,
    /// A service that they never reach; empty for none.
    pub without: &'static str,
    /// How many of them there must be.
    pub at_least: usize,
}

/// So many lines like this: settings as of `lab logs`.
#[derive(Clone, Copy, Debug)]
pub struct Logs {
    /// As in `service=order-api text=stored`.
    pub like: &'static [(&'static str, &'static str)],
    /// How many of them there must be.
    pub at_least: usize,
}

/// A promise to the customers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slo {
    /// Requests are answered without an error.
    Availability,
    /// Requests are answered soon.
    Latency,
    /// Looks at products and at pages of orders are answered at once.
    Browsing,
    /// Orders are fulfilled soon.
    Fulfillment,
    /// Orders are fulfilled once.
    Correctness,
    /// Payments are decided.
    Payment,
}

impl Slo {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Availability => "availability",
            Self::Latency => "latency",
            Self::Browsing => "browsing",
            Self::Fulfillment => "fulfillment",
            Self::Correctness => "correctness",
            Self::Payment => "payment",
        }
    }

    /// In PromQL: whether it is being broken.
    pub fn is_broken(self) -> String {
        format!("slo:burn_rate:ratio1m{{slo=\"{}\"}} > 1", self.name())
    }
}

/// Seen if this query has a result.
pub(crate) const fn metrics(says: &'static str, query: &'static str) -> Sign {
    Sign { says, look: Look::Metrics(query) }
}

/// Seen if there are so many traces like this.
pub(crate) const fn traces(says: &'static str, traces: Traces) -> Sign {
    Sign { says, look: Look::Traces(traces) }
}

/// Seen if there are so many lines like this.
pub(crate) const fn logs(
    says: &'static str,
    at_least: usize,
    like: &'static [(&'static str, &'static str)],
) -> Sign {
    Sign { says, look: Look::Logs(Logs { like, at_least }) }
}

/// Seen if this query has a row, for each of the databases.
pub(crate) const fn rows(says: &'static str, postgres: &'static str, sqlite: &'static str) -> Sign {
    Sign { says, look: Look::Database(Sql { postgres, sqlite }) }
}

/// Seen if the number that Postgres says has grown.
pub(crate) const fn grown(says: &'static str, postgres: &'static str) -> Sign {
    Sign { says, look: Look::Grown(Sql { postgres, sqlite: "" }) }
}

/// Told from this sibling if this query has a result.
pub(crate) const fn told(from: &'static str, says: &'static str, query: &'static str) -> Tell {
    Tell { from, sign: metrics(says, query) }
}

/// Any trace.
pub(crate) const ANY: Traces = Traces { like: &[], root: "", without: "", at_least: 3 };
