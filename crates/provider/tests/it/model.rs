//! Anything at all, in any order, against a model that is too simple to be wrong: every answer is
//! the expected one, and the ledger adds up.

use std::collections::BTreeMap;

use provider::Totals;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::json;

use crate::client::{Answer, Client, QUICK, charge};

const CARDS: [&str; 3] = ["card", "visa", "card-declined"];
const AMOUNTS: [u64; 2] = [100, 250];
/// So few that they meet.
const KEYS: u32 = 12;

/// An authorization as the model has it.
#[derive(Clone, Debug, Default)]
struct Expected {
    id: String,
    amount: u64,
    card: &'static str,
    captured: bool,
    reversed: bool,
}

/// What is expected of the provider.
#[derive(Debug, Default)]
struct Model {
    by_key: BTreeMap<String, Expected>,
    /// For which authorization a key was used: to capture, to reverse.
    used: [BTreeMap<String, String>; 2],
}

/// An answer as it is expected: its status, and whether it is an earlier one.
type Fate = (u16, bool);

impl Model {
    fn authorize(&self, key: &str, amount: u64, card: &str) -> Fate {
        match self.by_key.get(key) {
            Some(known) if (known.amount, known.card) == (amount, card) => (201, true),
            Some(_) => (422, false),
            None => (201, false),
        }
    }

    /// What becomes of the wish to capture (0) or to reverse (1), and for whom.
    fn change(&mut self, which: usize, key: &str, id: &str) -> Fate {
        let used = self.used[which].get(key).map(String::as_str);
        if used.is_some_and(|other| other != id) {
            return (422, false);
        }
        let Some(one) = self.by_key.values_mut().find(|one| one.id == id) else {
            return (404, false);
        };
        if one.card == "card-declined" {
            return (409, false);
        }
        if which == 0 && one.reversed && used.is_none() {
            return (409, false);
        }
        let done = if which == 0 { &mut one.captured } else { &mut one.reversed };
        let again = std::mem::replace(done, true);
        self.used[which].insert(key.to_owned(), id.to_owned());
        (201, again)
    }

    fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for one in self.by_key.values() {
            let (count, sum) = match (one.card, one.captured, one.reversed) {
                ("card-declined", ..) => {
                    totals.declined += 1;
                    continue;
                }
                (_, false, false) => (&mut 0, &mut 0),
                (_, false, true) => (&mut totals.voids, &mut totals.voided_minor),
                (_, true, false) => (&mut 0, &mut 0),
                (_, true, true) => (&mut totals.refunds, &mut totals.refunded_minor),
            };
            *count += 1;
            *sum += one.amount;
            totals.authorizations += 1;
            totals.authorized_minor += one.amount;
            if one.captured {
                totals.captures += 1;
                totals.captured_minor += one.amount;
            }
        }
        totals
    }
}

fn check(answer: &Answer, (status, replayed): Fate, what: &str) {
    assert_eq!((answer.status.as_u16(), answer.is_replayed()), (status, replayed), "{what}");
}

/// Does something at random.
async fn step(client: &Client, model: &mut Model, rng: &mut StdRng) {
    let key = format!("key-{}", rng.random_range(0..KEYS));
    match rng.random_range(0..5) {
        0 | 1 => {
            let card = CARDS.choose(rng).expect("there are some");
            let amount = *AMOUNTS.choose(rng).expect("there are some");
            let fate = model.authorize(&key, amount, card);
            let answer = client.post("/authorizations", &key, &charge(amount, card)).await;
            check(&answer, fate, &format!("authorize {key} {amount} {card}"));
            if fate == (201, false) {
                let (id, declined) = (answer.text("id"), answer.body["status"] == "declined");
                assert_eq!(declined, *card == "card-declined");
                model.by_key.insert(key, Expected { id, amount, card, ..Expected::default() });
            }
        }
        2 => {
            let answer = client.look_up(&key).await;
            let Some(one) = model.by_key.get(&key) else {
                return check(&answer, (404, false), &format!("look up {key}"));
            };
            assert_eq!(answer.body["captured_minor"], one.amount * u64::from(one.captured));
            let refunded = one.amount * u64::from(one.captured && one.reversed);
            assert_eq!(answer.body["refunded_minor"], refunded);
            assert_eq!(answer.body["voided"], one.reversed && !one.captured);
        }
        change => {
            let which = change - 3;
            let ids: Vec<_> = model.by_key.values().map(|one| one.id.clone()).collect();
            let nothing = "00000000-0000-8000-8000-000000000000".to_owned();
            let id = ids.choose(rng).filter(|_| rng.random_bool(0.9)).cloned().unwrap_or(nothing);
            let fate = model.change(which, &key, &id);
            let path = ["/captures", "/refunds"][which];
            let answer = client.post(path, &key, &json!({"authorization_id": id})).await;
            check(&answer, fate, &format!("{path} {key} {id}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_comes_every_answer_is_the_expected_one_and_the_ledger_adds_up() {
    for seed in 0..30 {
        let client = Client::of(QUICK).await;
        let (mut model, mut rng) = (Model::default(), StdRng::seed_from_u64(seed));
        for _ in 0..150 {
            step(&client, &mut model, &mut rng).await;
            assert_eq!(client.provider.totals(), model.totals(), "seed {seed}");
        }
        let ledger = client.ledger("").await;
        let entries = ledger["entries"].as_array().expect("a list");
        assert_eq!(entries.len(), model.by_key.len(), "seed {seed}");
        for entry in entries {
            let one = &model.by_key[entry["idempotency_key"].as_str().expect("a key")];
            assert_eq!(entry["id"], one.id);
            assert_eq!(entry["captures"], u32::from(one.captured), "{entry}");
            assert_eq!(entry["refunds"], u32::from(one.captured && one.reversed), "{entry}");
        }
    }
}
