//! The orders that were given up: looked at, and put back.

use std::time::Duration;

use anyhow::{Context as _, bail};
use contract::topology::{ATTEMPTS_HEADER, DEAD_LETTERS, FULFILLMENT_QUEUE, REASON_HEADER};
use lapin::{
    BasicProperties, Channel, Confirmation,
    message::Delivery,
    options::{
        BasicAckOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions,
        ConfirmSelectOptions,
    },
    types::FieldTable,
};
use tokio::{
    sync::{Mutex, MutexGuard},
    time::{Instant, timeout},
};

use super::{
    dead_letter::{DeadLetter, DeadLetters, Replayed},
    queues::Queues,
};

/// How many are shown at most: of those with orders and of those that nobody can read.
const SHOWN: usize = 100;
/// How long it is looked through them: orders may lie behind thousands that nobody can read.
const LOOKING: Duration = Duration::from_secs(5);
/// How long looking at them, or putting back one, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it is waited for others who are at the dead letters.
const TURN: Duration = Duration::from_secs(1);
/// What is on the envelope about earlier tries; it would count against the next ones.
const PAST: [&str; 6] = [
    ATTEMPTS_HEADER,
    REASON_HEADER,
    "x-death",
    "x-first-death-",
    "x-last-death-",
    "x-delivery-count",
];

/// The queue of dead letters; one takes from it at a time, or each would see only a part.
#[derive(Debug, Default)]
pub(crate) struct Morgue {
    turn: Mutex<()>,
}

impl Morgue {
    /// Nobody else takes from the queue until whoever has this lets go; nothing if others have it for too
    /// long.
    pub(super) async fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        timeout(TURN, self.turn.lock()).await.ok()
    }

    /// Looks at the dead letters and leaves them where they are.
    pub(crate) async fn look(&self, queues: &Queues) -> anyhow::Result<DeadLetters> {
        let _turn = self.turn.lock().await;
        let channel = queues.channel().await?;
        let letters = timeout(PATIENCE, look(&channel)).await;
        // What a closed channel has not acknowledged goes back to its place.
        let closed = channel.close(200, "seen".into()).await;
        let letters = letters.context("the broker does not answer")??;
        closed.context("cannot put back what was looked at")?;
        Ok(letters)
    }

    /// Puts up to `limit` of those that are there now back to be tried again, oldest first.
    ///
    /// Each is acknowledged only after the broker has confirmed that it is in the queue again: if
    /// this ends midway, what was being moved is in both places and nothing is in neither.
    pub(crate) async fn replay(&self, queues: &Queues, limit: u32) -> anyhow::Result<Replayed> {
        let _turn = self.turn.lock().await;
        let channel = queues.channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let mut outcome = Replayed { replayed: 0, left: 0 };
        let mut there = None;
        while outcome.replayed < limit.min(there.unwrap_or(u32::MAX)) {
            let Some(letter) = take(&channel).await? else { break };
            there.get_or_insert(letter.message_count + 1);
            outcome.left = letter.message_count;
            let put_back = put_back(&channel, &letter.delivery);
            timeout(PATIENCE, put_back).await.context("the broker does not answer")??;
            outcome.replayed += 1;
        }
        channel.close(200, "replayed".into()).await?;
        Ok(outcome)
    }
}

async fn look(channel: &Channel) -> anyhow::Result<DeadLetters> {
    let (mut seen, mut unreadable) = (DeadLetters::default(), Vec::new());
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < LOOKING {
        let Some(message) = take(channel).await? else { break };
        count += 1;
        seen.total = message.message_count + count;
        let letter = DeadLetter::read(&message.delivery);
        *seen.by_reason.entry(letter.reason.clone()).or_default() += 1;
        let like = if letter.order_id.is_some() { &mut seen.letters } else { &mut unreadable };
        if like.len() < SHOWN {
            like.push(letter);
        }
    }
    seen.letters.append(&mut unreadable);
    let all = BasicNackOptions { multiple: true, requeue: true };
    channel.basic_nack(0, all).await.context("cannot put back what was looked at")?;
    Ok(seen)
}

/// The next dead letter, to be acknowledged or to go back to its place.
pub(super) async fn take(
    channel: &Channel,
) -> anyhow::Result<Option<lapin::message::BasicGetMessage>> {
    let taken = channel.basic_get(DEAD_LETTERS.into(), BasicGetOptions::default()).await;
    taken.context("cannot take a dead letter")
}

async fn put_back(channel: &Channel, letter: &Delivery) -> anyhow::Result<()> {
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let properties = forget_the_past(&letter.properties);
    let published = channel
        .basic_publish("".into(), FULFILLMENT_QUEUE.into(), options, &letter.data, properties)
        .await
        .context("cannot publish a dead letter")?;
    match published.await.context("cannot publish a dead letter")? {
        Confirmation::Ack(None) => {
            letter.ack(BasicAckOptions::default()).await.context("cannot remove a dead letter")?;
            Ok(())
        }
        Confirmation::Ack(Some(_)) => bail!("no queue took the message; it stays a dead letter"),
        Confirmation::Nack(_) | Confirmation::NotRequested => {
            bail!("the broker refused the message; it stays a dead letter")
        }
    }
}

fn forget_the_past(properties: &BasicProperties) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (name, value) in properties.headers().iter().flat_map(FieldTable::inner) {
        if !PAST.iter().any(|past| name.as_str().starts_with(past)) {
            headers.insert(name.clone(), value.clone());
        }
    }
    properties.clone().with_headers(headers)
}
