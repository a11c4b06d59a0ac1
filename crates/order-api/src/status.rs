//! Where an order stands, and the one table of how it may move on.

instrumentation::label! {
    /// Where an order stands.
    pub enum Status as "status" {
        /// Stored, stock reserved, waiting to be fulfilled.
        Placed = "placed",
        /// Picked and packed. Final.
        Fulfilled = "fulfilled",
        /// Could not be fulfilled; its stock is back. Final.
        Failed = "failed",
    }
}

/// A move that an order may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Where it comes from.
    pub from: Status,
    /// Where it goes.
    pub to: Status,
    /// Whether its stock is returned on the way.
    pub returns_stock: bool,
}

/// Every move there is; what is not in here cannot happen.
pub const TRANSITIONS: &[Transition] = &[
    Transition { from: Status::Placed, to: Status::Fulfilled, returns_stock: false },
    Transition { from: Status::Placed, to: Status::Failed, returns_stock: true },
];

/// What asking an order to move on comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It may.
    Take(Transition),
    /// It is there already.
    Taken,
    /// It cannot get there any more.
    Barred,
}

impl Status {
    /// What asking an order of this status to become `to` comes to.
    pub fn step(self, to: Self) -> Step {
        if self == to {
            return Step::Taken;
        }
        let mut moves = TRANSITIONS.iter();
        moves
            .find(|step| step.from == self && step.to == to)
            .map_or(Step::Barred, |s| Step::Take(*s))
    }
}

impl TryFrom<String> for Status {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut all = Self::ALL.iter().copied();
        all.find(|status| status.as_str() == text).ok_or(format!("no order is {text:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_final_stays() {
        for status in [Status::Fulfilled, Status::Failed] {
            assert_eq!(status.step(status), Step::Taken);
            for to in Status::ALL.iter().copied().filter(|to| *to != status) {
                assert_eq!(status.step(to), Step::Barred, "{status:?} to {to:?}");
            }
        }
    }

    #[test]
    fn only_a_failed_order_returns_its_stock() {
        for transition in TRANSITIONS {
            assert_eq!(transition.returns_stock, transition.to == Status::Failed);
        }
    }
}
