//! Whatever stands in a message's body, it becomes a mail or a reason, soon and without a panic.
//!
//! ```sh
//! cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none envelope_to_mail -- -runs=1000000
//! ```

#![no_main]

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use organizer_notifier::config::{self, Flags};
use organizer_notifier::notification::{Composer, Envelope, Template};
use rustix::time::{ClockId, clock_gettime};

/// The longest that a body may take on its thread.
const CPU_MAX: Duration = Duration::from_millis(50);
const TEMPLATE: &str = include_str!("../fixtures/template.html");

static COMPOSER: LazyLock<(Composer, Template)> = LazyLock::new(|| {
    let variables = [
        ("REGION", "eu-central-1"),
        ("SQS_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/created"),
        ("CODECOMMIT_REPO", "email-templates"),
        ("NEW_EVENT_NOTIFICATION_EMAIL", "new_event.html"),
        ("SENDER", "Events <events@example.com>"),
        ("SUBJECT", "Registered: {summary} ({uid})"),
    ];
    let loaded = config::load(&[], &Flags::default(), variables).unwrap();
    let placeholders = &loaded.settings.message.placeholders;
    let template = Template::compile(TEMPLATE.as_bytes(), placeholders).unwrap();
    (loaded.settings.composer(), template)
});

/// The most that a body took so far, in microseconds.
static SLOWEST_MICROS: AtomicU64 = AtomicU64::new(1_000);

fuzz_target!(|body: &[u8]| {
    let Ok(body) = str::from_utf8(body) else {
        return;
    };
    let (composer, template) = &*COMPOSER;
    let began = cpu_time();
    if let Ok(Envelope::Notification { event, .. }) = composer.open(body) {
        // A reason to reject is as good as a mail.
        drop(composer.compose(template, &event));
    }
    let took = cpu_time() - began;
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    if SLOWEST_MICROS.fetch_max(micros, Ordering::Relaxed) < micros {
        eprintln!("a body of {} bytes took {took:?}", body.len());
    }
    assert!(took <= CPU_MAX, "a body of {} bytes took {took:?}", body.len());
});

fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.try_into().unwrap_or(0))
}
