//! How everything is, in one answer.

use std::fmt;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::{
    Parts,
    ledger::ArmedFault,
    provider::ProviderStatus,
    queues::Waiting,
    remote::{Remote, ServiceStatus},
};
use crate::customers::{Load, Snapshot};

/// The services, the traffic, the queue, the payments and the faults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The services, in the direction an order flows.
    pub services: Vec<ServiceStatus>,
    /// How many customers come.
    pub load: Load,
    /// What they see.
    pub traffic: Snapshot,
    /// How much waits in the broker; none if it does not answer.
    pub queue: Option<Waiting>,
    /// The payment provider.
    pub provider: ProviderStatus,
    /// The faults that are on.
    pub faults: Vec<ArmedFault>,
}

impl Status {
    /// Asks everyone.
    pub(super) async fn take(parts: &Parts) -> Self {
        let services = join_all(parts.known().map(Remote::status));
        let (services, queue) = tokio::join!(services, parts.queues.waiting());
        Self {
            services,
            load: parts.customers.load(),
            traffic: parts.customers.snapshot(),
            queue: queue.ok(),
            provider: ProviderStatus::of(&parts.provider),
            faults: parts.ledger.on(),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("services")?;
        self.services.iter().try_for_each(|service| write!(f, "\n  {service}"))?;
        write!(f, "\ntraffic: {}\n{}", self.load, self.traffic)?;
        match self.queue {
            Some(queue) => write!(f, "\nqueue\n  {queue}")?,
            None => f.write_str("\nqueue\n  the broker does not answer")?,
        }
        write!(f, "\npayments\n  {}", self.provider.in_short())?;
        write!(f, "\nfaults\n{}", Listed(&self.faults))
    }
}

/// The faults that are on, a line each.
pub(super) struct Listed<'a>(pub(super) &'a [ArmedFault]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("  none is on");
        }
        let lines: Vec<_> = self.0.iter().map(|fault| format!("  {fault}")).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl fmt::Display for ArmedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, settings, until, remaining_seconds } = self;
        let until = until.format("%T");
        write!(f, "{name} {settings}, until {until} UTC ({remaining_seconds} s more)")
    }
}

impl fmt::Display for ServiceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match (self.up, self.ready) {
            (false, _) => "does not answer",
            (true, false) => "up, not ready",
            (true, true) => "ready",
        };
        write!(f, "{:<20}{state}", self.name())
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.enabled { "on" } else { "off" };
        write!(f, "{state}, {} journeys per second", self.rate)
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |seconds: f64| seconds * 1000.0;
        for (name, rate, times) in [
            ("requests", self.requests_per_second, self.requests),
            ("orders", self.orders_per_second, self.orders),
        ] {
            writeln!(
                f,
                "  {name:<9} {rate:>7.1} /s   p50 {:.0} ms   p95 {:.0} ms   p99 {:.0} ms",
                millis(times.p50_seconds),
                millis(times.p95_seconds),
                millis(times.p99_seconds),
            )?;
        }
        writeln!(f, "  errors    {:>7.1} %", self.error_ratio * 100.0)?;
        write!(
            f,
            "  since the start: {} orders placed, {} seen fulfilled, {} requests, {} errors, \
             {} refused, {} dropped",
            self.orders_placed,
            self.orders_fulfilled_seen,
            self.requests_total,
            self.errors_total,
            self.refused_total,
            self.dropped_total,
        )
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { waiting, retrying, dead } = self;
        write!(f, "{waiting} waiting, {retrying} to be tried again, {dead} given up")
    }
}
