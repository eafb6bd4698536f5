//! Standard error behind a thread of its own: one that nobody reads must not stop the work.
//!
//! A pager that stands, or a log driver that blocks, leaves a pipe full. Written from the thread that
//! works, the next line would wait for its reader, and leases, signals and health with it.

use std::{
    io::{self, Write},
    sync::{Arc, Condvar, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tracing::{Level, Metadata, warn};
use tracing_subscriber::fmt::MakeWriter;

use super::LIFECYCLE;
use crate::mutex::Mutex;

/// How much is kept for a reader that comes later.
const PENDING_MAX: usize = 1 << 20;
/// What of it is left to lines that matter most: warnings, errors, and how the process starts and stops.
const RESERVED: usize = PENDING_MAX / 4;
/// How long lines are gathered before they are written. A thread that is woken for each of them costs a
/// daemon on one core a tenth of its speed.
const GATHERED_FOR: Duration = Duration::from_millis(10);
/// How long the end waits for the reader.
const LAST_LINES_MAX: Duration = Duration::from_secs(1);

/// Takes lines without waiting, and drops those that there is no room for.
#[derive(Clone, Debug)]
pub(super) struct LogWriter(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    pending: Vec<u8>,
    /// The thread is writing what it took.
    writing: bool,
    /// The process ends: nothing more is gathered.
    ending: bool,
    dropped: u64,
}

/// Takes one line.
pub(super) struct Line<'a> {
    shared: &'a Shared,
    room: usize,
}

/// Has the last lines written when dropped, as far as somebody reads them.
#[derive(Debug)]
pub(crate) struct LastLines(LogWriter);

impl LogWriter {
    /// Lines for `out`. The thread lives as long as the process.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<(Self, LastLines)> {
        let shared = Arc::<Shared>::default();
        let writer = Arc::clone(&shared);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || writer.write_to(out))?;
        let lines = Self(shared);
        Ok((lines.clone(), LastLines(lines)))
    }

    fn line(&self, room: usize) -> Line<'_> {
        Line {
            shared: &self.0,
            room,
        }
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        self.line(PENDING_MAX - RESERVED)
    }

    fn make_writer_for(&'a self, of: &Metadata<'_>) -> Line<'a> {
        let matters = *of.level() <= Level::WARN || of.target() == LIFECYCLE;
        self.line(PENDING_MAX - if matters { 0 } else { RESERVED })
    }
}

impl Write for Line<'_> {
    /// Takes the line whole or not at all.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.shared.state.lock();
        if state.pending.len() + line.len() > self.room {
            state.dropped += 1;
        } else {
            // With the first of them the thread begins to gather.
            let is_first = state.pending.is_empty();
            state.pending.extend_from_slice(line);
            if is_first {
                self.shared.changed.notify_all();
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn write_to(&self, mut out: impl Write) {
        let mut taken = Vec::new();
        loop {
            let mut state = self.state.lock();
            state.writing = false;
            self.changed.notify_all();
            while state.pending.is_empty() {
                state = self.wait(state);
            }
            state = self.gather(state);
            state.writing = true;
            std::mem::swap(&mut taken, &mut state.pending);
            drop(state);
            // Nobody is there to be told that the log cannot be written.
            drop(out.write_all(&taken).and_then(|()| out.flush()));
            taken.clear();
            let dropped = self.untold();
            if dropped > 0 {
                warn!(
                    target: LIFECYCLE,
                    { notifier.dropped = dropped },
                    "{dropped} lines of the log were dropped, because standard error was not read \
                     fast enough; check the log driver"
                );
            }
        }
    }

    /// How many lines were dropped, once there is room to say so.
    fn untold(&self) -> u64 {
        let mut state = self.state.lock();
        if state.pending.len() > PENDING_MAX - RESERVED / 2 {
            return 0;
        }
        std::mem::take(&mut state.dropped)
    }

    fn gather<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let goes_on = |state: &mut State| !state.ending;
        let woken = self
            .changed
            .wait_timeout_while(state, GATHERED_FOR, goes_on);
        woken.unwrap_or_else(PoisonError::into_inner).0
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let woken = self.changed.wait(state);
        woken.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LastLines {
    fn drop(&mut self) {
        let Shared { state, changed } = &*self.0.0;
        let is_busy = |state: &mut State| state.writing || !state.pending.is_empty();
        let mut state = state.lock();
        state.ending = true;
        changed.notify_all();
        drop(changed.wait_timeout_while(state, LAST_LINES_MAX, is_busy));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::time::Instant;

    use super::*;

    /// A pipe that takes a write only when its reader has sent for one, and passes on what it took.
    struct Pipe {
        begun: mpsc::Sender<()>,
        reads: mpsc::Receiver<()>,
        taken: mpsc::Sender<Vec<u8>>,
    }

    impl Write for Pipe {
        fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
            self.begun.send(()).map_err(io::Error::other)?;
            if self.reads.recv().is_ok() {
                self.taken.send(lines.to_vec()).map_err(io::Error::other)?;
            }
            Ok(lines.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A writer whose thread writes its first line already, to a pipe that is not read yet.
    struct Scene {
        writer: LogWriter,
        last: LastLines,
        read: mpsc::Sender<()>,
        lines: mpsc::Receiver<Vec<u8>>,
        _begun: mpsc::Receiver<()>,
    }

    fn scene() -> Scene {
        let (writing, begun) = mpsc::channel();
        let (read, reads) = mpsc::channel();
        let (taken, lines) = mpsc::channel();
        let pipe = Pipe {
            begun: writing,
            reads,
            taken,
        };
        let (writer, last) = LogWriter::start(pipe).unwrap();
        writer.make_writer().write_all(b"first\n").unwrap();
        begun.recv().unwrap();
        Scene {
            writer,
            last,
            read,
            lines,
            _begun: begun,
        }
    }

    #[test]
    fn a_pipe_that_nobody_reads_holds_up_no_line_and_what_is_too_much_is_counted() {
        let scene = scene();
        let line = [b'x'; 1000];
        for _ in 0..2000 {
            scene.writer.make_writer().write_all(&line).unwrap();
        }
        let kept = (PENDING_MAX - RESERVED) / line.len();
        assert_eq!(
            scene.writer.0.state.lock().dropped,
            u64::try_from(2000 - kept).unwrap()
        );
        let mut matters = scene.writer.line(PENDING_MAX);
        matters.write_all(b"stopped\n").unwrap();
        // Nobody reads: the end waits no longer than it may.
        let began = Instant::now();
        drop(scene.last);
        assert!(began.elapsed() >= LAST_LINES_MAX);
        // Now somebody does.
        scene.read.send(()).unwrap();
        scene.read.send(()).unwrap();
        assert_eq!(scene.lines.recv().unwrap(), b"first\n");
        let rest = scene.lines.recv().unwrap();
        assert_eq!(rest.len(), kept * line.len() + b"stopped\n".len());
        assert!(rest.ends_with(b"xxstopped\n"));
    }

    #[test]
    fn the_end_waits_until_the_last_line_is_written() {
        let scene = scene();
        scene.writer.make_writer().write_all(b"stopped\n").unwrap();
        let (read, lines) = (scene.read, scene.lines);
        let reader = thread::spawn(move || {
            read.send(()).unwrap();
            read.send(()).unwrap();
            lines
        });
        drop(scene.last);
        let lines = reader.join().unwrap();
        assert_eq!(lines.try_recv().unwrap(), b"first\n");
        assert_eq!(lines.try_recv().unwrap(), b"stopped\n");
    }
}
