//! Lines that wait to be written, and the thread that writes them, some at a time: a line by itself
//! costs its writer a system call, and wakes its reader.

use std::{
    io::Write,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long a line waits for others; what is grave waits for none.
const COMPANY: Duration = Duration::from_millis(50);
/// So many bytes, as many as a pipe holds, need no more company.
const ENOUGH: usize = 64 * 1024;
/// Who has a line for a log that is so far behind, in bytes, waits until there is room, as whoever writes by
/// themselves would: lines are not lost.
const TOO_MUCH: usize = 1024 * 1024;
/// A pipe takes so many bytes whole or not at all (Linux): a process that is killed leaves no part of a line.
const WHOLE: usize = 4096;
/// How long [`Waiting::flush`] waits at most while nobody reads.
const PATIENCE: Duration = Duration::from_secs(1);

/// Lines on their way.
#[derive(Debug)]
pub(super) struct Waiting {
    state: Mutex<State>,
    /// Told to the thread: there is a line, or no reason to wait any longer.
    come: Condvar,
    /// Told to all who wait: lines were taken, or written.
    gone: Condvar,
    company: Duration,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<u8>,
    /// Whether they are to be written at once.
    pressing: bool,
    /// Whether the thread waits.
    idle: bool,
    /// Whether the thread has lines that are not written yet.
    writing: bool,
    /// How many pieces it has written.
    written: u64,
}

impl Default for Waiting {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            come: Condvar::new(),
            gone: Condvar::new(),
            company: COMPANY,
        }
    }
}

impl Waiting {
    /// Adds a line, with its end.
    pub(super) fn add(&self, line: &[u8], grave: bool) {
        let state = self.state();
        let late = |state: &mut State| state.lines.len() >= TOO_MUCH;
        let mut state = self.gone.wait_while(state, late).unwrap_or_else(PoisonError::into_inner);
        let first = state.lines.is_empty();
        state.lines.extend_from_slice(line);
        let pressed = !state.pressing && (grave || state.lines.len() >= ENOUGH);
        state.pressing |= pressed;
        let tell = state.idle && (first || pressed);
        drop(state);
        if tell {
            self.come.notify_one();
        }
    }

    /// Returns when all lines that were added are written, or when nobody reads any.
    pub(super) fn flush(&self) {
        let mut state = self.state();
        state.pressing = !state.lines.is_empty();
        self.come.notify_one();
        while state.writing || !state.lines.is_empty() {
            let written = state.written;
            let still = |state: &mut State| {
                state.written == written && (state.writing || !state.lines.is_empty())
            };
            let waited = self.gone.wait_timeout_while(state, PATIENCE, still);
            let (after, late) = waited.unwrap_or_else(PoisonError::into_inner);
            if late.timed_out() {
                return;
            }
            state = after;
        }
    }

    /// Writes lines as they come, for ever.
    pub(super) fn write_to(&self, mut out: impl Write) -> ! {
        loop {
            let lines = self.next();
            for piece in pieces(&lines) {
                // Nobody can be told that the log is gone.
                let _ = out.write_all(piece).and_then(|()| out.flush());
                self.state().written += 1;
                self.gone.notify_all();
            }
            self.state().writing = false;
            self.gone.notify_all();
        }
    }

    /// The lines that have come, once there are some that have waited long enough.
    fn next(&self) -> Vec<u8> {
        let mut state = self.state();
        state.idle = true;
        let nothing = |state: &mut State| state.lines.is_empty();
        let state = self.come.wait_while(state, nothing).unwrap_or_else(PoisonError::into_inner);
        let calm = |state: &mut State| !state.pressing;
        let waited = self.come.wait_timeout_while(state, self.company, calm);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.idle = false;
        state.pressing = false;
        state.writing = true;
        let lines = std::mem::take(&mut state.lines);
        drop(state);
        self.gone.notify_all();
        lines
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panics with a line in hand has added it or not: both are well.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lines in pieces that are written whole; one that is longer than that is a piece by itself.
fn pieces(mut lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let end = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte == b'\n');
        let within = end(&lines[..lines.len().min(WHOLE)]);
        let end = within.or_else(|| lines.iter().position(|byte| *byte == b'\n'))?;
        let (piece, rest) = lines.split_at(end + 1);
        lines = rest;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{
            Arc,
            mpsc::{self, RecvTimeoutError::Timeout},
        },
        thread,
        time::Instant,
    };

    use super::*;

    const FOREVER: Duration = Duration::from_secs(3600);

    /// Where each piece waits until the test takes it.
    struct Slow(mpsc::SyncSender<Vec<u8>>);

    impl Write for Slow {
        fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
            // A test that has seen enough takes no more.
            let _ = self.0.send(piece.to_vec());
            Ok(piece.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Lines that wait for so much company and are written to whoever receives them, no more than `ahead`
    /// pieces ahead.
    fn started(company: Duration, ahead: usize) -> (Arc<Waiting>, mpsc::Receiver<Vec<u8>>) {
        let waiting = Arc::new(Waiting { company, ..Waiting::default() });
        let (sender, receiver) = mpsc::sync_channel(ahead);
        let lines = Arc::clone(&waiting);
        thread::spawn(move || lines.write_to(Slow(sender)));
        (waiting, receiver)
    }

    fn line(number: usize, length: usize) -> Vec<u8> {
        format!("{number:0length$}\n").into_bytes()
    }

    #[test]
    fn lines_are_written_in_order_and_each_is_in_one_piece() {
        let (waiting, pieces) = started(FOREVER, 1000);
        let lines: Vec<_> = (0..100).map(|number| line(number, 100 + number)).collect();
        lines.iter().for_each(|line| waiting.add(line, false));
        waiting.flush();
        let pieces: Vec<_> = pieces.try_iter().collect();
        assert!(pieces.iter().all(|piece| piece.len() <= WHOLE && piece.ends_with(b"\n")));
        assert!(pieces.len() < 10, "{} pieces", pieces.len());
        assert_eq!(pieces.concat(), lines.concat());
    }

    #[test]
    fn a_line_that_is_longer_than_a_piece_is_written_whole() {
        let long = [line(1, 10), line(2, 3 * WHOLE), line(3, 10)];
        assert_eq!(pieces(&long.concat()).collect::<Vec<_>>(), long);
        assert_eq!(pieces(b"").count(), 0);
    }

    #[test]
    fn a_grave_line_is_written_at_once_with_all_before_it() {
        let (waiting, pieces) = started(FOREVER, 1000);
        waiting.add(b"all is well\n", false);
        assert_eq!(pieces.recv_timeout(Duration::from_millis(50)), Err(Timeout), "it has time");
        waiting.add(b"it failed\n", true);
        let soon = Duration::from_secs(60);
        assert_eq!(pieces.recv_timeout(soon).unwrap(), b"all is well\nit failed\n");
    }

    #[test]
    fn who_has_a_line_for_a_log_that_is_far_behind_waits_and_nothing_is_lost() {
        let (waiting, pieces) = started(COMPANY, 0);
        let number = 4 * TOO_MUCH / 1001;
        let lines = Arc::clone(&waiting);
        let adding = thread::spawn(move || {
            (0..number).for_each(|number| lines.add(&line(number, 1000), false))
        });
        while waiting.state().lines.len() < TOO_MUCH {
            thread::yield_now();
        }
        // Time for one too many.
        thread::sleep(Duration::from_millis(50));
        assert!(waiting.state().lines.len() < TOO_MUCH + 1001 && !adding.is_finished());
        let mut read = Vec::new();
        while read.len() < number * 1001 {
            read.extend(pieces.recv().unwrap());
        }
        assert_eq!(read, (0..number).flat_map(|number| line(number, 1000)).collect::<Vec<_>>());
        adding.join().unwrap();
    }

    #[test]
    fn all_is_written_before_the_end_however_slow_the_reader_is_unless_there_is_none() {
        let (waiting, pieces) = started(FOREVER, 0);
        let number = 100 * WHOLE / 1001;
        (0..number).for_each(|number| waiting.add(&line(number, 1000), false));
        let reading = thread::spawn(move || {
            let mut read = 0;
            while read < number * 1001 {
                thread::sleep(PATIENCE / 50);
                read += pieces.recv().unwrap().len();
            }
            (Instant::now(), pieces)
        });
        waiting.flush();
        assert!(waiting.state().lines.is_empty() && !waiting.state().writing);
        let (read, _pieces) = reading.join().unwrap();
        assert!(read.elapsed() < PATIENCE, "it was in no hurry");
        waiting.add(b"nobody reads this\n", false);
        waiting.flush();
    }
}
