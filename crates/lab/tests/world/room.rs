//! Who may run at once: tests that kill and load the machine, tests that watch for calm, or one
//! that bears nobody beside it.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::sleep;

/// What a test needs of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// Anything may happen beside it.
    Noisy,
    /// Nothing noisy may.
    Quiet,
    /// Nothing may at all.
    Alone,
}

/// Which room is in use, and by how many.
static IN_USE: Mutex<(Room, usize)> = Mutex::new((Room::Noisy, 0));

/// A place in a room, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place(());

impl Room {
    /// Waits until nobody is in another room, nor in this one if it is for one.
    pub(crate) async fn enter(self) -> Place {
        loop {
            if let Some(place) = self.try_enter() {
                return place;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    fn try_enter(self) -> Option<Place> {
        let mut in_use = in_use();
        let (room, places) = *in_use;
        if places > 0 && (room != self || self == Self::Alone) {
            return None;
        }
        *in_use = (self, places + 1);
        Some(Place(()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        in_use().1 -= 1;
    }
}

fn in_use() -> MutexGuard<'static, (Room, usize)> {
    IN_USE.lock().unwrap_or_else(PoisonError::into_inner)
}
