//! The methods about messages, each to its place.

use amq_protocol::protocol::basic::{AMQPMethod, Nack, Qos, QosOk, Recover, RecoverOk};
use amq_protocol::protocol::{AMQPClass, AMQPHardError};

use crate::error::Refusal;
use crate::settling::Outcome;
use crate::state::{ChannelKey, State};

impl State {
    pub(crate) fn basic_method(
        &mut self,
        at: ChannelKey,
        method: AMQPMethod,
    ) -> Result<(), Refusal> {
        match method {
            AMQPMethod::Publish(publish) => self.begin_publish(at, publish),
            AMQPMethod::Consume(consume) => self.consume(at, &consume),
            AMQPMethod::Cancel(cancel) => {
                self.cancel(at, cancel);
                Ok(())
            }
            AMQPMethod::Get(get) => self.get(at, &get),
            AMQPMethod::Qos(qos) => {
                self.set_prefetch(at, &qos);
                Ok(())
            }
            AMQPMethod::Ack(ack) => {
                self.settle(at, ack.delivery_tag, ack.multiple, Outcome::Acknowledged)
            }
            AMQPMethod::Nack(Nack { delivery_tag, multiple, requeue }) => {
                self.settle(at, delivery_tag, multiple, Outcome::refused(requeue))
            }
            AMQPMethod::Reject(reject) => {
                self.settle(at, reject.delivery_tag, false, Outcome::refused(reject.requeue))
            }
            AMQPMethod::RecoverAsync(recover) => {
                self.recover(at, &Recover { requeue: recover.requeue })
            }
            AMQPMethod::Recover(recover) => {
                self.recover(at, &recover)?;
                self.reply(at, AMQPClass::Basic(AMQPMethod::RecoverOk(RecoverOk {})));
                Ok(())
            }
            AMQPMethod::QosOk(_)
            | AMQPMethod::ConsumeOk(_)
            | AMQPMethod::CancelOk(_)
            | AMQPMethod::Return(_)
            | AMQPMethod::Deliver(_)
            | AMQPMethod::GetOk(_)
            | AMQPMethod::GetEmpty(_)
            | AMQPMethod::RecoverOk(_) => {
                Err(Refusal::hard(&AMQPHardError::COMMANDINVALID, "unimplemented method"))
            }
        }
    }

    /// RabbitMQ's reading of `global`: false is each new consumer, true the whole channel.
    fn set_prefetch(&mut self, at: ChannelKey, qos: &Qos) {
        let Some(channel) = self.channel(at) else { return };
        if qos.global {
            channel.channel_prefetch = qos.prefetch_count;
        } else {
            channel.consumer_prefetch = qos.prefetch_count;
        }
        let queues: Vec<_> = channel.consumers.values().cloned().collect();
        for queue in queues {
            self.advance(&queue);
        }
        self.reply(at, AMQPClass::Basic(AMQPMethod::QosOk(QosOk {})));
    }
}
