//! A connection, from its handshake to its last word.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use amq_protocol::protocol::connection::{AMQPMethod, Blocked, CloseOk, Unblocked, UpdateSecretOk};
use amq_protocol::protocol::{AMQPClass, AMQPHardError};
use amq_protocol::types::ChannelId;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::error::Refusal;
use crate::handshake::{CHANNEL_MAX, Client, Handshake, close};
use crate::outbox::{Outbox, outbox};
use crate::server::Shared;
use crate::state::{ChannelKey, ConnectionId, Session};
use crate::wire::{Frame, FrameReader};

/// How long a client may take to say who it is.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a client may take to agree that the connection is closed.
const GOODBYE: Duration = Duration::from_secs(2);

/// Why a connection ends.
#[derive(Debug)]
enum End {
    /// The client said so.
    Closed,
    /// The broker says so, about a class and a method.
    Refused(Refusal, (u16, u16)),
    /// The client is silent, or the stream is over.
    Gone,
    /// To look like a crash.
    Cut,
}

/// Serves one client until it leaves, is cut off, or `shutdown`.
pub(crate) async fn serve(stream: TcpStream, shared: Arc<Shared>, shutdown: CancellationToken) {
    // Answers are small and awaited. A socket that cannot be told so works, only slower.
    let _ = stream.set_nodelay(true);
    let (input, mut output) = stream.into_split();
    let mut reader = FrameReader::new(input);
    let handshake = Handshake { reader: &mut reader, output: &mut output, config: &shared.config };
    let greeted = tokio::select! {
        greeted = timeout(HANDSHAKE, handshake.greet()) => greeted,
        () = shutdown.cancelled() => return,
    };
    let Ok(Some(client)) = greeted else { return };

    let (outbox, outgoings) = outbox();
    let cut = CancellationToken::new();
    let id = shared.lock().begin(Session {
        outbox: outbox.clone(),
        channels: Default::default(),
        hears_cancel: client.hears_cancel,
        cut: cut.clone(),
    });
    let relieved = {
        let shared = Arc::clone(&shared);
        move || shared.lock().resume(id)
    };
    let writer = outgoings.write_to(output, client.pace, relieved);
    let writer = AbortOnDropHandle::new(tokio::spawn(writer));

    let mut connection = Connection { id, client, reader, outbox, shared, cut, shutdown };
    let end = connection.run().await;
    tracing::debug!(connection = id, ?end, "connection ended");
    connection.shared.lock().end(id);
    if matches!(end, End::Cut) {
        return;
    }
    connection.say_goodbye(end).await;
    drop(connection);
    // The writer ends with the last outbox, unless the client does not read.
    let _ = timeout(GOODBYE, writer).await;
}

#[derive(Debug)]
struct Connection {
    id: ConnectionId,
    client: Client,
    reader: FrameReader<OwnedReadHalf>,
    outbox: Outbox,
    shared: Arc<Shared>,
    cut: CancellationToken,
    shutdown: CancellationToken,
}

impl Connection {
    async fn run(&mut self) -> End {
        let patience = match self.client.pace.heartbeat {
            Duration::ZERO => Duration::MAX,
            heartbeat => heartbeat * 2,
        };
        loop {
            loop {
                let step = match self.reader.next() {
                    Ok(Some(frame)) => self.frame(frame).await,
                    Ok(None) => break,
                    Err(refusal) => ControlFlow::Break(End::Refused(refusal, (0, 0))),
                };
                if let ControlFlow::Break(end) = step {
                    return end;
                }
            }
            tokio::select! {
                filled = timeout(patience, self.reader.fill()) => {
                    if !matches!(filled, Ok(Ok(true))) {
                        return End::Gone;
                    }
                }
                () = self.cut.cancelled() => return End::Cut,
                () = self.shutdown.cancelled() => return End::Refused(forced(), (0, 0)),
            }
        }
    }

    async fn frame(&mut self, frame: Frame) -> ControlFlow<End> {
        let channel = match &frame {
            Frame::Heartbeat => return ControlFlow::Continue(()),
            Frame::Method(channel, _) | Frame::Header(channel, _) | Frame::Body(channel, _) => {
                *channel
            }
        };
        if channel == 0 {
            return self.connection_frame(frame);
        }
        let publishes = matches!(frame, Frame::Header(..) | Frame::Body(..));
        self.channel_frame(channel, frame)?;
        if publishes {
            self.wait_while_blocked(channel).await;
        }
        ControlFlow::Continue(())
    }

    fn connection_frame(&self, frame: Frame) -> ControlFlow<End> {
        match frame {
            Frame::Method(_, AMQPClass::Connection(AMQPMethod::Close(_))) => {
                ControlFlow::Break(End::Closed)
            }
            Frame::Method(_, AMQPClass::Connection(AMQPMethod::UpdateSecret(_))) => {
                self.say(AMQPMethod::UpdateSecretOk(UpdateSecretOk {}));
                ControlFlow::Continue(())
            }
            _ => {
                let detail = "only connection methods belong on channel 0";
                let refusal = Refusal::hard(&AMQPHardError::COMMANDINVALID, detail);
                ControlFlow::Break(End::Refused(refusal, (0, 0)))
            }
        }
    }

    fn channel_frame(&self, channel: ChannelId, frame: Frame) -> ControlFlow<End> {
        if channel > CHANNEL_MAX {
            let detail = format!("channel {channel} is beyond the negotiated {CHANNEL_MAX}");
            let refusal = Refusal::hard(&AMQPHardError::NOTALLOWED, detail);
            return ControlFlow::Break(End::Refused(refusal, (0, 0)));
        }
        let at = ChannelKey { connection: self.id, channel };
        match self.shared.lock().frame(at, frame) {
            Ok(()) => ControlFlow::Continue(()),
            Err((refusal, about)) => ControlFlow::Break(End::Refused(refusal, about)),
        }
    }

    /// Reads nothing more from a publisher until the broker is unblocked, as RabbitMQ does when
    /// it runs out of memory: the message that met the block is still taken.
    async fn wait_while_blocked(&self, channel: ChannelId) {
        let Some(reason) = self.shared.blocked.borrow().clone() else { return };
        let at = ChannelKey { connection: self.id, channel };
        if self.shared.lock().channel(at).is_some_and(|channel| channel.incoming.is_some()) {
            return;
        }
        if self.client.hears_blocked {
            self.say(AMQPMethod::Blocked(Blocked { reason }));
        }
        let mut blocked = self.shared.blocked.subscribe();
        tokio::select! {
            _ = blocked.wait_for(Option::is_none) => {}
            () = self.cut.cancelled() => {}
            () = self.shutdown.cancelled() => {}
        }
        if self.client.hears_blocked {
            self.say(AMQPMethod::Unblocked(Unblocked {}));
        }
    }

    /// Closes in the order that leaves no client surprised: the client ends the stream.
    async fn say_goodbye(&mut self, end: End) {
        match end {
            End::Closed => self.say(AMQPMethod::CloseOk(CloseOk {})),
            End::Refused(refusal, about) => {
                tracing::info!(connection = self.id, reason = %refusal.text, "connection closed");
                self.say(AMQPMethod::Close(close(refusal, about)));
            }
            End::Gone | End::Cut => return,
        }
        let _ = timeout(GOODBYE, self.hear_out()).await;
    }

    /// Reads until the client agrees to a close or ends the stream.
    async fn hear_out(&mut self) {
        loop {
            match self.reader.next() {
                Ok(Some(Frame::Method(0, AMQPClass::Connection(AMQPMethod::CloseOk(_))))) => return,
                Ok(Some(_)) => {}
                Ok(None) if matches!(self.reader.fill().await, Ok(true)) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }

    fn say(&self, method: AMQPMethod) {
        self.outbox.method(0, AMQPClass::Connection(method));
    }
}

fn forced() -> Refusal {
    let detail = "broker forced connection closure with reason 'shutdown'";
    Refusal::hard(&AMQPHardError::CONNECTIONFORCED, detail)
}
