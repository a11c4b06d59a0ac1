//! Publishing: the parts of a message, where it goes, and what its publisher hears.

use std::sync::Arc;

use amq_protocol::frame::AMQPContentHeader;
use amq_protocol::protocol::basic::{AMQPMethod, Ack, Nack, Publish, Return};
use amq_protocol::protocol::{AMQPClass, AMQPHardError, AMQPSoftError};
use bytes::BytesMut;

use crate::channel::Incoming;
use crate::error::Refusal;
use crate::message::Content;
use crate::routing::route;
use crate::state::{ChannelKey, State};

const BASIC_CLASS: u16 = 60;

impl State {
    pub(crate) fn begin_publish(
        &mut self,
        at: ChannelKey,
        publish: Publish,
    ) -> Result<(), Refusal> {
        if publish.immediate {
            return Err(Refusal::not_implemented("immediate=true"));
        }
        if let Some(channel) = self.channel(at) {
            channel.incoming = Some(Incoming { publish, header: None, body: BytesMut::new() });
        }
        Ok(())
    }

    pub(crate) fn check_no_content_expected(&mut self, at: ChannelKey) -> Result<(), Refusal> {
        match self.channel(at) {
            Some(channel) if channel.incoming.is_some() => {
                Err(unexpected("expected content for class 60, got a method instead"))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn content_header(
        &mut self,
        at: ChannelKey,
        header: Box<AMQPContentHeader>,
    ) -> Result<(), Refusal> {
        let largest = self.max_body as u64;
        let incoming = self.channel(at).and_then(|channel| channel.incoming.as_mut());
        let Some(incoming) = incoming.filter(|incoming| incoming.header.is_none()) else {
            return Err(unexpected("expected method frame, got content header instead"));
        };
        if header.class_id != BASIC_CLASS {
            return Err(unexpected("expected content header for class 60"));
        }
        let size = header.body_size;
        if size > largest {
            let detail =
                format!("message size {size} is larger than configured max size {largest}");
            return Err(Refusal::precondition(detail));
        }
        incoming.header = Some(header);
        self.finish_if_complete(at)
    }

    pub(crate) fn content_body(&mut self, at: ChannelKey, body: &[u8]) -> Result<(), Refusal> {
        let incoming = self.channel(at).and_then(|channel| channel.incoming.as_mut());
        let Some(incoming) = incoming.filter(|incoming| incoming.header.is_some()) else {
            return Err(unexpected("expected method frame, got content body instead"));
        };
        incoming.body.extend_from_slice(body);
        self.finish_if_complete(at)
    }

    fn finish_if_complete(&mut self, at: ChannelKey) -> Result<(), Refusal> {
        let Some(channel) = self.channel(at) else { return Ok(()) };
        let Some(Incoming { publish, header: Some(header), body }) =
            channel.incoming.take_if(|incoming| incoming.is_complete())
        else {
            return Ok(());
        };
        if header.body_size < body.len() as u64 {
            return Err(unexpected("content body is larger than announced"));
        }
        let content = Content {
            exchange: publish.exchange,
            routing_key: publish.routing_key,
            properties: header.properties,
            body: body.freeze(),
        };
        self.publish(at, Arc::new(content), publish.mandatory)
    }

    fn publish(
        &mut self,
        at: ChannelKey,
        content: Arc<Content>,
        mandatory: bool,
    ) -> Result<(), Refusal> {
        self.check_publishable(&content)?;
        let queues = route(&self.exchanges, &self.queues, &content);
        if queues.is_empty() {
            if mandatory {
                self.unroutable += 1;
                self.send_back(at, Arc::clone(&content));
            } else {
                self.dropped += 1;
            }
        }
        let refused = !queues.is_empty() && self.ledger.is_full();
        let taken = if refused {
            self.refused += 1;
            tracing::debug!("message refused for want of memory");
            false
        } else {
            self.put_into(&queues, &content)
        };
        self.confirm(at, taken);
        Ok(())
    }

    fn check_publishable(&self, content: &Content) -> Result<(), Refusal> {
        let name = content.exchange.as_str();
        let exchange = self.exchanges.get(name).ok_or_else(|| Refusal::no_exchange(name))?;
        if exchange.internal {
            let detail = format!("cannot publish to internal exchange '{name}' in vhost '/'");
            return Err(Refusal::access(detail));
        }
        if let Some(expiration) = content.properties.expiration()
            && content.expiration().is_none()
        {
            let detail = format!("invalid expiration '{expiration}'");
            return Err(Refusal::precondition(detail));
        }
        Ok(())
    }

    fn send_back(&self, at: ChannelKey, content: Arc<Content>) {
        let answer = Return {
            reply_code: AMQPSoftError::NOROUTE.get_id(),
            reply_text: "NO_ROUTE".into(),
            exchange: content.exchange.clone(),
            routing_key: content.routing_key.clone(),
        };
        if let Some(session) = self.sessions.get(&at.connection) {
            let answer = AMQPClass::Basic(AMQPMethod::Return(answer));
            session.outbox.content(at.channel, answer, content);
        }
    }

    /// Tells a publisher who wants to know whether its message is in every queue it is for.
    fn confirm(&mut self, at: ChannelKey, taken: bool) {
        let confirms = self.channel(at).and_then(|channel| channel.confirms.as_mut());
        let Some(confirms) = confirms else { return };
        *confirms += 1;
        let delivery_tag = *confirms;
        let answer = if taken {
            AMQPMethod::Ack(Ack { delivery_tag, multiple: false })
        } else {
            AMQPMethod::Nack(Nack { delivery_tag, multiple: false, requeue: false })
        };
        self.reply(at, AMQPClass::Basic(answer));
    }
}

impl Incoming {
    fn is_complete(&self) -> bool {
        self.header.as_ref().is_some_and(|header| self.body.len() as u64 >= header.body_size)
    }
}

fn unexpected(detail: &str) -> Refusal {
    Refusal::hard(&AMQPHardError::UNEXPECTEDFRAME, detail)
}
