//! Bytes, in order, each as late as the way was long when it set out.
//!
//! A way that is long is not a narrow one: what sets out later need not wait until what was before
//! it has arrived, and only comes behind it.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::conditions::Conditions;

/// The most bytes that set out together.
const CHUNK: usize = 16 * 1024;
/// The most chunks that are on their way in one direction; who would send more waits.
const WINDOW: usize = 64;

/// Carries in both directions, until both have ended or one has broken.
pub(super) async fn both_ways(
    client: TcpStream,
    server: TcpStream,
    conditions: Conditions,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    let there = one_way(from_client, to_server, &conditions);
    let back = one_way(from_server, to_client, &conditions);
    tokio::try_join!(there, back).map(drop)
}

async fn one_way(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    conditions: &Conditions,
) -> io::Result<()> {
    let (on_its_way, mut arriving) = mpsc::channel::<(Instant, Bytes)>(WINDOW);
    let set_out = async move {
        let mut last = Instant::now();
        loop {
            let mut chunk = BytesMut::with_capacity(CHUNK);
            if from.read_buf(&mut chunk).await? == 0 {
                return Ok(());
            }
            last = last.max(Instant::now() + conditions.delay());
            if on_its_way.send((last, chunk.freeze())).await.is_err() {
                return Ok(());
            }
        }
    };
    let arrive = async move {
        while let Some((at, chunk)) = arriving.recv().await {
            if at > Instant::now() {
                sleep_until(at).await;
            }
            to.write_all(&chunk).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(set_out, arrive).map(drop)
}
