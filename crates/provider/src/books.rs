//! The books: what was authorized, captured and given back, each once, and what that adds up to.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Bound::{Excluded, Unbounded},
};

use uuid::Uuid;

use crate::{
    answer::{
        Authorization, Capture, DeclineReason, Done, Page, Present, Reversal, ReversalKind, State,
        Totals,
    },
    entry::Entry,
    error::Error,
    ids::{Ids, Kind},
    keys::{Key, Keys},
    request::NewAuthorization,
};

/// How many keys of captures and of reversals are remembered, for as long as anyone repeats them:
/// an authorization is captured and reversed once whatever the key.
const KEYS: usize = 20_000;

/// What was authorized, captured and given back.
#[derive(Debug)]
pub(crate) struct Books {
    ids: Ids,
    entries: BTreeMap<u64, Entry>,
    /// The number of each entry by the key that it was asked for with.
    numbers: HashMap<Key, u64>,
    /// The number of the last entry.
    last: u64,
    /// The entries that wait for nothing, in the order in which that became so.
    settled: VecDeque<u64>,
    captures: Keys,
    reversals: Keys,
    totals: Totals,
    /// The most entries.
    most: usize,
}

impl Books {
    /// Empty books that remember so many authorizations.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            ids: Ids::new(),
            entries: BTreeMap::new(),
            numbers: HashMap::new(),
            last: 0,
            settled: VecDeque::new(),
            captures: Keys::new(KEYS),
            reversals: Keys::new(KEYS),
            totals: Totals::default(),
            most: most.max(1),
        }
    }

    /// What all requests add up to.
    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// Promises to charge a card, or declines it.
    pub(crate) fn authorize(
        &mut self,
        key: Key,
        request: NewAuthorization,
        decline_reason: Option<DeclineReason>,
    ) -> Result<Done<Authorization>, Error> {
        if let Some(number) = self.numbers.get(&key) {
            let entry = &self.entries[number];
            return match entry.request == request {
                true => Ok(Done { content: entry.authorization(self.id(*number)), again: true }),
                false => Err(Error::KeyReused),
            };
        }
        self.last += 1;
        let number = self.last;
        let entry = Entry::new(key.clone(), request, decline_reason);
        let (state, content) = (entry.state, entry.authorization(self.id(number)));
        self.numbers.insert(key, number);
        self.entries.insert(number, entry);
        self.move_to(number, state);
        self.forget();
        Ok(Done { content, again: false })
    }

    /// What was answered to the request with this key, and what has become of it.
    pub(crate) fn look_up(&self, key: &str) -> Result<Present, Error> {
        let number = self.numbers.get(key).ok_or(Error::AuthorizationNotFound)?;
        Ok(self.entries[number].present(self.id(*number)))
    }

    /// Charges a card, as was promised.
    pub(crate) fn capture(&mut self, key: Key, id: Uuid) -> Result<Done<Capture>, Error> {
        let repeated = is_repeated(&self.captures, &key, id)?;
        let (number, entry) = self.entry(id)?;
        let amount_minor = entry.amount_minor();
        let again = match entry.state {
            State::Authorized => false,
            State::Captured => true,
            State::Refunded if repeated => true,
            State::Refunded | State::Voided => return Err(Error::AuthorizationClosed),
            State::Declined => return Err(Error::AuthorizationDeclined),
        };
        if !again {
            self.move_to(number, State::Captured);
        }
        self.captures.remember(key, id);
        let id_of_capture = self.ids.of(Kind::Capture, number);
        let content = Capture { id: id_of_capture, authorization_id: id, amount_minor };
        Ok(Done { content, again })
    }

    /// Lets a promise go, or gives back what was charged.
    pub(crate) fn reverse(&mut self, key: Key, id: Uuid) -> Result<Done<Reversal>, Error> {
        is_repeated(&self.reversals, &key, id)?;
        let (number, entry) = self.entry(id)?;
        let amount_minor = entry.amount_minor();
        let (kind, next) = match entry.state {
            State::Authorized => (ReversalKind::Void, Some(State::Voided)),
            State::Captured => (ReversalKind::Refund, Some(State::Refunded)),
            State::Voided => (ReversalKind::Void, None),
            State::Refunded => (ReversalKind::Refund, None),
            State::Declined => return Err(Error::AuthorizationDeclined),
        };
        if let Some(state) = next {
            self.move_to(number, state);
        }
        self.reversals.remember(key, id);
        let id_of_reversal = self.ids.of(Kind::Reversal, number);
        let content = Reversal { id: id_of_reversal, authorization_id: id, kind, amount_minor };
        Ok(Done { content, again: next.is_none() })
    }

    /// The entries after a number, `limit` at most.
    pub(crate) fn page(&self, since: u64, limit: usize) -> Page {
        let mut after = self.entries.range((Excluded(since), Unbounded));
        let lines = after.by_ref().take(limit);
        let entries: Vec<_> =
            lines.map(|(number, entry)| entry.line(*number, self.id(*number))).collect();
        let more = after.next().is_some();
        let next = entries.last().map(|line| line.number).filter(|_| more);
        Page { totals: self.totals, entries, next }
    }

    /// The one place where money moves.
    fn move_to(&mut self, number: u64, state: State) {
        let entry = self.entries.get_mut(&number).expect("it was just looked at");
        entry.move_to(state);
        self.totals.add(state, entry.amount_minor());
        match state {
            State::Declined | State::Captured | State::Voided => self.settled.push_back(number),
            // A refund comes after a capture, which has settled it.
            State::Authorized | State::Refunded => {}
        }
    }

    /// Lets go of the oldest settled entries beyond those that may be remembered. If none is
    /// settled, the oldest promise expires, as promises to charge a card do.
    fn forget(&mut self) {
        while self.entries.len() > self.most {
            if let Some(number) = self.settled.pop_front() {
                let entry = self.entries.remove(&number).expect("what is settled is there");
                self.numbers.remove(&entry.key);
                self.totals.forgotten += 1;
            } else if let Some((oldest, _)) = self.entries.first_key_value() {
                self.move_to(*oldest, State::Voided);
            }
        }
    }

    fn id(&self, number: u64) -> Uuid {
        self.ids.of(Kind::Authorization, number)
    }

    fn entry(&self, id: Uuid) -> Result<(u64, &Entry), Error> {
        let number = self.ids.number(id).ok_or(Error::AuthorizationNotFound)?;
        let entry = self.entries.get(&number).ok_or(Error::AuthorizationNotFound)?;
        Ok((number, entry))
    }
}

/// Whether a key was used for this authorization before; it must not be used for another.
fn is_repeated(keys: &Keys, key: &Key, id: Uuid) -> Result<bool, Error> {
    match keys.used_for(key) {
        Some(other) if other != id => Err(Error::KeyReused),
        used => Ok(used.is_some()),
    }
}
