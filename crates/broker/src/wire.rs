//! Bytes to frames and back.

use std::io;

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, gen_frame, parse_frame};
use amq_protocol::protocol::{AMQPClass, AMQPHardError, constants};
use amq_protocol::types::ChannelId;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::error::Refusal;
use crate::message::Content;

/// The largest frame this broker sends or accepts, in bytes: RabbitMQ's default.
pub(crate) const FRAME_MAX: u32 = 131_072;
/// Type, channel and size before the payload, one end mark after it.
const FRAME_OVERHEAD: usize = 8;
const PAYLOAD_START: usize = FRAME_OVERHEAD - 1;
const READ_BUFFER: usize = 32 * 1024;

/// A frame from a client.
#[derive(Debug, PartialEq)]
pub(crate) enum Frame {
    Method(ChannelId, AMQPClass),
    Header(ChannelId, Box<AMQPContentHeader>),
    Body(ChannelId, Bytes),
    Heartbeat,
}

/// Reads whole frames from a connection.
#[derive(Debug)]
pub(crate) struct FrameReader<R> {
    input: R,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, buffer: BytesMut::new() }
    }

    /// Reads the eight bytes that a client says first.
    pub(crate) async fn protocol_header(&mut self) -> io::Result<[u8; 8]> {
        let mut header = [0; 8];
        self.input.read_exact(&mut header).await?;
        Ok(header)
    }

    /// Waits for more bytes; `false` at the end of the stream. Nothing is lost when dropped.
    pub(crate) async fn fill(&mut self) -> io::Result<bool> {
        self.buffer.reserve(READ_BUFFER);
        Ok(self.input.read_buf(&mut self.buffer).await? > 0)
    }

    /// The next whole frame that was read.
    ///
    /// # Errors
    /// The refusal to close the connection with, when the bytes are no frame.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, Refusal> {
        // The parser would take a partial frame for a wrong one, so only whole ones reach it.
        let Some(&[kind, c0, c1, s0, s1, s2, s3]) = self.buffer.first_chunk() else {
            return Ok(None);
        };
        let size = u32::from_be_bytes([s0, s1, s2, s3]) as usize + FRAME_OVERHEAD;
        if size > FRAME_MAX as usize {
            return Err(frame_error(format_args!("frame of {size} bytes is too large")));
        }
        if self.buffer.len() < size {
            return Ok(None);
        }
        let raw = self.buffer.split_to(size);
        if raw[size - 1] != constants::FRAME_END {
            return Err(frame_error("frame without its end mark"));
        }
        parse(kind, u16::from_be_bytes([c0, c1]), &raw).map(Some)
    }
}

fn parse(kind: u8, channel: ChannelId, raw: &[u8]) -> Result<Frame, Refusal> {
    if kind == constants::FRAME_BODY {
        // A copy, because a slice of the read buffer would keep all of that alive.
        let payload = &raw[PAYLOAD_START..raw.len() - 1];
        return Ok(Frame::Body(channel, Bytes::copy_from_slice(payload)));
    }
    match parse_frame(raw) {
        Ok((_, AMQPFrame::Method(channel, method))) => Ok(Frame::Method(channel, method)),
        Ok((_, AMQPFrame::Header(channel, header))) => Ok(Frame::Header(channel, Box::new(header))),
        Ok((_, AMQPFrame::Heartbeat)) => Ok(Frame::Heartbeat),
        Ok(_) => Err(frame_error("frame of an unknown kind")),
        Err(_) => Err(Refusal::hard(&AMQPHardError::SYNTAXERROR, "frame cannot be parsed")),
    }
}

fn frame_error(detail: impl std::fmt::Display) -> Refusal {
    Refusal::hard(&AMQPHardError::FRAMEERROR, detail)
}

/// Appends frames to a buffer, each no larger than the client wants.
#[derive(Debug)]
pub(crate) struct Encoder {
    pub(crate) buffer: Vec<u8>,
    frame_max: usize,
}

impl Encoder {
    pub(crate) fn new(frame_max: u32) -> Self {
        Self { buffer: Vec::new(), frame_max: frame_max as usize }
    }

    pub(crate) fn method(&mut self, channel: ChannelId, method: AMQPClass) {
        self.frame(&AMQPFrame::Method(channel, method));
    }

    pub(crate) fn heartbeat(&mut self) {
        self.frame(&AMQPFrame::Heartbeat);
    }

    /// A method that carries a message, and the message.
    pub(crate) fn content(&mut self, channel: ChannelId, method: AMQPClass, content: &Content) {
        let header = AMQPContentHeader {
            class_id: method.get_amqp_class_id(),
            body_size: content.body.len() as u64,
            properties: content.properties.clone(),
        };
        self.method(channel, method);
        self.frame(&AMQPFrame::Header(channel, header));
        for part in content.body.chunks(self.frame_max - FRAME_OVERHEAD) {
            self.buffer.push(constants::FRAME_BODY);
            self.buffer.extend_from_slice(&channel.to_be_bytes());
            let size = u32::try_from(part.len()).expect("a part is no larger than a frame");
            self.buffer.extend_from_slice(&size.to_be_bytes());
            self.buffer.extend_from_slice(part);
            self.buffer.push(constants::FRAME_END);
        }
    }

    fn frame(&mut self, frame: &AMQPFrame) {
        let buffer = std::mem::take(&mut self.buffer);
        let written = gen_frame(frame)(buffer.into()).expect("a growing buffer takes any frame");
        (self.buffer, _) = written.into_inner();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(bytes: &[u8]) -> FrameReader<&'static [u8]> {
        FrameReader { input: &[], buffer: BytesMut::from(bytes) }
    }

    #[test]
    fn a_partial_frame_waits_for_its_rest() {
        let mut encoder = Encoder::new(FRAME_MAX);
        encoder.heartbeat();
        let (start, rest) = encoder.buffer.split_at(5);
        let mut reader = reader(start);
        assert_eq!(reader.next(), Ok(None));
        reader.buffer.extend_from_slice(rest);
        assert_eq!(reader.next(), Ok(Some(Frame::Heartbeat)));
        assert_eq!(reader.next(), Ok(None));
    }

    #[test]
    fn a_frame_without_end_mark_or_beyond_the_limit_is_a_frame_error() {
        let wrong_end = [8, 0, 0, 0, 0, 0, 0, 1];
        let too_large = [3, 0, 1, 0xff, 0, 0, 0, 0];
        for bytes in [wrong_end, too_large] {
            assert_eq!(reader(&bytes).next().unwrap_err().code, 501);
        }
    }
}
