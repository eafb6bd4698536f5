//! The metrics: what is counted and measured, with attributes from bounded sets.

use std::{slice, sync::Arc, time::Duration};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, Meter},
};

use super::{
    names::{attribute, metric, ours},
    spans::{SYSTEM, age, server},
};
use crate::ports::{
    ReceivedMessage,
    events::{Fate, MailEvent},
    queue_name,
};

/// The conventional buckets, in seconds, and two more. Without them every idle long poll of 20 s
/// would count as longer than all buckets.
const DURATION_BUCKETS: [f64; 16] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 30.0,
];
/// In seconds, up to four days.
const AGE_BUCKETS: [f64; 14] = [
    0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 43_200.0, 345_600.0,
];
const RECEIVE_COUNT_BUCKETS: [f64; 6] = [1.0, 2.0, 3.0, 5.0, 10.0, 100.0];

/// Values with the names and values of their attributes.
pub(crate) type Points = Vec<(f64, Vec<(&'static str, &'static str)>)>;

/// Records metrics, or does nothing where nobody exports them.
#[derive(Debug)]
pub(crate) struct Metrics(Option<Exported>);

#[derive(Debug)]
struct Exported {
    meter: Meter,
    queue: KeyValue,
    server: KeyValue,
    /// The attributes of a message's work that did not fail, built once for all messages.
    processing: [KeyValue; 5],
    operation_duration: Histogram<f64>,
    consumed: Counter<u64>,
    process_duration: Histogram<f64>,
    outcomes: Counter<u64>,
    emails: Counter<u64>,
    witnesses: Counter<u64>,
    queue_lag: Histogram<f64>,
    receive_counts: Histogram<u64>,
    lease_margin: Histogram<f64>,
    empty_receives: Counter<u64>,
    deliveries: Counter<u64>,
    delivery_duration: Histogram<f64>,
    feedback_lag: Histogram<f64>,
    other_letters: Counter<u64>,
    unknown_sends: Counter<u64>,
    table: TableMetrics,
}

/// What is measured of the ledger's table.
#[derive(Debug)]
struct TableMetrics {
    claim_duration: Histogram<f64>,
    take_overs: Counter<u64>,
    without_table: Counter<u64>,
}

impl Metrics {
    /// Metrics about the queue at this URL.
    pub(crate) fn new(meter: Option<Meter>, queue_url: &str) -> Self {
        Self(meter.map(|meter| Exported::new(meter, queue_url)))
    }

    /// A call of this operation, `receive` or `settle`, ended; `method` is AWS's name of it.
    pub(crate) fn called(
        &self,
        operation: &'static str,
        method: &'static str,
        took: Duration,
        error: Option<&str>,
    ) {
        let Some(exported) = &self.0 else { return };
        let attributes = [
            KeyValue::new(attribute::MESSAGING_SYSTEM, SYSTEM),
            KeyValue::new(attribute::OPERATION_NAME, operation),
            KeyValue::new(attribute::OPERATION_TYPE, operation),
            KeyValue::new(attribute::RPC_METHOD, method),
            exported.queue.clone(),
            exported.server.clone(),
        ];
        let seconds = took.as_secs_f64();
        with_error(&attributes, error, |attributes| {
            exported.operation_duration.record(seconds, attributes);
        });
    }

    /// A receive brought these messages.
    pub(crate) fn received(&self, messages: &[ReceivedMessage]) {
        let Some(exported) = &self.0 else { return };
        let queue = slice::from_ref(&exported.queue);
        if messages.is_empty() {
            exported.empty_receives.add(1, queue);
            return;
        }
        let attributes = [
            KeyValue::new(attribute::MESSAGING_SYSTEM, SYSTEM),
            KeyValue::new(attribute::OPERATION_NAME, "receive"),
            exported.queue.clone(),
            exported.server.clone(),
        ];
        exported.consumed.add(messages.len() as u64, &attributes);
        for message in messages {
            if let Some(age) = age(message) {
                exported.queue_lag.record(age.as_secs_f64(), queue);
            }
            let receives = message.receive_count.into();
            exported.receive_counts.record(receives, queue);
        }
    }

    /// A send begins with so much of the lease left.
    pub(crate) fn sending(&self, margin: Duration) {
        if let Some(exported) = &self.0 {
            let queue = slice::from_ref(&exported.queue);
            exported.lease_margin.record(margin.as_secs_f64(), queue);
        }
    }

    /// An attempt to send ended.
    pub(crate) fn attempted(&self, error: Option<&str>) {
        if let Some(exported) = &self.0 {
            with_error(slice::from_ref(&exported.queue), error, |attributes| {
                exported.emails.add(1, attributes);
            });
        }
    }

    /// A witness was accepted or failed.
    pub(crate) fn witnessed(&self, error: Option<&str>) {
        if let Some(exported) = &self.0 {
            with_error(slice::from_ref(&exported.queue), error, |attributes| {
                exported.witnesses.add(1, attributes);
            });
        }
    }

    /// An event of a mail of ours was read.
    pub(crate) fn heard(&self, event: &MailEvent, lag: Option<Duration>) {
        let Some(exported) = &self.0 else { return };
        // Siblings that share a feedback queue count for each other.
        let queue = match &event.queue {
            Some(queue) => KeyValue::new(attribute::DESTINATION, queue.clone()),
            None => exported.queue.clone(),
        };
        let mut attributes = vec![queue.clone(), KeyValue::new(ours::FATE, event.fate.name())];
        let queue = slice::from_ref(&queue);
        if event.fate == Fate::Bounced {
            let kind = bounce_type(event.kind.as_deref());
            attributes.push(KeyValue::new(ours::BOUNCE_TYPE, kind));
        }
        exported.deliveries.add(1, &attributes);
        if let Some(took) = event.took {
            exported.delivery_duration.record(took.as_secs_f64(), queue);
        }
        if let Some(lag) = lag {
            exported.feedback_lag.record(lag.as_secs_f64(), queue);
        }
    }

    /// A message of the feedback queue held something else, of this kind.
    pub(crate) fn other_letter(&self, kind: &'static str) {
        if let Some(exported) = &self.0 {
            let kind = KeyValue::new(ours::LETTER, kind);
            exported
                .other_letters
                .add(1, &[exported.queue.clone(), kind]);
        }
    }

    /// A send without an answer is an attempt of which nothing more will be known, or an event has told.
    pub(crate) fn settled_unknown(&self, by: &'static str) {
        if let Some(exported) = &self.0 {
            let by = KeyValue::new(ours::SETTLED_BY, by);
            exported.unknown_sends.add(1, &[exported.queue.clone(), by]);
        }
    }

    /// A claim in the ledger's table was answered or failed.
    pub(crate) fn claimed(&self, took: Duration, error: Option<&str>) {
        if let Some(exported) = &self.0 {
            let seconds = took.as_secs_f64();
            with_error(slice::from_ref(&exported.queue), error, |attributes| {
                exported.table.claim_duration.record(seconds, attributes);
            });
        }
    }

    /// A claim took the place of another task's, which had ended.
    pub(crate) fn claim_taken_over(&self) {
        if let Some(exported) = &self.0 {
            exported
                .table
                .take_overs
                .add(1, slice::from_ref(&exported.queue));
        }
    }

    /// A mail goes without a claim in the ledger's table.
    pub(crate) fn sent_without_table(&self) {
        if let Some(exported) = &self.0 {
            let queue = slice::from_ref(&exported.queue);
            exported.table.without_table.add(1, queue);
        }
    }

    /// A message ended.
    pub(crate) fn ended(&self, outcome: &'static str, took: Duration, error: Option<&str>) {
        let Some(exported) = &self.0 else { return };
        let outcome = KeyValue::new(ours::OUTCOME, outcome);
        exported.outcomes.add(1, &[exported.queue.clone(), outcome]);
        let seconds = took.as_secs_f64();
        with_error(&exported.processing, error, |attributes| {
            exported.process_duration.record(seconds, attributes);
        });
    }

    /// Reports numbers whenever metrics are exported.
    pub(crate) fn observe(
        &self,
        name: &'static str,
        unit: &'static str,
        text: &'static str,
        read: impl Fn() -> Points + Send + Sync + 'static,
    ) {
        let Some(exported) = &self.0 else { return };
        let queue = exported.queue.clone();
        let gauge = exported.meter.f64_observable_gauge(name);
        let gauge = gauge.with_unit(unit).with_description(text);
        gauge
            .with_callback(move |observer| {
                for (value, attributes) in read() {
                    observer.observe(value, &with_queue(&queue, attributes));
                }
            })
            .build();
    }

    /// Reports sums that only grow, such as hits since the start.
    pub(crate) fn observe_sum(
        &self,
        name: &'static str,
        unit: &'static str,
        text: &'static str,
        read: impl Fn() -> Points + Send + Sync + 'static,
    ) {
        let Some(exported) = &self.0 else { return };
        let queue = exported.queue.clone();
        let counter = exported.meter.f64_observable_counter(name);
        let counter = counter.with_unit(unit).with_description(text);
        counter
            .with_callback(move |observer| {
                for (value, attributes) in read() {
                    observer.observe(value, &with_queue(&queue, attributes));
                }
            })
            .build();
    }
}

/// The attributes of a point, with the queue's.
fn with_queue(queue: &KeyValue, attributes: Vec<(&'static str, &'static str)>) -> Vec<KeyValue> {
    let attributes = attributes.into_iter();
    let own = attributes.map(|(name, value)| KeyValue::new(name, value));
    own.chain([queue.clone()]).collect()
}

impl Exported {
    fn new(meter: Meter, queue_url: &str) -> Self {
        let seconds = |name, text, buckets: &[f64]| {
            let histogram = meter.f64_histogram(name).with_unit("s");
            let histogram = histogram.with_description(text);
            histogram.with_boundaries(buckets.to_vec()).build()
        };
        let counter = |name, unit, text| {
            let counter = meter.u64_counter(name).with_unit(unit);
            counter.with_description(text).build()
        };
        let queue = shared(attribute::DESTINATION, queue_name(queue_url));
        let server = shared(attribute::SERVER_ADDRESS, server(queue_url).0);
        Self {
            processing: [
                KeyValue::new(attribute::MESSAGING_SYSTEM, SYSTEM),
                KeyValue::new(attribute::OPERATION_NAME, "process"),
                KeyValue::new(attribute::OPERATION_TYPE, "process"),
                queue.clone(),
                server.clone(),
            ],
            queue,
            server,
            operation_duration: seconds(
                metric::OPERATION_DURATION,
                "Duration of receive and settling calls.",
                &DURATION_BUCKETS,
            ),
            consumed: counter(metric::CONSUMED, "{message}", "Messages received."),
            process_duration: seconds(
                metric::PROCESS_DURATION,
                "Time from receipt to outcome.",
                &DURATION_BUCKETS,
            ),
            outcomes: counter(metric::OUTCOMES, "{message}", "Messages ended, by outcome."),
            emails: counter(
                metric::EMAILS,
                "{attempt}",
                "Attempts to send, by error type.",
            ),
            witnesses: counter(
                metric::WITNESSES,
                "{mail}",
                "Mails to SES's simulator, by error type.",
            ),
            queue_lag: seconds(
                metric::QUEUE_LAG,
                "Age of a message when it is received.",
                &AGE_BUCKETS,
            ),
            receive_counts: meter
                .u64_histogram(metric::RECEIVE_COUNTS)
                .with_unit("{receive}")
                .with_description("How often a received message had been received.")
                .with_boundaries(RECEIVE_COUNT_BUCKETS.to_vec())
                .build(),
            lease_margin: seconds(
                metric::LEASE_MARGIN,
                "What was left of the lease when a send began.",
                &DURATION_BUCKETS,
            ),
            empty_receives: counter(
                metric::EMPTY_RECEIVES,
                "{receive}",
                "Receives without messages.",
            ),
            deliveries: counter(
                metric::DELIVERIES,
                "{event}",
                "Events of mails, by what became of the mail.",
            ),
            delivery_duration: seconds(
                metric::DELIVERY_DURATION,
                "Time from a mail's acceptance to its delivery.",
                &AGE_BUCKETS,
            ),
            feedback_lag: seconds(
                metric::FEEDBACK_LAG,
                "Age of an event when it is read.",
                &AGE_BUCKETS,
            ),
            other_letters: counter(
                metric::OTHER_LETTERS,
                "{message}",
                "Messages of the feedback queue without an event of ours.",
            ),
            unknown_sends: counter(
                metric::UNKNOWN_SENDS,
                "{attempt}",
                "Sends without an answer, by what settled them.",
            ),
            table: TableMetrics::new(&meter),
            meter,
        }
    }
}

impl TableMetrics {
    fn new(meter: &Meter) -> Self {
        let counter = |name, unit, text| {
            let counter = meter.u64_counter(name).with_unit(unit);
            counter.with_description(text).build()
        };
        Self {
            claim_duration: meter
                .f64_histogram(metric::CLAIM_DURATION)
                .with_unit("s")
                .with_description("Duration of claims in the ledger's table.")
                .with_boundaries(DURATION_BUCKETS.to_vec())
                .build(),
            take_overs: counter(
                metric::TAKE_OVERS,
                "{claim}",
                "Claims that replaced one that had ended.",
            ),
            without_table: counter(
                metric::WITHOUT_TABLE,
                "{mail}",
                "Mails that went without a claim, since the table could not be used.",
            ),
        }
    }
}

/// SES's types of bounces, which are few; anything else counts as one that is not known.
fn bounce_type(kind: Option<&str>) -> &'static str {
    match kind {
        Some("Permanent") => "permanent",
        Some("Transient") => "transient",
        _ => "undetermined",
    }
}

/// Records with these attributes and, after a failure, with the error's type.
fn with_error(attributes: &[KeyValue], error: Option<&str>, record: impl FnOnce(&[KeyValue])) {
    match error {
        None => record(attributes),
        Some(error) => {
            let error = KeyValue::new(attribute::ERROR_TYPE, error.to_owned());
            record(&[attributes, &[error]].concat());
        }
    }
}

/// An attribute whose text is shared, since each record clones it.
fn shared(name: &'static str, text: &str) -> KeyValue {
    KeyValue::new(name, Arc::<str>::from(text))
}
