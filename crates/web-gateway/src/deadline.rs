//! The time that a request has, from its arrival to its answer.

use std::time::Duration;

use tokio::time::Instant;

/// When a request must be answered: one budget for all that is done for it.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    budget: Duration,
    at: Instant,
}

impl Deadline {
    /// A deadline this far from now.
    pub fn after(budget: Duration) -> Self {
        Self { budget, at: Instant::now() + budget }
    }

    /// The moment.
    pub fn at(self) -> Instant {
        self.at
    }

    /// How long it was in the beginning.
    pub fn budget(self) -> Duration {
        self.budget
    }

    /// How long it is now.
    pub fn remaining(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }
}
