//! The lines that tell outcomes.

use std::sync::{Arc, Mutex};

use tracing::{Event, Subscriber, field::Field, subscriber::DefaultGuard};
use tracing_subscriber::{
    Layer,
    filter::LevelFilter,
    layer::{Context, SubscriberExt},
    registry,
};

use super::history::{Line, Moments};
use crate::rig::lock;

/// The lines of this thread, for as long as this lives.
pub(super) struct Lines {
    lines: Arc<Mutex<Vec<Line>>>,
    _guard: DefaultGuard,
}

struct Capture {
    moments: Moments,
    lines: Arc<Mutex<Vec<Line>>>,
}

struct Reading(Line);

impl Lines {
    pub(super) fn capture(moments: &Moments) -> Self {
        let lines = Arc::default();
        let capture = Capture {
            moments: moments.clone(),
            lines: Arc::clone(&lines),
        };
        let subscriber = registry().with(LevelFilter::INFO).with(capture);
        Self {
            lines,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    pub(super) fn take(&self) -> Vec<Line> {
        std::mem::take(&mut *lock(&self.lines))
    }
}

impl<S: Subscriber> Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event
            .metadata()
            .fields()
            .field("notifier.outcome")
            .is_none()
        {
            return;
        }
        let mut reading = Reading(Line {
            at: self.moments.now(),
            outcome: String::new(),
            id: String::new(),
            receive: String::new(),
            email_id: None,
            text: String::new(),
        });
        event.record(&mut reading);
        lock(&self.lines).push(reading.0);
    }
}

impl tracing::field::Visit for Reading {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let value = || format!("{value:?}");
        match field.name() {
            "message" => self.0.text = value(),
            "notifier.outcome" => self.0.outcome = value(),
            "messaging.message.id" => self.0.id = value(),
            "notifier.receive" => self.0.receive = value(),
            "notifier.email.id" => self.0.email_id = Some(value()),
            _ => {}
        }
    }
}
