//! Messages that nobody can read, taken out of the dead letters as they come to lie there.

use std::time::Duration;

use tokio::time::Instant;

use super::{broker, dead_letters::Morgue, queues::Queues};

/// How long it is waited after none was found.
const LOOK: Duration = Duration::from_secs(3);
/// How often in a row none is found, before no more messages are expected among the dead letters.
const QUIET: u32 = 20;
/// The same while fewer were found than there were: whoever gives them up may be away.
const QUIET_TOO_EARLY: u32 = 200;

/// How far it is with messages that nobody can read.
#[derive(Debug)]
pub(super) struct Burial {
    /// How many were sent, and how many are found.
    sent: u32,
    found: u32,
    /// How often in a row none was found.
    quiet: u32,
    /// When it was last looked.
    looked: Option<Instant>,
}

impl Burial {
    pub(super) const fn new(sent: u32) -> Self {
        Self { sent, found: 0, quiet: 0, looked: None }
    }

    /// Takes away those that have come, and says whether that was the last time.
    ///
    /// Who gave one up and then lost the connection gives it up once more, so that more may be found
    /// than were sent; and somebody else may have taken some away.
    pub(super) async fn go_on(&mut self, queues: &Queues, morgue: &Morgue) -> anyhow::Result<bool> {
        let is_all = self.found >= self.sent;
        let is_early = self.looked.is_some_and(|looked| looked.elapsed() < LOOK);
        if is_early && (is_all || self.quiet > 0) {
            return Ok(false);
        }
        // Whoever else is at the dead letters has them for himself: it is looked again soon.
        let Some(_turn) = morgue.turn().await else { return Ok(false) };
        let before = self.found;
        broker::bury(queues, &mut self.found).await?;
        self.looked = Some(Instant::now());
        self.quiet = if self.found > before { 0 } else { self.quiet + 1 };
        Ok(self.quiet >= if is_all { QUIET } else { QUIET_TOO_EARLY })
    }
}
