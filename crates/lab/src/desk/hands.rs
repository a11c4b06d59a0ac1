//! What the desk does outside of the services: to the payment provider, to the customers, to the
//! broker and in the database.
//!
//! As with the services, the ledger says what must be so, and this makes it so: what is on is done
//! once, and what is no longer on is undone.

use std::{
    collections::BTreeMap,
    sync::{Mutex as Plain, MutexGuard as PlainGuard},
    time::Duration,
};

use ::provider::Provider;
use anyhow::Context as _;
use faults::Action;
use tokio::{
    sync::{Mutex, MutexGuard},
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use uuid::Uuid;

use super::{
    bends::Bends,
    broker,
    burial::Burial,
    database::{self, Database},
    dead_letters::Morgue,
    ledger::Ledger,
    queues::Queues,
};
use crate::{
    customers::{Customers, Load},
    proxy::{Control, Wanted},
};

/// How often what is on is compared with the truth.
const PAUSE: Duration = Duration::from_millis(500);
/// How often it is looked whether somebody else has put right what was done.
const LOOK: Duration = Duration::from_secs(3);
/// How long the broker or the proxy may take to do something, and anybody to be looked at: meanwhile
/// nothing else is done.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the database may take, whose statements have a limit of their own below that.
const LONG_PATIENCE: Duration = Duration::from_secs(30);
/// The pause before what took too long is tried again, for others to have their turn.
const REST: Duration = Duration::from_secs(15);
/// How long the way to the database stays long when nobody says so again.
const LEASE: Duration = Duration::from_secs(15);
/// Who is asked to do things, as people read it.
const BROKER: &str = "the broker";
const DATABASE: &str = "the database";
const PROXY: &str = "the way to the database";

/// What was done, and how to undo it.
#[derive(Debug, Default)]
pub(crate) struct Hands {
    done: Mutex<Done>,
    bends: Plain<Bends>,
}

/// Whoever has it is the only one who does something.
pub(crate) struct Turn<'a> {
    done: MutexGuard<'a, Done>,
    hands: &'a Hands,
}

/// What is done.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// When it was last looked whether somebody else has undone something.
    looked: Option<Instant>,
    /// Whether what an earlier desk may have left in the database is undone.
    tidied: bool,
    /// What is done once, and how to undo each.
    once: BTreeMap<Uuid, Undo>,
    /// What took too long, and may be done or undone by now or not, and when it is tried again.
    late: BTreeMap<Uuid, Instant>,
}

/// How to undo what is done once.
#[derive(Debug)]
enum Undo {
    /// The queue was bound.
    Bind,
    /// Messages that nobody can read come to lie among the dead letters, sooner or later.
    Bury(Burial),
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
    pub(crate) morgue: &'a Morgue,
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
        drop(self.turn().await.settle(ledger, reach).await);
    }

    /// Makes it so for the last time: what took too long before is tried once more.
    pub(crate) async fn finish(&self, ledger: &Ledger, reach: Reach<'_>) {
        let mut turn = self.turn().await;
        turn.done.late.values_mut().for_each(|until| *until = Instant::now());
        drop(turn.settle(ledger, reach).await);
    }

    /// Nothing is done until whoever has this does it.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        Turn { done: self.done.lock().await, hands: self }
    }

    /// An operator changes the provider in what these names say.
    pub(crate) fn change_provider<'a>(
        &self,
        ledger: &Ledger,
        provider: &Provider,
        given: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    ) -> Result<(), String> {
        self.bends().change_provider(ledger, provider, given)
    }

    /// An operator changes how many customers come, and which.
    pub(crate) fn change_load<'a>(
        &self,
        ledger: &Ledger,
        customers: &Customers,
        given: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    ) -> Result<Load, String> {
        self.bends().change_load(ledger, customers, given)
    }

    fn bends(&self) -> PlainGuard<'_, Bends> {
        self.bends.lock().expect("no holder of the lock panics")
    }
}

impl Turn<'_> {
    /// Makes it so: undoes what is no longer on, and does what has come. Says who was not reached, and
    /// will be asked again.
    ///
    /// What takes too long is left for later, so that whoever does not answer keeps nobody else's fault
    /// from being turned on or off.
    pub(crate) async fn settle(mut self, ledger: &Ledger, reach: Reach<'_>) -> Vec<&'static str> {
        let done = &mut *self.done;
        let is_due = done.is_due();
        if is_due {
            done.notice_repairs(ledger, reach).await;
        }
        self.hands.bends().bend(ledger, reach.provider, reach.customers);
        let wanted = ledger.outside();
        let is_wanted = |id: &Uuid| wanted.iter().any(|(wanted, _)| wanted == id);
        done.late.retain(|id, _| done.once.contains_key(id) || is_wanted(id));
        // Messages that nobody can read are alike: those of now are left alone, and so are others.
        let are_sent = wanted.iter().any(|(_, action)| matches!(action, Action::Publish(_)));
        let stays = |id: &Uuid| are_sent && matches!(done.once[id], Undo::Bury(_));
        let gone = done.once.keys().copied().filter(|id| !is_wanted(id) && !stays(id));
        let mut gone: Vec<_> = gone.collect();
        gone.sort_by_key(|id| !done.once[id].is_waited_for());
        for id in gone {
            if !done.rests(&id) {
                done.undo(id, reach).await;
            }
        }
        for (id, action) in &wanted {
            let is_done = done.once.contains_key(id) && !done.late.contains_key(id);
            if done.rests(id) {
                continue;
            }
            match is_done {
                false => done.apply(*id, action, reach).await,
                true if is_due => done.apply_again(*id, action, reach).await,
                true => {}
            }
        }
        let undoing = done.once.iter().filter(|(id, _)| !is_wanted(id));
        let undoing = undoing.filter_map(|(id, undo)| undo.waits_for(done.late.contains_key(id)));
        let doing = wanted
            .iter()
            .filter(|(id, _)| !done.once.contains_key(id) || done.late.contains_key(id));
        let mut missed: Vec<_> =
            doing.filter_map(|(_, action)| done_by(action)).chain(undoing).collect();
        missed.sort_unstable();
        missed.dedup();
        missed
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

    async fn undo(&mut self, id: Uuid, reach: Reach<'_>) {
        let Some(undo) = self.once.get_mut(&id) else { return };
        match timeout(undo.patience(), undo.undo(reach)).await {
            Ok(Ok(is_undone)) => {
                self.late.remove(&id);
                if is_undone {
                    self.once.remove(&id);
                }
            }
            Ok(Err(error)) => tracing::warn!("not undone yet: {error:#}"),
            Err(_) => self.rest(id, "not undone yet"),
        }
    }

    async fn apply(&mut self, id: Uuid, action: &Action, reach: Reach<'_>) {
        match timeout(patience(action), apply(action, reach)).await {
            Ok(Ok(undo)) => {
                self.once.extend(undo.map(|undo| (id, undo)));
                self.late.remove(&id);
            }
            Ok(Err(error)) => tracing::warn!("not done yet: {error:#}"),
            Err(_) => {
                self.rest(id, "not done yet");
                // What is on its way may still be done.
                match action {
                    Action::Unbind => drop(self.once.insert(id, Undo::Bind)),
                    Action::Lengthen { .. } => drop(self.once.insert(id, Undo::Shorten)),
                    Action::Database(_) => self.tidied = false,
                    _ => {}
                }
            }
        }
    }

    /// Does what does not last by itself.
    async fn apply_again(&mut self, id: Uuid, action: &Action, reach: Reach<'_>) {
        match timeout(PATIENCE, lengthen(action, reach)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("not done again yet: {error:#}"),
            Err(_) => self.rest(id, "not done again yet"),
        }
    }

    /// This took too long, and is not tried again at once.
    fn rest(&mut self, id: Uuid, problem: &str) {
        self.late.insert(id, Instant::now() + REST);
        tracing::warn!("{problem}: it takes too long, and is tried again in {} s", REST.as_secs());
    }

    /// Whether this took too long a short while ago.
    fn rests(&self, id: &Uuid) -> bool {
        self.late.get(id).is_some_and(|until| *until > Instant::now())
    }

    /// What somebody has put right, is something that was done about it.
    async fn notice_repairs(&mut self, ledger: &Ledger, reach: Reach<'_>) {
        // What is done already is no leftover.
        if !self.tidied && self.once.is_empty() {
            match timeout(LONG_PATIENCE, reach.database.tidy()).await {
                Ok(Ok(())) => self.tidied = true,
                Ok(Err(error)) => {
                    tracing::debug!("the database is not looked through yet: {error:#}");
                }
                Err(_) => tracing::warn!("the database takes too long to be looked through"),
            }
        }
        for (id, undo) in &self.once {
            let Undo::Database(deed) = undo else { continue };
            if let Ok(Ok(true)) = timeout(PATIENCE, reach.database.is_repaired(deed)).await {
                ledger.undone(*id);
            }
        }
    }
}

/// Who does it, if that is somebody outside of the desk and the services.
fn done_by(action: &Action) -> Option<&'static str> {
    match action {
        Action::Publish(_) | Action::Unbind => Some(BROKER),
        Action::Database(_) => Some(DATABASE),
        Action::Lengthen { .. } => Some(PROXY),
        _ => None,
    }
}

/// How long something may take to be done.
fn patience(action: &Action) -> Duration {
    match action {
        Action::Database(_) => LONG_PATIENCE,
        // It has a limit of its own.
        Action::Publish(_) => 3 * PATIENCE,
        _ => PATIENCE,
    }
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
            let channel = reach.queues.channel().await?;
            // What was sent cannot be called back: whatever the broker says, it is not sent again.
            match timeout(PATIENCE, broker::publish(*count, &channel)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!("perhaps not all is published: {error:#}"),
                Err(_) => tracing::warn!("perhaps not all is published: it takes too long"),
            }
            Ok(Some(Undo::Bury(Burial::new(*count))))
        }
        Action::Unbind => broker::unbind(reach.queues).await.map(|()| Some(Undo::Bind)),
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

    /// Who has not undone it yet, though asked to. Messages that are still about are nobody's fault.
    fn waits_for(&self, is_late: bool) -> Option<&'static str> {
        match self {
            Self::Bind => Some(BROKER),
            Self::Bury(_) => is_late.then_some(BROKER),
            Self::Database(_) => Some(DATABASE),
            Self::Shorten => Some(PROXY),
        }
    }

    /// How long it may take to be undone.
    fn patience(&self) -> Duration {
        if matches!(self, Self::Database(_)) { LONG_PATIENCE } else { PATIENCE }
    }

    /// Undoes it, and says whether that is all that there is to do.
    async fn undo(&mut self, reach: Reach<'_>) -> anyhow::Result<bool> {
        match self {
            Self::Bind => broker::bind(reach.queues).await?,
            Self::Bury(burial) => return burial.go_on(reach.queues, reach.morgue).await,
            Self::Database(done) => reach.database.undo(done).await?,
            Self::Shorten => reach.proxy.set(Wanted::NOTHING).await?,
        }
        Ok(true)
    }
}

/// Makes the way to the database longer, for a while.
async fn lengthen(action: &Action, reach: Reach<'_>) -> anyhow::Result<()> {
    let Action::Lengthen { latency_ms, jitter_ms } = *action else { return Ok(()) };
    let for_ms = u64::try_from(LEASE.as_millis()).context("a lease is no age")?;
    reach.proxy.set(Wanted { latency_ms, jitter_ms, for_ms }).await
}
