//! The first words of a connection: who is there, how to talk, and where to.

use std::io;
use std::time::Duration;

use amq_protocol::protocol::connection::{
    AMQPMethod, Close, Open, OpenOk, Start, StartOk, Tune, TuneOk,
};
use amq_protocol::protocol::{AMQPClass, AMQPHardError, AMQPSoftError, constants};
use amq_protocol::types::parsing::parse_field_table;
use amq_protocol::types::{AMQPValue, FieldTable};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use crate::config::Config;
use crate::error::{Refusal, Scope};
use crate::outbox::Pace;
use crate::wire::{Encoder, FRAME_MAX, Frame, FrameReader};

const PROTOCOL_HEADER: &[u8; 8] = b"AMQP\x00\x00\x09\x01";
const VHOST: &str = "/";
/// The highest channel number: RabbitMQ's default.
pub(crate) const CHANNEL_MAX: u16 = 2047;
const CAPABILITIES: [&str; 8] = [
    "authentication_failure_close",
    "basic.nack",
    "connection.blocked",
    "consumer_cancel_notify",
    "consumer_priorities",
    "exchange_exchange_bindings",
    "per_consumer_qos",
    "publisher_confirms",
];

/// A client that was let in.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) pace: Pace,
    /// Whether it wants to hear of a canceled consumer.
    pub(crate) hears_cancel: bool,
    /// Whether it wants to hear that it is blocked.
    pub(crate) hears_blocked: bool,
}

/// Why a client was not let in.
#[derive(Debug)]
pub(crate) enum Failure {
    Gone,
    Refused(Refusal),
}

impl From<io::Error> for Failure {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A connection before anything else may happen on it.
#[derive(Debug)]
pub(crate) struct Handshake<'a, R, W> {
    pub(crate) reader: &'a mut FrameReader<R>,
    pub(crate) output: &'a mut W,
    pub(crate) config: &'a Config,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Handshake<'_, R, W> {
    /// Lets a client in, or tells it why not.
    pub(crate) async fn greet(mut self) -> Option<Client> {
        match self.negotiate().await {
            Ok(client) => Some(client),
            Err(Failure::Gone) => None,
            Err(Failure::Refused(refusal)) => {
                tracing::info!(reason = %refusal.text, "client refused");
                // It is being turned away; whether it still listens makes no difference.
                let _ = self.turn_away(refusal).await;
                None
            }
        }
    }

    async fn negotiate(&mut self) -> Result<Client, Failure> {
        if self.reader.protocol_header().await? != *PROTOCOL_HEADER {
            self.output.write_all(PROTOCOL_HEADER).await?;
            self.output.shutdown().await?;
            return Err(Failure::Gone);
        }
        self.send(AMQPMethod::Start(start())).await?;
        let AMQPMethod::StartOk(start_ok) = self.receive().await? else {
            return Err(out_of_turn());
        };
        self.authenticate(&start_ok)?;
        self.send(AMQPMethod::Tune(self.tune())).await?;
        let AMQPMethod::TuneOk(tuned) = self.receive().await? else { return Err(out_of_turn()) };
        let AMQPMethod::Open(open) = self.receive().await? else { return Err(out_of_turn()) };
        check_vhost(&open)?;
        self.send(AMQPMethod::OpenOk(OpenOk {})).await?;
        Ok(Client {
            pace: pace(&tuned),
            hears_cancel: has_capability(&start_ok, "consumer_cancel_notify"),
            hears_blocked: has_capability(&start_ok, "connection.blocked"),
        })
    }

    fn authenticate(&self, start_ok: &StartOk) -> Result<(), Failure> {
        let response = start_ok.response.as_bytes();
        let mechanism = start_ok.mechanism.as_str();
        let credentials = match mechanism {
            "PLAIN" => plain(response),
            "AMQPLAIN" => amqplain(response),
            _ => {
                let detail = format!("unknown authentication mechanism '{mechanism}'");
                return Err(Refusal::hard(&AMQPHardError::COMMANDINVALID, detail).into());
            }
        };
        let expected = (self.config.user.as_bytes(), self.config.password.as_bytes());
        match credentials {
            Some((user, password)) if (&*user, &*password) == expected => Ok(()),
            _ if !has_capability(start_ok, "authentication_failure_close") => Err(Failure::Gone),
            _ => Err(login_refused(mechanism).into()),
        }
    }

    fn tune(&self) -> Tune {
        let heartbeat = u16::try_from(self.config.heartbeat.as_secs()).unwrap_or(u16::MAX);
        Tune { channel_max: CHANNEL_MAX, frame_max: FRAME_MAX, heartbeat }
    }

    async fn turn_away(&mut self, refusal: Refusal) -> Result<(), Failure> {
        self.send(AMQPMethod::Close(close(refusal, (0, 0)))).await?;
        while !matches!(self.receive().await?, AMQPMethod::CloseOk(_)) {}
        Ok(())
    }

    async fn send(&mut self, method: AMQPMethod) -> io::Result<()> {
        let mut encoder = Encoder::new(FRAME_MAX);
        encoder.method(0, AMQPClass::Connection(method));
        self.output.write_all(&encoder.buffer).await
    }

    async fn receive(&mut self) -> Result<AMQPMethod, Failure> {
        loop {
            match self.reader.next()? {
                Some(Frame::Method(0, AMQPClass::Connection(method))) => return Ok(method),
                Some(Frame::Heartbeat) => {}
                Some(_) => return Err(out_of_turn()),
                None if self.reader.fill().await? => {}
                None => return Err(Failure::Gone),
            }
        }
    }
}

fn start() -> Start {
    let mut capabilities = FieldTable::default();
    for capability in CAPABILITIES {
        capabilities.insert(capability.into(), AMQPValue::Boolean(true));
    }
    let mut server_properties = FieldTable::default();
    server_properties.insert("product".into(), AMQPValue::LongString("embedded broker".into()));
    server_properties.insert("capabilities".into(), AMQPValue::FieldTable(capabilities));
    Start {
        version_major: 0,
        version_minor: 9,
        server_properties,
        mechanisms: "PLAIN AMQPLAIN".into(),
        locales: "en_US".into(),
    }
}

fn plain(response: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut parts = response.splitn(3, |&byte| byte == 0).skip(1);
    Some((parts.next()?.to_vec(), parts.next()?.to_vec()))
}

fn amqplain(response: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    // The response is a table without the length that a table begins with.
    let length = u32::try_from(response.len()).ok()?.to_be_bytes();
    let bytes = [&length, response].concat();
    let (_, table) = parse_field_table(&bytes[..]).ok()?;
    let field = |name| match table.inner().get(name) {
        Some(AMQPValue::LongString(text)) => Some(text.as_bytes().to_vec()),
        _ => None,
    };
    Some((field("LOGIN")?, field("PASSWORD")?))
}

fn login_refused(mechanism: &str) -> Refusal {
    let detail = format!(
        "Login was refused using authentication mechanism {mechanism}. For details see the broker \
         logfile."
    );
    let refusal = Refusal::soft(&AMQPSoftError::ACCESSREFUSED, detail);
    Refusal { scope: Scope::Connection, ..refusal }
}

fn check_vhost(open: &Open) -> Result<(), Refusal> {
    let vhost = open.virtual_host.as_str();
    if vhost == VHOST {
        return Ok(());
    }
    Err(Refusal::hard(&AMQPHardError::NOTALLOWED, format_args!("vhost {vhost} not found")))
}

fn pace(tuned: &TuneOk) -> Pace {
    let wanted = if tuned.frame_max == 0 { FRAME_MAX } else { tuned.frame_max };
    Pace {
        frame_max: wanted.clamp(constants::FRAME_MIN_SIZE, FRAME_MAX),
        heartbeat: Duration::from_secs(tuned.heartbeat.into()),
    }
}

fn has_capability(start_ok: &StartOk, name: &str) -> bool {
    let capabilities = start_ok.client_properties.inner().get("capabilities");
    let capabilities = capabilities.and_then(AMQPValue::as_field_table);
    capabilities.is_some_and(|table| table.inner().get(name) == Some(&AMQPValue::Boolean(true)))
}

fn out_of_turn() -> Failure {
    Refusal::hard(&AMQPHardError::COMMANDINVALID, "frame out of turn in the handshake").into()
}

/// The method that closes a connection because of a refusal of a class and method.
pub(crate) fn close(refusal: Refusal, (class_id, method_id): (u16, u16)) -> Close {
    Close { reply_code: refusal.code, reply_text: refusal.text, class_id, method_id }
}

#[cfg(test)]
mod tests {
    use amq_protocol::auth::{Credentials, SASLMechanism};

    use super::*;

    #[test]
    fn both_mechanisms_carry_the_same_credentials() {
        let credentials = Credentials::new("ann".into(), "se\0cret".into());
        let expected = Some((b"ann".to_vec(), b"se\0cret".to_vec()));
        let response = |mechanism| credentials.sasl_auth_string(mechanism);
        assert_eq!(plain(response(SASLMechanism::Plain).as_bytes()), expected);
        assert_eq!(amqplain(response(SASLMechanism::AMQPlain).as_bytes()), expected);
        assert_eq!(plain(b"nonsense"), None);
        assert_eq!(amqplain(b"nonsense"), None);
    }
}
