//! Messages and queues whose time is over, and the timer that looks after them.

use tokio::time::{Instant, sleep_until};

use crate::dead_letter::Reason;
use crate::exchange::Name;
use crate::server::Shared;
use crate::state::State;

/// Removes what expires, when it does; nothing runs while nothing can expire.
pub(crate) async fn keep_time(shared: &Shared) {
    loop {
        let alarm = shared.lock().expire(Instant::now());
        match alarm {
            None => shared.wake.notified().await,
            Some(alarm) => tokio::select! {
                () = sleep_until(alarm) => {}
                () = shared.wake.notified() => {}
            },
        }
    }
}

impl State {
    /// Makes sure that the timer looks at `deadline`.
    pub(crate) fn note(&mut self, deadline: Option<Instant>) {
        if let Some(deadline) = deadline
            && self.alarm.is_none_or(|alarm| deadline < alarm)
        {
            self.alarm = Some(deadline);
            self.wake.notify_one();
        }
    }

    /// Makes dead letters of the expired messages at the head of a queue.
    ///
    /// As in RabbitMQ, one that waits behind a message that lives longer waits on.
    pub(crate) fn drop_expired(&mut self, name: &str, now: Instant) {
        while let Some(entry) = self.queues.get_mut(name).and_then(|queue| queue.pop_expired(now)) {
            self.dead_letter(name, &entry.content, Reason::Expired);
        }
    }

    /// Removes what has expired by `now`; when there is more to do.
    fn expire(&mut self, now: Instant) -> Option<Instant> {
        let due = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        let queues = self.queues.values().filter(|queue| due(queue.deadline()));
        let names: Vec<Name> = queues.map(|queue| queue.name.clone()).collect();
        for name in names {
            if self.queues.get(&name).is_some_and(|queue| due(queue.end())) {
                self.delete_queue(&name);
            } else {
                self.advance(&name);
            }
        }
        self.alarm = self.queues.values().filter_map(|queue| queue.deadline()).min();
        self.alarm
    }
}
