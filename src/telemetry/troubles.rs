//! What the exporters complain of: a dead collector makes them do so every few seconds for as long
//! as it is dead, and one line a minute is enough.

use std::{
    fmt::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::sleep;
use tracing::{Event, Level, Subscriber, field::Visit, warn};
use tracing_subscriber::layer::{Context, Layer};

use super::throttle::Throttle;

/// The targets of the exporters' own lines begin with this.
pub(super) const TARGET: &str = "opentelemetry";
/// How often is looked whether there is something to tell.
const LOOK: Duration = Duration::from_millis(500);
/// The most bytes of a complaint: a collector's answer may be a whole page.
const LONGEST: usize = 300;

/// Hears the exporters' warnings and errors in place of the log, and tells them with a limit.
#[derive(Clone, Debug, Default)]
pub struct Troubles {
    heard: Arc<Mutex<Heard>>,
}

#[derive(Debug, Default)]
struct Heard {
    /// The first since it was last told.
    text: String,
    count: u64,
    throttle: Throttle,
}

impl Troubles {
    /// Tells what there is, at most once a minute. Runs until dropped.
    pub async fn run(self) {
        loop {
            self.tell_due();
            sleep(LOOK).await;
        }
    }

    /// Tells what has not been told, before the process ends.
    pub fn tell_rest(&self) {
        self.tell(|_| true);
    }

    fn tell_due(&self) {
        self.tell(|throttle| throttle.due().is_some());
    }

    fn tell(&self, due: impl Fn(&Throttle) -> bool) {
        let (text, suppressed) = {
            let mut heard = self.lock();
            if heard.count == 0 || !due(&heard.throttle) {
                return;
            }
            let count = std::mem::take(&mut heard.count);
            (std::mem::take(&mut heard.text), count - 1)
        };
        warn!(
            notifier.suppressed = suppressed,
            "the export of traces and metrics is in trouble, which costs no message: {text}; check \
             the collector and the OTEL_* variables"
        );
    }

    fn hear(&self, text: impl FnOnce() -> String) {
        let mut heard = self.lock();
        if heard.count == 0 {
            heard.text = text();
        }
        heard.count += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber> Layer<S> for Troubles {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let about = event.metadata();
        if about.target().starts_with(TARGET) && *about.level() <= Level::WARN {
            self.hear(|| {
                let mut text = Text(String::new());
                event.record(&mut text);
                text.0
            });
        }
    }
}

/// The values of an event's fields, one after the other.
struct Text(String);

impl Visit for Text {
    fn record_str(&mut self, _: &tracing::field::Field, value: &str) {
        self.push(&format_args!("{value}"));
    }

    fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.push(&format_args!("{value:?}"));
    }
}

impl Text {
    fn push(&mut self, value: &fmt::Arguments<'_>) {
        if self.0.len() >= LONGEST {
            return;
        }
        if !self.0.is_empty() {
            self.0.push_str(": ");
        }
        // Writing to a string does not fail.
        let _ok = write!(self.0, "{value}");
        let end = self.0.floor_char_boundary(LONGEST);
        self.0.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;
    use tracing::{error, info, subscriber::with_default};
    use tracing_subscriber::{layer::SubscriberExt, registry};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_complaint_is_told_once_a_minute_with_a_count_of_the_others() {
        let troubles = Troubles::default();
        let pending = |troubles: &Troubles| {
            let heard = troubles.lock();
            (heard.text.clone(), heard.count)
        };
        with_default(registry().with(troubles.clone()), || {
            info!(target: "opentelemetry_sdk", name = "BatchSpanProcessor.Started");
            error!("not the exporters'");
            assert_eq!(pending(&troubles), (String::new(), 0));
            for number in 1..=3 {
                error!(target: "opentelemetry_sdk", name = "ExportError", error = number);
            }
        });
        assert_eq!(pending(&troubles), ("ExportError: 1".to_owned(), 3));
        troubles.tell_due();
        assert_eq!(pending(&troubles), (String::new(), 0));
        troubles.hear(|| "again".to_owned());
        advance(Duration::from_secs(59)).await;
        troubles.tell_due();
        assert_eq!(pending(&troubles).1, 1, "too soon");
        advance(Duration::from_secs(1)).await;
        troubles.tell_due();
        assert_eq!(pending(&troubles).1, 0);
        troubles.hear(|| "at the end".to_owned());
        troubles.tell_rest();
        assert_eq!(pending(&troubles).1, 0);
    }
}
