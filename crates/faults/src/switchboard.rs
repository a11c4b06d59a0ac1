//! Which effects are on in one service, and for how long.

use std::{
    any::Any,
    fmt,
    sync::{
        Mutex, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    effect::{self, Blow, Effect},
    seam::Seam,
};

/// How often it is looked whether a seam is clear.
const LOOK: Duration = Duration::from_millis(100);

/// An effect at a seam, for a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arming {
    /// Says nothing but which one it is.
    pub id: Uuid,
    /// Where.
    pub seam: Seam,
    /// What.
    pub effect: Effect,
    /// How much longer, in milliseconds; then it ends by itself.
    pub remaining_ms: u64,
}

/// A step that was struck and failed.
///
/// Services turn it into the error of the real failure it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("connection reset by peer")]
pub struct Failure;

/// The effects that are on in one service.
#[derive(Debug, Default)]
pub struct Switchboard {
    /// One bit for each seam with an effect: all that an unarmed seam looks at.
    armed: AtomicU64,
    effects: RwLock<Vec<Armed>>,
    /// What steps do not let go of, each until its seam is as it should be again.
    kept: Mutex<Vec<Kept>>,
}

struct Kept {
    seam: Seam,
    _thing: Box<dyn Any + Send>,
}

#[derive(Clone, Debug)]
struct Armed {
    id: Uuid,
    seam: Seam,
    effect: Effect,
    until: Instant,
}

impl Switchboard {
    /// Suffers what is on at `seam`: waits, fails, or, nearly always, nothing.
    ///
    /// Costs a few nanoseconds where nothing is on (`cargo bench -p faults`).
    #[inline]
    pub async fn strike(&self, seam: Seam) -> Result<(), Failure> {
        if cfg!(feature = "without-seams") || self.armed.load(Ordering::Relaxed) & seam.bit() == 0 {
            return Ok(());
        }
        self.suffer(seam).await
    }

    /// Whether the step at `seam` takes its other way.
    #[inline]
    pub fn detours(&self, seam: Seam) -> bool {
        if cfg!(feature = "without-seams") || self.armed.load(Ordering::Relaxed) & seam.bit() == 0 {
            return false;
        }
        self.forget_expired(Instant::now());
        let effects = self.effects.read().expect("no holder of the lock panics");
        effects.iter().any(|armed| armed.seam == seam && armed.effect.detours())
    }

    /// Holds on to something for as long as an effect is on at `seam`.
    pub fn keep(&self, seam: Seam, thing: impl Send + 'static) {
        let kept = Kept { seam, _thing: Box::new(thing) };
        self.kept.lock().expect("no holder of the lock panics").push(kept);
        self.let_go();
    }

    /// Waits until nothing is on at `seam`.
    pub async fn is_clear(&self, seam: Seam) {
        while self.armed.load(Ordering::Relaxed) & seam.bit() != 0 {
            tokio::time::sleep(LOOK).await;
            self.forget_expired(Instant::now());
        }
    }

    /// Replaces everything that is on.
    pub fn replace(&self, armings: Vec<Arming>) {
        let now = Instant::now();
        let effects = armings
            .into_iter()
            .map(|arming| Armed {
                id: arming.id,
                seam: arming.seam,
                effect: arming.effect,
                until: now + Duration::from_millis(arming.remaining_ms),
            })
            .collect();
        let mut current = self.effects.write().expect("no holder of the lock panics");
        *current = effects;
        self.armed.store(bits(&current), Ordering::Relaxed);
        drop(current);
        self.let_go();
    }

    /// Everything that is on.
    pub fn armings(&self) -> Vec<Arming> {
        let now = Instant::now();
        self.forget_expired(now);
        let effects = self.effects.read().expect("no holder of the lock panics");
        effects
            .iter()
            .map(|armed| Arming {
                id: armed.id,
                seam: armed.seam,
                effect: armed.effect.clone(),
                remaining_ms: u64::try_from(armed.until.duration_since(now).as_millis())
                    .unwrap_or(u64::MAX),
            })
            .collect()
    }

    async fn suffer(&self, seam: Seam) -> Result<(), Failure> {
        self.forget_expired(Instant::now());
        for blow in self.blows(seam) {
            match blow {
                Blow::Nothing => {}
                Blow::Wait(wait) => tokio::time::sleep(wait).await,
                Blow::Fail => return Err(Failure),
                Blow::Block(time) => effect::block(time),
                Blow::Match(length) => effect::match_text(length),
                // Written to, so that it is memory and not a promise of it.
                Blow::Hoard(bytes) => self.keep(seam, vec![1_u8; bytes]),
            }
        }
        Ok(())
    }

    fn blows(&self, seam: Seam) -> Vec<Blow> {
        let effects = self.effects.read().expect("no holder of the lock panics");
        effects.iter().filter(|armed| armed.seam == seam).map(|armed| armed.effect.draw()).collect()
    }

    fn forget_expired(&self, now: Instant) {
        let expired = |effects: &[Armed]| effects.iter().any(|armed| armed.until <= now);
        if !expired(&self.effects.read().expect("no holder of the lock panics")) {
            return;
        }
        let mut effects = self.effects.write().expect("no holder of the lock panics");
        effects.retain(|armed| armed.until > now);
        self.armed.store(bits(&effects), Ordering::Relaxed);
        drop(effects);
        self.let_go();
    }

    /// Lets go of what was kept at seams where nothing is on any more.
    fn let_go(&self) {
        let armed = self.armed.load(Ordering::Relaxed);
        let mut kept = self.kept.lock().expect("no holder of the lock panics");
        let gone: Vec<_> = kept.extract_if(.., |kept| armed & kept.seam.bit() == 0).collect();
        // What is dropped may take its time, or come here again.
        drop(kept);
        drop(gone);
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("seam", &self.seam).finish_non_exhaustive()
    }
}

fn bits(effects: &[Armed]) -> u64 {
    effects.iter().fold(0, |bits, armed| bits | armed.seam.bit())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn arming(seam: Seam, effect: Effect) -> Arming {
        Arming { id: Uuid::nil(), seam, effect, remaining_ms: 60_000 }
    }

    #[tokio::test(start_paused = true)]
    async fn an_armed_delay_delays_only_its_own_seam() {
        let board = Switchboard::default();
        let delay = Effect::Delay { median_ms: 800.0, share: 1.0 };
        board.replace(vec![arming(Seam::StoreOrder, delay)]);

        let started = Instant::now();
        board.strike(Seam::FulfillOrder).await.unwrap();
        assert_eq!(started.elapsed(), Duration::ZERO);
        board.strike(Seam::StoreOrder).await.unwrap();
        // Of a median of 800 ms, by chance: never as short as that.
        assert!(started.elapsed() > Duration::from_millis(10));
    }

    #[tokio::test(start_paused = true)]
    async fn an_effect_ends_by_itself() {
        let board = Switchboard::default();
        board.replace(vec![arming(Seam::StoreOrder, Effect::Fail { share: 1.0 })]);
        assert_eq!(board.strike(Seam::StoreOrder).await, Err(Failure));

        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(board.strike(Seam::StoreOrder).await, Ok(()));
        assert_eq!(board.armings(), []);
        assert_eq!(board.armed.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_is_let_go_when_its_seam_is_clear() {
        let board = Arc::new(Switchboard::default());
        let thing = Arc::new(());
        board.replace(vec![arming(Seam::DeclineOrder, Effect::Detour { share: 1.0 })]);
        assert!(board.detours(Seam::DeclineOrder) && !board.detours(Seam::StoreOrder));
        board.keep(Seam::DeclineOrder, Arc::clone(&thing));
        board.keep(Seam::StoreOrder, Arc::clone(&thing));
        assert_eq!(Arc::strong_count(&thing), 2, "nothing is on at the other");

        let waiting = tokio::spawn({
            let board = Arc::clone(&board);
            async move { board.is_clear(Seam::DeclineOrder).await }
        });
        tokio::time::advance(Duration::from_secs(61)).await;
        waiting.await.unwrap();
        assert_eq!(Arc::strong_count(&thing), 1);
        assert!(!board.detours(Seam::DeclineOrder));
    }

    #[tokio::test]
    async fn replacing_with_nothing_heals() {
        let board = Switchboard::default();
        board.replace(vec![arming(Seam::StoreOrder, Effect::Fail { share: 1.0 })]);
        board.replace(Vec::new());
        assert_eq!(board.strike(Seam::StoreOrder).await, Ok(()));
    }
}
