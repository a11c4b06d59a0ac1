//! What the desk does outside of the services: to the payment provider, to the customers, to the
//! broker and in the database.
//!
//! As with the services, the ledger says what must be so, and this makes it so: what is on is done
//! once, and what is no longer on is undone.

use std::{collections::BTreeMap, time::Duration};

use ::provider::{Behaviour, Provider};
use anyhow::{Context as _, ensure};
use contract::topology::{FULFILLMENT_QUEUE, ORDER_PLACED_KEY, ORDERS_EXCHANGE};
use faults::Action;
use lapin::{
    BasicProperties,
    options::{BasicAckOptions, BasicPublishOptions, QueueBindOptions},
    types::FieldTable,
};
use tokio::{
    sync::{Mutex, MutexGuard},
    time::{Instant, MissedTickBehavior, interval},
};
use uuid::Uuid;

use super::{
    database::{self, Database},
    dead_letters,
    ledger::{Ledger, Outside},
    provider,
    queues::Queues,
};
use crate::{
    customers::{Customers, Demand, HIGHEST_RATE},
    proxy::{Control, Wanted},
};

/// How often what is on is compared with the truth.
const PAUSE: Duration = Duration::from_millis(500);
/// How often it is looked whether somebody else has put right what was done.
const LOOK: Duration = Duration::from_secs(3);
/// How often it is looked for messages that do not come to lie among the dead letters.
const TRIES: u32 = 60;
/// How long the way to the database stays long when nobody says so again.
const LEASE: Duration = Duration::from_secs(15);
/// What no reader of orders can read: cut off in the middle.
const TORN: &[u8] = br#"{"order_id":"01980000-0000-7000-8000-0000000000"#;

/// What was done, and how to undo it.
#[derive(Debug, Default)]
pub(crate) struct Hands(Mutex<Done>);

/// Whoever has it is the only one who does something.
pub(crate) struct Turn<'a>(MutexGuard<'a, Done>);

/// What is done.
#[derive(Debug, Default)]
pub(crate) struct Done {
    provider: Bent<Behaviour>,
    rate: Bent<f64>,
    demand: Bent<Demand>,
    /// When it was last looked whether somebody else has undone something.
    looked: Option<Instant>,
    /// Whether what an earlier desk may have left in the database is undone.
    tidied: bool,
    /// What is done once, and how to undo each.
    once: BTreeMap<Uuid, Undo>,
}

/// Something that several faults may bend at a time, and what it was before the first of them.
#[derive(Debug)]
struct Bent<T> {
    by: Vec<Uuid>,
    before: Option<T>,
}

/// How to undo what is done once.
#[derive(Debug)]
enum Undo {
    /// The queue was bound.
    Bind,
    /// So many messages that nobody can read come to lie among the dead letters, sooner or later.
    Bury { left: u32, tries: u32 },
    /// What was done in the database.
    Database(database::Done),
    /// The way to the database was made longer.
    Shorten,
}

/// Whom the hands reach.
#[derive(Clone, Copy)]
pub(crate) struct Reach<'a> {
    pub(crate) provider: &'a Provider,
    pub(crate) customers: &'a Customers,
    pub(crate) queues: &'a Queues,
    pub(crate) database: &'a Database,
    pub(crate) proxy: &'a Control,
}

impl Hands {
    /// Makes it so, for as long as this is polled.
    pub(crate) async fn keep(&self, ledger: &Ledger, reach: Reach<'_>) {
        let mut ticks = interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.settle(ledger, reach).await;
        }
    }

    /// Makes it so, once.
    pub(crate) async fn settle(&self, ledger: &Ledger, reach: Reach<'_>) {
        self.turn().await.settle(ledger, reach).await;
    }

    /// Nothing is done until whoever has this does it.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        Turn(self.0.lock().await)
    }
}

impl Turn<'_> {
    /// Makes it so: undoes what is no longer on, and does what has come.
    pub(crate) async fn settle(mut self, ledger: &Ledger, reach: Reach<'_>) {
        let done = &mut *self.0;
        let is_due = done.is_due();
        if is_due {
            done.notice_repairs(ledger, reach).await;
        }
        let wanted = ledger.outside();
        done.bend(&wanted, reach);
        let is_wanted = |id: &Uuid| wanted.iter().any(|(wanted, _)| wanted == id);
        let mut gone: Vec<_> = done.once.keys().copied().filter(|id| !is_wanted(id)).collect();
        gone.sort_by_key(|id| !done.once[id].is_waited_for());
        for id in gone {
            let Some(undo) = done.once.get_mut(&id) else { continue };
            match undo.undo(reach).await {
                Ok(()) => drop(done.once.remove(&id)),
                Err(error) => tracing::warn!("not undone yet: {error:#}"),
            }
        }
        for (id, action) in &wanted {
            if done.once.contains_key(id) {
                if is_due && let Err(error) = lengthen(action, reach).await {
                    tracing::warn!("not done again yet: {error:#}");
                }
                continue;
            }
            match apply(action, reach).await {
                Ok(undo) => done.once.extend(undo.map(|undo| (*id, undo))),
                Err(error) => tracing::warn!("not done yet: {error:#}"),
            }
        }
    }
}

impl Done {
    /// Whether it is time to look again.
    fn is_due(&mut self) -> bool {
        let due = self.looked.is_none_or(|looked| looked.elapsed() >= LOOK);
        if due {
            self.looked = Some(Instant::now());
        }
        due
    }

    /// What somebody has put right, is over.
    async fn notice_repairs(&mut self, ledger: &Ledger, reach: Reach<'_>) {
        // What is done already is no leftover.
        if !self.tidied && self.once.is_empty() {
            match reach.database.tidy().await {
                Ok(()) => self.tidied = true,
                Err(error) => tracing::debug!("the database is not looked through yet: {error:#}"),
            }
        }
        for (id, undo) in &self.once {
            let Undo::Database(deed) = undo else { continue };
            if let Ok(true) = reach.database.is_repaired(deed).await
                && let Some(fault) = ledger.reason_of(*id)
            {
                ledger.repaired(fault);
                tracing::info!(fault = fault.name, "repaired");
            }
        }
    }

    /// Lets the provider and the customers be as all that is on wants them, one upon the other.
    fn bend(&mut self, wanted: &Outside, reach: Reach<'_>) {
        let Reach { provider, customers, .. } = reach;
        let of = |bends: fn(&Action) -> bool| -> Vec<Uuid> {
            wanted.iter().filter(|(_, action)| bends(action)).map(|(id, _)| *id).collect()
        };
        let by = of(|action| matches!(action, Action::Provider(_)));
        if let Some(before) = self.provider.change(by, || provider.behaviour()) {
            provider
                .set_behaviour(wanted.iter().fold(before, |now, (_, action)| bent(now, action)));
        }
        let by = of(|action| matches!(action, Action::Traffic(_)));
        if let Some(before) = self.rate.change(by, || customers.load().rate) {
            let times: f64 = wanted.iter().map(|(_, action)| times(action)).product();
            customers.set_rate((before * times).min(HIGHEST_RATE));
        }
        let by = of(|action| matches!(action, Action::Demand(..)));
        if let Some(before) = self.demand.change(by, || customers.demand()) {
            customers.set_demand(wanted.iter().fold(before, |now, (_, action)| match action {
                Action::Demand(skus, share) => Demand { skus, share: *share },
                _ => now,
            }));
        }
    }
}

impl<T: Copy> Bent<T> {
    /// If others bend it now than before: what it was before the first of them.
    fn change(&mut self, by: Vec<Uuid>, now: impl FnOnce() -> T) -> Option<T> {
        if self.by == by {
            return None;
        }
        let before = *self.before.get_or_insert_with(now);
        if by.is_empty() {
            self.before = None;
        }
        self.by = by;
        Some(before)
    }
}

impl<T> Default for Bent<T> {
    fn default() -> Self {
        Self { by: Vec::new(), before: None }
    }
}

fn bent(now: Behaviour, action: &Action) -> Behaviour {
    let Action::Provider(settings) = action else { return now };
    let given = settings.iter().map(|(name, value)| (*name, value.as_str()));
    given.into_iter().try_fold(now, provider::set).expect("the catalogue sets what is possible")
}

fn times(action: &Action) -> f64 {
    if let Action::Traffic(times) = action { *times } else { 1.0 }
}

/// Does what is done once; nothing for what is done elsewhere.
async fn apply(action: &Action, reach: Reach<'_>) -> anyhow::Result<Option<Undo>> {
    match action {
        Action::Strike(..)
        | Action::Briefly(..)
        | Action::Set(..)
        | Action::StrikeCanary(..)
        | Action::Provider(_)
        | Action::Traffic(_)
        | Action::Demand(..) => Ok(None),
        Action::Publish(count) => {
            publish(*count, reach.queues).await?;
            Ok(Some(Undo::Bury { left: *count, tries: 0 }))
        }
        Action::Unbind => unbind(reach.queues).await.map(|()| Some(Undo::Bind)),
        Action::Lengthen { .. } => lengthen(action, reach).await.map(|()| Some(Undo::Shorten)),
        Action::Database(deed) => {
            reach.database.apply(*deed).await.map(|done| Some(Undo::Database(done)))
        }
    }
}

impl Undo {
    /// Whether others may have to wait until it is undone.
    fn is_waited_for(&self) -> bool {
        matches!(self, Self::Database(database::Done::Locked(_)))
    }

    async fn undo(&mut self, reach: Reach<'_>) -> anyhow::Result<()> {
        match self {
            Self::Bind => bind(reach.queues).await,
            Self::Bury { left, tries } => {
                *left = left.saturating_sub(bury(reach.queues).await?);
                *tries += 1;
                // Somebody else may have found them first.
                ensure!(*left == 0 || *tries > TRIES, "{left} of the published are still about");
                Ok(())
            }
            Self::Database(done) => reach.database.undo(done).await,
            Self::Shorten => reach.proxy.set(Wanted::NOTHING).await,
        }
    }
}

/// Makes the way to the database longer, for a while.
async fn lengthen(action: &Action, reach: Reach<'_>) -> anyhow::Result<()> {
    let Action::Lengthen { latency_ms, jitter_ms } = *action else { return Ok(()) };
    let for_ms = u64::try_from(LEASE.as_millis()).context("a lease is no age")?;
    reach.proxy.set(Wanted { latency_ms, jitter_ms, for_ms }).await
}

/// Takes the messages that nobody can read out of the dead letters, and leaves all others there.
async fn bury(queues: &Queues) -> anyhow::Result<u32> {
    let channel = queues.channel().await?;
    let mut buried = 0;
    while let Some(letter) = dead_letters::take(&channel).await? {
        if letter.delivery.data == TORN {
            letter.ack(BasicAckOptions::default()).await.context("cannot remove a dead letter")?;
            buried += 1;
        }
    }
    // What was taken and not acknowledged goes back to its place.
    channel.close(200, "done".into()).await.context("cannot put back what was looked at")?;
    Ok(buried)
}

async fn publish(count: u32, queues: &Queues) -> anyhow::Result<()> {
    let channel = queues.channel().await?;
    for _ in 0..count {
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_delivery_mode(2)
            .with_message_id(Uuid::new_v4().to_string().into());
        let (queue, options) = (FULFILLMENT_QUEUE.into(), BasicPublishOptions::default());
        let published = channel.basic_publish("".into(), queue, options, TORN, properties).await;
        published.context("cannot publish a message")?;
    }
    channel.close(200, "published".into()).await.context("cannot publish a message")
}

async fn unbind(queues: &Queues) -> anyhow::Result<()> {
    let channel = queues.channel().await?;
    let [queue, exchange, key] = binding();
    channel
        .queue_unbind(queue.into(), exchange.into(), key.into(), FieldTable::default())
        .await
        .context("cannot unbind the queue")?;
    channel.close(200, "done".into()).await.context("cannot unbind the queue")
}

async fn bind(queues: &Queues) -> anyhow::Result<()> {
    let channel = queues.channel().await?;
    let [queue, exchange, key] = binding();
    let options = QueueBindOptions::default();
    channel
        .queue_bind(queue.into(), exchange.into(), key.into(), options, FieldTable::default())
        .await
        .context("cannot bind the queue")?;
    channel.close(200, "done".into()).await.context("cannot bind the queue")
}

fn binding() -> [&'static str; 3] {
    [FULFILLMENT_QUEUE, ORDERS_EXCHANGE, ORDER_PLACED_KEY]
}
