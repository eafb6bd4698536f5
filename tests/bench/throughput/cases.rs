//! The work that is measured, and what each figure is held against.

use std::time::Duration;

use crate::load::{Events, Latency, Load};
use crate::run::{Measured, Subject};
use crate::summary::{Spread, Summary};

/// One kind of work.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) held: usize,
    pub(crate) load: Load,
    pub(crate) subjects: &'static [Subject],
    pub(crate) runs: usize,
}

/// A figure beside what it should be.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) case: &'static str,
    pub(crate) what: &'static str,
    pub(crate) bound: Bound,
    pub(crate) figure: fn(&Summary) -> Option<f64>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    pub(crate) fn holds(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(bound) => figure >= bound,
            Self::AtMost(bound) => figure <= bound,
        }
    }
}

const ALL: &[Subject] = &[
    Subject::BareLoop,
    Subject::BareOnOneThread,
    Subject::Daemon,
    Subject::Traced,
];
const BOTH: &[Subject] = &[Subject::BareLoop, Subject::Daemon];
const TLS: &[Subject] = &[
    Subject::BareLoop,
    Subject::Daemon,
    Subject::Traced,
    Subject::Heard,
    Subject::Whole,
];
const HEARD: &[Subject] = &[Subject::Daemon, Subject::Heard, Subject::Deaf];
const HEARD_FULL: &[Subject] = &[
    Subject::BareLoop,
    Subject::Daemon,
    Subject::Heard,
    Subject::Deaf,
];
const SHARED: &[Subject] = &[Subject::Daemon, Subject::Shared];
const SHARED_FULL: &[Subject] = &[
    Subject::BareLoop,
    Subject::Daemon,
    Subject::Shared,
    Subject::Whole,
];
const ALONE: &[Subject] = &[Subject::Daemon];

/// The latencies of the trickle, which its waits are compared with.
const TRICKLE_SQS_MS: u64 = 10;
const TRICKLE_SES_MS: u64 = 50;

const AROUND_50_MS: Latency = Latency {
    min_ms: 35,
    max_ms: 65,
};

/// Everything that is measured, in this order.
#[rustfmt::skip] // A table is read by its rows: one to a line, where it fits.
pub(crate) fn all() -> Vec<Case> {
    let full = |messages, ses| Load {
        messages,
        padding: 0,
        per_second: None,
        sqs: Latency::default(),
        ses,
        verify: true,
        events: Events::Unread,
        table: false,
        tls: false,
        rest: Duration::ZERO,
        patience: Duration::from_mins(5),
    };
    let over_tls = |load| Load { tls: true, ..load };
    let trickle = Load {
        per_second: Some(300.0),
        sqs: Latency::exactly(TRICKLE_SQS_MS),
        ..full(6_000, Latency::exactly(TRICKLE_SES_MS))
    };
    let steady = Load {
        per_second: Some(200.0),
        ..full(4_000, AROUND_50_MS)
    };
    let lone = Load {
        per_second: Some(20.0),
        ..full(400, Latency::exactly(TRICKLE_SES_MS))
    };
    let idle = Load {
        rest: Duration::from_mins(10),
        patience: Duration::from_mins(15),
        ..over_tls(full(0, Latency::default()))
    };
    let hostile = Load {
        // As JSON in a string 1 MiB, the longest that SQS takes.
        padding: 800_000,
        ..full(40, Latency::exactly(4_000))
    };
    let case = |name, about, held, load, subjects, runs| Case {
        name,
        about,
        held,
        load,
        subjects,
        runs,
    };
    vec![
        case("full-tls", "full queue, SES 0 ms, TLS", 64,
            over_tls(full(40_000, Latency::default())), TLS, 5),
        case("full", "full queue, SES 0 ms", 64, full(40_000, Latency::default()), ALL, 5),
        case("20ms-64", "full queue, SES 20 ms", 64, full(15_000, Latency::exactly(20)), BOTH, 3),
        case("20ms-256", "full queue, SES 20 ms", 256, full(40_000, Latency::exactly(20)), BOTH, 3),
        case("50ms-64", "full queue, SES 50 ms ± 30 %", 64, full(6_000, AROUND_50_MS), BOTH, 3),
        case("trickle-tls", "300/s, SQS 10 ms, SES 50 ms, TLS", 64, over_tls(trickle.clone()), ALONE, 3),
        case("trickle", "300/s, SQS 10 ms, SES 50 ms", 64, trickle, ALONE, 3),
        case("events", "full queue, SES 0 ms, two events a mail", 64,
            full(40_000, Latency::default()), HEARD_FULL, 3),
        case("events-200", "200/s, SES 50 ms, two events a mail", 64, steady, HEARD, 3),
        case("table", "full queue, SES 0 ms, a table of 3 ms", 64,
            full(40_000, Latency::default()), SHARED_FULL, 3),
        case("table-lone", "20/s, SES 50 ms, a table of 3 ms", 64, lone, SHARED, 3),
        case("idle", "empty queue for ten minutes, TLS", 64, idle, ALONE, 1),
        case("start-tls", "process start to first receive, TLS", 64,
            over_tls(full(10, Latency::default())), ALONE, 10),
        case("start", "process start to first receive", 64, full(10, Latency::default()), ALONE, 10),
        case("hostile", "40 bodies of 1 MiB held at once", 64, hostile, ALONE, 1),
        case("million", "a million messages, SES 0 ms", 64,
            full(1_000_000, Latency::default()), ALONE, 1),
    ]
}

/// What the figures are held against.
pub(crate) const TARGETS: &[Target] = &[
    Target {
        case: "full-tls",
        what: "messages/s to the bare loop's",
        bound: Bound::AtLeast(1.4),
        figure: |summary| summary.ratio(Subject::Daemon, |run| run.per_second),
    },
    Target {
        case: "full-tls",
        what: "CPU per message to the bare loop's",
        bound: Bound::AtMost(0.7),
        figure: |summary| summary.ratio(Subject::Daemon, |run| run.cpu_per_1000),
    },
    Target {
        case: "full-tls",
        what: "messages/s with traces and metrics to the bare loop's",
        bound: Bound::AtLeast(1.25),
        figure: |summary| summary.ratio(Subject::Traced, |run| run.per_second),
    },
    Target {
        case: "full-tls",
        what: "messages/s with events to the bare loop's",
        bound: Bound::AtLeast(1.0),
        figure: |summary| summary.ratio(Subject::Heard, |run| run.per_second),
    },
    Target {
        case: "full-tls",
        what: "messages/s with a table and events to the bare loop's",
        bound: Bound::AtLeast(0.75),
        figure: |summary| summary.ratio(Subject::Whole, |run| run.per_second),
    },
    Target {
        case: "full",
        what: "messages/s to the bare loop's",
        bound: Bound::AtLeast(1.6),
        figure: |summary| summary.ratio(Subject::Daemon, |run| run.per_second),
    },
    Target {
        case: "full",
        what: "CPU per message to the bare loop's",
        bound: Bound::AtMost(0.62),
        figure: |summary| summary.ratio(Subject::Daemon, |run| run.cpu_per_1000),
    },
    Target {
        case: "full",
        what: "messages/s with traces and metrics to the bare loop's",
        bound: Bound::AtLeast(1.25),
        figure: |summary| summary.ratio(Subject::Traced, |run| run.per_second),
    },
    Target {
        case: "full",
        what: "calls per message",
        bound: Bound::AtMost(1.21),
        figure: |summary| summary.median(|run| run.calls_per_message),
    },
    Target {
        case: "full",
        what: "peak memory, MiB",
        bound: Bound::AtMost(26.0),
        figure: |summary| summary.median(|run| run.peak_mib),
    },
    Target {
        case: "20ms-64",
        what: "messages/s to the bare loop's",
        bound: Bound::AtLeast(0.98),
        figure: |summary| summary.ratio(Subject::Daemon, |run| run.per_second),
    },
    Target {
        case: "20ms-256",
        what: "messages/s to the bare loop's",
        bound: Bound::AtLeast(1.1),
        figure: |summary| summary.ratio(Subject::Daemon, |run| run.per_second),
    },
    Target {
        case: "20ms-256",
        what: "peak memory, MiB",
        bound: Bound::AtMost(42.0),
        figure: |summary| summary.median(|run| run.peak_mib),
    },
    Target {
        case: "trickle",
        what: "calls per message",
        bound: Bound::AtMost(1.35),
        figure: |summary| summary.median(|run| run.calls_per_message),
    },
    Target {
        case: "trickle",
        what: "arrival to mail, p50 to the latencies' sum",
        bound: Bound::AtMost(1.25),
        figure: |summary| summary.median(|run| run.p50_ms / trickle_ms()),
    },
    Target {
        case: "trickle",
        what: "arrival to mail, p99 to the latencies' sum",
        bound: Bound::AtMost(1.8),
        figure: |summary| summary.median(|run| run.p99_ms / trickle_ms()),
    },
    Target {
        case: "events",
        what: "messages/s with events to the bare loop's",
        bound: Bound::AtLeast(1.0),
        figure: |summary| summary.ratio(Subject::Heard, |run| run.per_second),
    },
    Target {
        case: "events",
        what: "messages/s with events to without",
        bound: Bound::AtLeast(0.6),
        figure: |summary| summary.cost(Subject::Heard, |run| run.per_second),
    },
    Target {
        case: "events",
        what: "messages/s where no event comes to without",
        bound: Bound::AtLeast(0.9),
        figure: |summary| summary.cost(Subject::Deaf, |run| run.per_second),
    },
    Target {
        case: "events",
        what: "events behind at the worst, s",
        bound: Bound::AtMost(5.0),
        figure: |summary| summary.median_of(Subject::Heard, |run| run.events_behind_ms / 1000.0),
    },
    Target {
        case: "events",
        what: "peak memory with events, MiB",
        bound: Bound::AtMost(45.0 * MIB_PER_MB),
        figure: |summary| summary.median_of(Subject::Heard, |run| run.peak_mib),
    },
    Target {
        case: "events-200",
        what: "CPU with events to without",
        bound: Bound::AtMost(1.5),
        figure: |summary| summary.cost(Subject::Heard, |run| run.cpu_per_1000),
    },
    Target {
        case: "events-200",
        what: "events behind at the worst, s",
        bound: Bound::AtMost(5.0),
        figure: |summary| summary.median_of(Subject::Heard, |run| run.events_behind_ms / 1000.0),
    },
    Target {
        case: "table",
        what: "messages/s with a table to without",
        bound: Bound::AtLeast(0.55),
        figure: |summary| summary.cost(Subject::Shared, |run| run.per_second),
    },
    Target {
        case: "table",
        what: "messages/s with a table and events to the bare loop's",
        bound: Bound::AtLeast(0.75),
        figure: |summary| summary.ratio(Subject::Whole, |run| run.per_second),
    },
    Target {
        case: "table",
        what: "events behind at the worst with a table, s",
        bound: Bound::AtMost(5.0),
        figure: |summary| summary.median_of(Subject::Whole, |run| run.events_behind_ms / 1000.0),
    },
    Target {
        case: "table",
        what: "calls per message with a table",
        bound: Bound::AtMost(2.5),
        figure: |summary| summary.median_of(Subject::Shared, |run| run.calls_per_message),
    },
    Target {
        case: "table",
        what: "peak memory with a table, MiB",
        bound: Bound::AtMost(45.0 * MIB_PER_MB),
        figure: |summary| summary.median_of(Subject::Shared, |run| run.peak_mib),
    },
    Target {
        case: "table-lone",
        what: "arrival to mail with a table, p50, ms more than one call of 3 ms",
        bound: Bound::AtMost(3.0),
        figure: |summary| {
            let with = summary.median_of(Subject::Shared, |run| run.p50_ms)?;
            let without = summary.median_of(Subject::Daemon, |run| run.p50_ms)?;
            Some(with - without - 3.0)
        },
    },
    Target {
        case: "idle",
        what: "receives in ten minutes",
        bound: Bound::AtMost(30.0),
        figure: |summary| summary.median(|run| run.calls_of("sqs:ReceiveMessage")),
    },
    Target {
        case: "idle",
        what: "CPU, per cent of a core",
        bound: Bound::AtMost(0.05),
        figure: |summary| summary.median(|run| run.cpu_share * 100.0),
    },
    Target {
        case: "idle",
        what: "memory, MiB",
        bound: Bound::AtMost(17.0),
        figure: |summary| summary.median(|run| run.resident_mib),
    },
    Target {
        case: "start",
        what: "process start to first receive, ms",
        bound: Bound::AtMost(100.0),
        figure: |summary| summary.median(|run| run.start_ms),
    },
    Target {
        case: "hostile",
        what: "peak memory, MiB",
        bound: Bound::AtMost(120.0),
        figure: |summary| summary.median(|run| run.peak_mib),
    },
    Target {
        case: "million",
        what: "growth after the ledger is full, MiB",
        bound: Bound::AtMost(0.5),
        figure: |summary| summary.median(Measured::growth_after_ledger_mib),
    },
];

/// Megabytes in MiB.
const MIB_PER_MB: f64 = 1e6 / 1_048_576.0;

#[expect(clippy::cast_precision_loss, reason = "a latency in milliseconds")]
fn trickle_ms() -> f64 {
    (TRICKLE_SQS_MS + TRICKLE_SES_MS) as f64
}

/// Runs of one subject, spread.
pub(crate) fn spread(runs: &[Measured], figure: impl Fn(&Measured) -> f64) -> Option<Spread> {
    Spread::of(runs.iter().map(figure).collect())
}
