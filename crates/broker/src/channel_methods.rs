//! Frames on channels: opening and closing them, and closing them because of a refusal.

use amq_protocol::protocol::channel::{AMQPMethod, Close, CloseOk, FlowOk, OpenOk};
use amq_protocol::protocol::{AMQPClass, AMQPHardError, confirm};
use amq_protocol::types::ChannelId;

use crate::channel::Channel;
use crate::error::{Refusal, Scope};
use crate::state::{ChannelKey, State};
use crate::wire::Frame;

/// The class and the method of a request, as a close repeats them.
type MethodId = (u16, u16);

impl State {
    /// Does what a frame asks for; what is refused closes its channel.
    ///
    /// # Errors
    /// A refusal that closes the connection, with the class and method it is about.
    pub(crate) fn frame(
        &mut self,
        at: ChannelKey,
        frame: Frame,
    ) -> Result<(), (Refusal, MethodId)> {
        let about = match &frame {
            Frame::Method(_, method) => (method.get_amqp_class_id(), method.get_amqp_method_id()),
            Frame::Header(..) | Frame::Body(..) | Frame::Heartbeat => (60, 40),
        };
        match self.try_frame(at, frame) {
            Err(refusal) if refusal.scope == Scope::Channel => {
                self.close_channel(at, refusal, about);
                Ok(())
            }
            result => result.map_err(|refusal| (refusal, about)),
        }
    }

    fn try_frame(&mut self, at: ChannelKey, frame: Frame) -> Result<(), Refusal> {
        let opens = matches!(frame, Frame::Method(_, AMQPClass::Channel(AMQPMethod::Open(_))));
        let closes = matches!(
            frame,
            Frame::Method(_, AMQPClass::Channel(AMQPMethod::Close(_) | AMQPMethod::CloseOk(_)))
        );
        match self.channel(at) {
            None if opens => {}
            None => return Err(channel_error("expected 'channel.open'")),
            Some(channel) if channel.closing && !closes => return Ok(()),
            Some(_) => {}
        }
        match frame {
            Frame::Method(_, method) => {
                self.check_no_content_expected(at)?;
                self.method(at, method)
            }
            Frame::Header(_, header) => self.content_header(at, header),
            Frame::Body(_, body) => self.content_body(at, &body),
            Frame::Heartbeat => Ok(()),
        }
    }

    pub(crate) fn channel_method(
        &mut self,
        at: ChannelKey,
        method: AMQPMethod,
    ) -> Result<(), Refusal> {
        match method {
            AMQPMethod::Open(_) => self.open_channel(at)?,
            AMQPMethod::Close(_) => {
                self.end_channel(at);
                self.reply(at, AMQPClass::Channel(AMQPMethod::CloseOk(CloseOk {})));
            }
            AMQPMethod::CloseOk(_) => self.end_channel(at),
            AMQPMethod::Flow(flow) if flow.active => {
                let answer = FlowOk { active: true };
                self.reply(at, AMQPClass::Channel(AMQPMethod::FlowOk(answer)));
            }
            AMQPMethod::Flow(_) => return Err(Refusal::not_implemented("active=false")),
            AMQPMethod::FlowOk(_) => {}
            AMQPMethod::OpenOk(_) => {
                return Err(Refusal::hard(&AMQPHardError::COMMANDINVALID, "unimplemented method"));
            }
        }
        Ok(())
    }

    pub(crate) fn confirm_method(
        &mut self,
        at: ChannelKey,
        method: confirm::AMQPMethod,
    ) -> Result<(), Refusal> {
        let confirm::AMQPMethod::Select(select) = method else {
            return Err(Refusal::hard(&AMQPHardError::COMMANDINVALID, "unimplemented method"));
        };
        if let Some(channel) = self.channel(at) {
            channel.confirms.get_or_insert(0);
        }
        if !select.nowait {
            let answer = confirm::AMQPMethod::SelectOk(confirm::SelectOk {});
            self.reply(at, AMQPClass::Confirm(answer));
        }
        Ok(())
    }

    fn open_channel(&mut self, at: ChannelKey) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get_mut(&at.connection) else { return Ok(()) };
        if session.channels.contains_key(&at.channel) {
            return Err(channel_error("second 'channel.open' seen"));
        }
        session.channels.insert(at.channel, Channel::default());
        self.reply(at, AMQPClass::Channel(AMQPMethod::OpenOk(OpenOk {})));
        Ok(())
    }

    fn close_channel(&mut self, at: ChannelKey, refusal: Refusal, about: MethodId) {
        tracing::debug!(channel = at.channel, reason = %refusal.text, "channel closed");
        self.end_channel(at);
        let Some(session) = self.sessions.get_mut(&at.connection) else { return };
        session.channels.insert(at.channel, Channel::closing());
        let (class_id, method_id) = about;
        let close =
            Close { reply_code: refusal.code, reply_text: refusal.text, class_id, method_id };
        self.reply(at, AMQPClass::Channel(AMQPMethod::Close(close)));
    }

    fn end_channel(&mut self, at: ChannelKey) {
        let session = self.sessions.get_mut(&at.connection);
        if let Some(ended) = session.and_then(|session| session.channels.remove(&at.channel)) {
            self.end_channels(at.connection, vec![(at.channel, ended)]);
        }
    }

    /// Cleans up after channels that are no longer in their session.
    pub(crate) fn end_channels(&mut self, connection: u64, ended: Vec<(ChannelId, Channel)>) {
        let mut unused = Vec::new();
        for (channel, ended) in &ended {
            let at = ChannelKey { connection, channel: *channel };
            for (tag, queue) in &ended.consumers {
                unused.extend(self.withdraw(at, tag, queue));
            }
        }
        for (_, mut ended) in ended {
            self.give_back(ended.take_all());
        }
        for queue in unused {
            self.delete_queue(&queue);
        }
    }
}

fn channel_error(detail: &str) -> Refusal {
    Refusal::hard(&AMQPHardError::CHANNELERROR, detail)
}
