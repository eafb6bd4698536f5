//! What happened, written down by the services themselves: each call, what it changed at the moment when it
//! changed it, and its answer, as lines of JSON. Off until [`History::write_to`]; what reads it is described
//! in `tests/checker/README.md`.
//!
//! A record has these fields beside its own:
//!
//! | field | |
//! |---|---|
//! | `seq` | its number, from 0, without gaps |
//! | `us` | monotonic microseconds since the history began |
//! | `ms` | the services' clock, in milliseconds since the epoch |
//! | `kind` | what it is, below |
//! | `call` | the `seq` of the call that it belongs to; absent for what happens by itself or from within the process |
//!
//! A change is written while its service is locked. So the changes of one service stand in the order in which
//! they took place, and every call that began after a change was made stands behind it.
//!
//! | kind | says | fields |
//! |---|---|---|
//! | `call` | a request was read whole | `op`, `connection` (a number), `client` (its access key), `agent`, `request` |
//! | `struck` | a fault meets it, before anything takes effect | `delay_ms`, `fault` (null where it is only late) |
//! | `struck_entry` | a fault fails one entry of its batch | `entry` (its id), `code` |
//! | `answer` | an answer is ready | `status`, `code` of a refusal, `body` where it is short JSON |
//! | `written` | the answer's last byte was given to the socket | |
//! | `unanswered` | no answer will be written | `how`: `reset`, or `hung up` where the caller has left or the local AWS ends |
//! | `queue`, `queue_deleted`, `purged` | a queue is made or changed, is gone, is emptied | `queue`, `attributes` |
//! | `arrived` | a message is in a queue | `queue`, `key`, `message`, `how` (`sent`, `copy`, `dead_letter`), `visible_at`, `sent_at`, `body` |
//! | `received` | a receive takes it | `queue`, `key`, `message`, `handle`, `count`, `until` |
//! | `visibility` | its lease is changed | `queue`, `key`, `handle`, `seconds`, `until` |
//! | `visible` | its lease or delay has run out, at `at`; written when the queue is next looked at | `queue`, `key`, `at`, `was` |
//! | `deleted` | a delete has been done | `queue`, `key`, `handle`, `gone` (false where the handle was superseded or the message gone) |
//! | `dead` | its receives are used up, and it leaves for the dead-letter queue | `queue`, `key`, `message`, `count` |
//! | `expired` | it has outlived the retention | `queue`, `key`, `message` |
//! | `mail` | SES has accepted a mail | `mail` (its id), `to`, `simulated`, `subject`, `tags`, `set` |
//! | `events` | which of its events will be published, and which not | `mail`, `published`, `lost` |
//! | `event` | an event of it is published | `mail`, `type`, `target` |
//! | `item` | an item is written or deleted | `table`, `key`, `item` (null where deleted) |
//! | `item_refused` | the condition of a write was not met | `table`, `key` |
//! | `swept` | items past their time were removed | `table`, `count` |
//! | `faults` | the rules of faults were changed | `change` (`set`, `added`, `cleared`), `rules` |
//! | `reset` | everything was emptied | |
//! | `mark` | what somebody else has done, such as to a daemon | `mark`, and whatever they say |
//!
//! All times in fields are milliseconds of the services' clock.

mod call;
mod marks;

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::clock::Clock;
use super::lock;

pub(crate) use self::call::{Noted, Request};
pub(crate) use self::marks::router;

tokio::task_local! {
    /// The call that the services work on, by the number of its record.
    static CALL: u64;
}

/// The record of what the services did, where one is kept.
#[derive(Debug, Default)]
pub struct History(OnceLock<Open>);

#[derive(Debug)]
struct Open {
    clock: Arc<Clock>,
    began: Instant,
    lines: Mutex<Lines>,
}

#[derive(Debug)]
struct Lines {
    file: File,
    next: u64,
}

impl History {
    /// Writes records to this file, made anew, from now on. A second file is not begun.
    ///
    /// # Errors
    ///
    /// Where the file cannot be made, or a history is being kept.
    pub fn write_to(&self, path: &Path, clock: Arc<Clock>) -> io::Result<()> {
        let lines = Lines {
            file: File::create(path)?,
            next: 0,
        };
        let open = Open {
            clock,
            began: Instant::now(),
            lines: Mutex::new(lines),
        };
        let kept = |_| io::Error::other("a history is being kept already");
        self.0.set(open).map_err(kept)
    }

    /// Whether records are written.
    pub fn is_on(&self) -> bool {
        self.0.get().is_some()
    }

    /// Writes what somebody else has done, in the order of the services' own records: `mark` and an object of
    /// whatever is to be said of it.
    pub fn mark(&self, mark: &str, fields: Value) {
        self.note("mark", || {
            let mut record = json!({ "mark": mark });
            if let (Value::Object(record), Value::Object(fields)) = (&mut record, fields) {
                record.extend(fields);
            }
            record
        });
    }

    /// Writes a record of this kind with the fields of an object, which is made only where a history is kept.
    pub(crate) fn note(&self, kind: &str, fields: impl FnOnce() -> Value) {
        if let Some(open) = self.0.get() {
            let call = CALL.try_with(|call| *call).ok();
            open.write(kind, call, fields());
        }
    }
}

impl Open {
    /// Gives the record's number.
    fn write(&self, kind: &str, call: Option<u64>, mut record: Value) -> u64 {
        record["kind"] = json!(kind);
        if let Some(call) = call {
            record["call"] = json!(call);
        }
        let mut lines = lock(&self.lines);
        let number = lines.next;
        lines.next += 1;
        record["seq"] = json!(number);
        let us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        record["us"] = json!(us);
        record["ms"] = json!(self.clock.now_millis());
        // One write for each line, so that a process that is killed leaves whole ones.
        if let Err(failed) = lines.file.write_all(format!("{record}\n").as_bytes()) {
            // The gap in the numbers tells the reader; where standard error is closed nobody else is told.
            drop(writeln!(io::stderr(), "history: not written: {failed}"));
        }
        number
    }
}
