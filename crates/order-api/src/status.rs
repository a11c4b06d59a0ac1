//! Where an order stands, and the one table of how it may move on.

instrumentation::label! {
    /// Where an order stands.
    pub enum Status as "status" {
        /// Stored, stock reserved, not known to be paid yet.
        Pending = "pending",
        /// Paid, waiting to be fulfilled.
        Placed = "placed",
        /// Not paid; its stock is back. Final.
        Declined = "declined",
        /// Picked and packed. Final.
        Fulfilled = "fulfilled",
        /// Could not be fulfilled; its stock is back, its money on the way.
        Failed = "failed",
        /// Could not be fulfilled; its stock and its money are back. Final.
        Refunded = "refunded",
    }
}

impl Status {
    /// How many moves lead here, at the most: an order has one status of each rank.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Placed | Self::Declined => 1,
            Self::Fulfilled | Self::Failed => 2,
            Self::Refunded => 3,
        }
    }
}

/// A move that an order may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Where it comes from.
    pub from: Status,
    /// Where it goes.
    pub to: Status,
    /// Who may move it.
    pub by: Mover,
    /// What else is done in the same transaction.
    pub with: With,
    /// What somebody has to do for it from then on.
    pub leaves: Leaves,
}

/// Who moves an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mover {
    /// The call that places it; the reconciler, if that call did not live to see it.
    Saga,
    /// fulfillment-worker.
    Fulfillment,
}

/// What is done in the transaction of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum With {
    /// Nothing else.
    Nothing,
    /// The event that asks for its fulfillment is written.
    Event,
    /// Its stock is returned.
    Stock,
}

/// What a move leaves to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// Nothing, ever.
    Nothing,
    /// What there was to be done before.
    Same,
    /// A step of the saga: see [`Status::owes`].
    Step,
}

instrumentation::label! {
    /// A step that somebody still has to take for an order.
    pub enum Owed as "step" {
        /// Have the provider hold its price.
        Authorization = "authorization",
        /// Take the money that is held.
        Capture = "capture",
        /// Give the money back.
        Refund = "refund",
    }
}

/// Every move there is; what is not in here cannot happen.
pub const TRANSITIONS: &[Transition] = &[
    Transition {
        from: Status::Pending,
        to: Status::Placed,
        by: Mover::Saga,
        with: With::Event,
        leaves: Leaves::Step,
    },
    Transition {
        from: Status::Pending,
        to: Status::Declined,
        by: Mover::Saga,
        with: With::Stock,
        leaves: Leaves::Nothing,
    },
    Transition {
        from: Status::Placed,
        to: Status::Fulfilled,
        by: Mover::Fulfillment,
        with: With::Nothing,
        leaves: Leaves::Same,
    },
    Transition {
        from: Status::Placed,
        to: Status::Failed,
        by: Mover::Fulfillment,
        with: With::Stock,
        leaves: Leaves::Step,
    },
    Transition {
        from: Status::Failed,
        to: Status::Refunded,
        by: Mover::Saga,
        with: With::Nothing,
        leaves: Leaves::Nothing,
    },
];

/// What asking an order to move on comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It may.
    Take(Transition),
    /// It is there already, or has been.
    Taken,
    /// It cannot get there any more.
    Barred,
}

impl Status {
    /// What asking an order of this status to become `to` comes to.
    pub fn step(self, to: Self) -> Step {
        match TRANSITIONS.iter().find(|step| step.from == self && step.to == to) {
            Some(transition) => Step::Take(*transition),
            None if to.leads_to(self) => Step::Taken,
            None => Step::Barred,
        }
    }

    /// What somebody has to do for an order of this status, if it is due.
    pub fn owes(self) -> Option<Owed> {
        match self {
            Self::Pending => Some(Owed::Authorization),
            Self::Placed | Self::Fulfilled => Some(Owed::Capture),
            Self::Failed => Some(Owed::Refund),
            Self::Declined | Self::Refunded => None,
        }
    }

    /// Whether an order may come from here to there; it may if it is there.
    fn leads_to(self, there: Self) -> bool {
        let mut onward = TRANSITIONS.iter().filter(|step| step.from == self);
        self == there || onward.any(|step| step.to.leads_to(there))
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
        for status in [Status::Fulfilled, Status::Declined, Status::Refunded] {
            for to in Status::ALL {
                assert!(!matches!(status.step(*to), Step::Take(_)), "{status:?} to {to:?}");
            }
        }
    }

    #[test]
    fn asking_for_what_has_been_changes_nothing_and_for_another_end_is_barred() {
        assert_eq!(Status::Refunded.step(Status::Failed), Step::Taken);
        assert_eq!(Status::Fulfilled.step(Status::Fulfilled), Step::Taken);
        assert_eq!(Status::Fulfilled.step(Status::Placed), Step::Taken);
        assert_eq!(Status::Refunded.step(Status::Fulfilled), Step::Barred);
        assert_eq!(Status::Declined.step(Status::Placed), Step::Barred);
        assert_eq!(Status::Pending.step(Status::Fulfilled), Step::Barred);
    }

    #[test]
    fn stock_goes_back_on_every_way_but_to_fulfillment() {
        for transition in TRANSITIONS {
            let back = matches!(transition.to, Status::Declined | Status::Failed);
            assert_eq!(transition.with == With::Stock, back, "{transition:?}");
        }
    }

    #[test]
    fn what_a_move_leaves_to_be_done_is_owed_there() {
        for transition in TRANSITIONS.iter().filter(|step| step.leaves == Leaves::Step) {
            assert!(transition.to.owes().is_some(), "{transition:?}");
        }
    }
}
