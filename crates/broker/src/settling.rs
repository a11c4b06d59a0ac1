//! What becomes of delivered messages: acknowledged, refused, or back in their queue.

use crate::channel::Unacked;
use crate::dead_letter::Reason;
use crate::error::Refusal;
use crate::exchange::Name;
use crate::state::{ChannelKey, State};

use amq_protocol::protocol::basic::Recover;

/// How a client settles a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Acknowledged,
    Rejected,
    Requeued,
}

impl Outcome {
    pub(crate) fn refused(requeue: bool) -> Self {
        if requeue { Self::Requeued } else { Self::Rejected }
    }
}

impl State {
    pub(crate) fn settle(
        &mut self,
        at: ChannelKey,
        tag: u64,
        multiple: bool,
        outcome: Outcome,
    ) -> Result<(), Refusal> {
        let Some(channel) = self.channel(at) else { return Ok(()) };
        let taken = channel.take(tag, multiple)?;
        self.settle_all(taken, outcome);
        Ok(())
    }

    /// Puts back what a channel that is gone had not settled.
    pub(crate) fn give_back(&mut self, unacked: Vec<Unacked>) {
        self.settle_all(unacked, Outcome::Requeued);
    }

    pub(crate) fn recover(&mut self, at: ChannelKey, recover: &Recover) -> Result<(), Refusal> {
        if !recover.requeue {
            return Err(Refusal::not_implemented("requeue=false"));
        }
        self.settle(at, 0, true, Outcome::Requeued)
    }

    fn settle_all(&mut self, taken: Vec<Unacked>, outcome: Outcome) {
        let mut changed: Vec<Name> = Vec::new();
        for unacked in taken {
            let queue = unacked.queue.clone();
            self.settle_one(unacked, outcome);
            if !changed.contains(&queue) {
                changed.push(queue);
            }
        }
        for queue in changed {
            self.advance(&queue);
        }
    }

    fn settle_one(&mut self, unacked: Unacked, outcome: Outcome) {
        let Unacked { queue: name, queue_id, consumer, entry } = unacked;
        let queue = self.queues.get_mut(&name).filter(|queue| queue.id == queue_id);
        // The messages of a deleted queue went with it.
        let Some(queue) = queue else { return };
        queue.unacked -= 1;
        if let Some(consumer) = consumer.and_then(|id| queue.consumer(id)) {
            consumer.in_flight -= 1;
        }
        match outcome {
            Outcome::Acknowledged => queue.counters.acked += 1,
            Outcome::Rejected => self.dead_letter(&name, &entry.content, Reason::Rejected),
            Outcome::Requeued => {
                if let Some(entry) = queue.put_back(entry) {
                    self.dead_letter(&name, &entry.content, Reason::DeliveryLimit);
                }
            }
        }
    }
}
