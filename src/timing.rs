//! The times that are derived from others or shared by several rooms, so that the checks of the
//! configuration and the daemon at work reckon with the same ones.

use std::time::Duration;

/// How long a start is tried again that is refused: new roles and policies take time to reach all of
/// AWS, and a task may start seconds after them. An orchestrator's health check has failed before, so that a
/// version that cannot start is seen as one, and never takes the place of one that works.
pub const START_REFUSED_MAX: Duration = Duration::from_mins(3);

/// The longest that flushing telemetry may take at the very end of a drain.
pub const TELEMETRY_FLUSH_TIME: Duration = Duration::from_secs(3);

/// The time that a drain gives to settling before that, [`WORKER_RETURN_TIME`] included.
pub const SETTLING_TIME: Duration = Duration::from_secs(4);

/// The time that workers get to return after everything has been closed.
pub const WORKER_RETURN_TIME: Duration = Duration::from_millis(500);

/// The longest that a renewal or a settling call may take.
const LEASE_CALL_TIMEOUT_MAX: Duration = Duration::from_secs(3);

/// The timeout of one renewal or settling call for leases of this length: a sixth of the length,
/// so that several calls fit in the half that is left when renewal starts, and at most 3 s.
pub fn lease_call_timeout(lease_length: Duration) -> Duration {
    (lease_length / 6).min(LEASE_CALL_TIMEOUT_MAX)
}

/// What should be left of a lease when its renewal starts, at half its length: a send that begins right then, and
/// the renewal.
pub fn needed_at_renewal(lease_length: Duration, send_timeout: Duration) -> Duration {
    send_timeout + lease_call_timeout(lease_length)
}

/// How long a mailer waits for the answer to a send: its timeout, and as long again, since a late answer
/// is still an answer, and another attempt after an unknown outcome may mail a second time.
pub fn longest_send(send_timeout: Duration) -> Duration {
    send_timeout * 2
}

/// How long one call on the table that all tasks share may take. A claim is one.
pub const TABLE_CALL_TIMEOUT: Duration = Duration::from_secs(1);
