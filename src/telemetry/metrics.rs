//! The metrics: what is counted and measured, with attributes from bounded sets.

use std::{sync::Arc, time::Duration};

use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Histogram, Meter},
};

use super::{
    names::{SCOPE, attribute, metric, ours},
    spans::Destination,
};

/// The conventional buckets, in seconds, and two more: every idle long poll of 20 s would otherwise
/// only overflow.
const DURATIONS: [f64; 16] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 30.0,
];
/// For what may take hours, in seconds.
const AGES: [f64; 14] = [
    0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 43_200.0, 345_600.0,
];
const COUNTS: [f64; 6] = [1.0, 2.0, 3.0, 5.0, 10.0, 100.0];

/// The instruments. Where nobody exports them they do nothing.
#[derive(Debug)]
pub struct Metrics {
    on: bool,
    meter: Meter,
    queue: KeyValue,
    server: KeyValue,
    /// Those of a message's work that did not fail.
    processing: [KeyValue; 5],
    operation_duration: Histogram<f64>,
    consumed: Counter<u64>,
    process_duration: Histogram<f64>,
    outcomes: Counter<u64>,
    emails: Counter<u64>,
    queue_lag: Histogram<f64>,
    receive_counts: Histogram<u64>,
    lease_margin: Histogram<f64>,
    empty_receives: Counter<u64>,
}

impl Metrics {
    /// Instruments about this queue.
    #[must_use]
    pub fn new(on: bool, destination: &Destination) -> Self {
        let meter = global::meter(SCOPE);
        let seconds = |name, text, buckets: &[f64]| {
            meter
                .f64_histogram(name)
                .with_unit("s")
                .with_description(text)
                .with_boundaries(buckets.to_vec())
                .build()
        };
        let counter = |name, unit, text| {
            meter
                .u64_counter(name)
                .with_unit(unit)
                .with_description(text)
                .build()
        };
        // Shared, since they are cloned for each record.
        let shared = |text: &str| Arc::<str>::from(text);
        let queue = KeyValue::new(attribute::DESTINATION, shared(&destination.queue));
        let server = KeyValue::new(attribute::SERVER_ADDRESS, shared(&destination.host));
        Self {
            on,
            processing: [
                KeyValue::new(attribute::MESSAGING_SYSTEM, "aws_sqs"),
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
                &DURATIONS,
            ),
            consumed: counter(metric::CONSUMED, "{message}", "Messages received."),
            process_duration: seconds(
                metric::PROCESS_DURATION,
                "Time from receipt to outcome.",
                &DURATIONS,
            ),
            outcomes: counter(metric::OUTCOMES, "{message}", "Messages ended, by outcome."),
            emails: counter(
                metric::EMAILS,
                "{attempt}",
                "Attempts to send, by error type.",
            ),
            queue_lag: seconds(
                metric::QUEUE_LAG,
                "Age of a message when it is received.",
                &AGES,
            ),
            receive_counts: meter
                .u64_histogram(metric::RECEIVE_COUNTS)
                .with_unit("{receive}")
                .with_description("How often a received message had been received.")
                .with_boundaries(COUNTS.to_vec())
                .build(),
            lease_margin: seconds(
                metric::LEASE_MARGIN,
                "What was left of the lease when a send began.",
                &DURATIONS,
            ),
            empty_receives: counter(
                metric::EMPTY_RECEIVES,
                "{receive}",
                "Receives without messages.",
            ),
            meter,
        }
    }

    /// Whether anything is exported.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// A call of this operation, `receive` or `settle`, ended; `method` is AWS's name of it.
    pub fn called(
        &self,
        operation: &'static str,
        method: &'static str,
        took: Duration,
        error: Option<&str>,
    ) {
        if !self.on {
            return;
        }
        let attributes = [
            KeyValue::new(attribute::MESSAGING_SYSTEM, "aws_sqs"),
            KeyValue::new(attribute::OPERATION_NAME, operation),
            KeyValue::new(attribute::OPERATION_TYPE, operation),
            KeyValue::new(attribute::RPC_METHOD, method),
            self.queue.clone(),
            self.server.clone(),
        ];
        with_error(&attributes, error, |attributes| {
            self.operation_duration
                .record(took.as_secs_f64(), attributes);
        });
    }

    /// A receive brought so many messages; each was sent so long ago and received so often.
    pub fn received(&self, messages: impl ExactSizeIterator<Item = (Option<Duration>, u32)>) {
        if !self.on {
            return;
        }
        let queue = [self.queue.clone()];
        if messages.len() == 0 {
            self.empty_receives.add(1, &queue);
            return;
        }
        let attributes = [
            KeyValue::new(attribute::MESSAGING_SYSTEM, "aws_sqs"),
            KeyValue::new(attribute::OPERATION_NAME, "receive"),
            self.queue.clone(),
            self.server.clone(),
        ];
        self.consumed.add(messages.len() as u64, &attributes);
        for (age, receives) in messages {
            if let Some(age) = age {
                self.queue_lag.record(age.as_secs_f64(), &queue);
            }
            self.receive_counts.record(receives.into(), &queue);
        }
    }

    /// A send begins with so much of the lease left.
    pub fn sending(&self, margin: Duration) {
        if self.on {
            self.lease_margin
                .record(margin.as_secs_f64(), std::slice::from_ref(&self.queue));
        }
    }

    /// An attempt to send ended.
    pub fn attempted(&self, error: Option<&str>) {
        if self.on {
            with_error(std::slice::from_ref(&self.queue), error, |attributes| {
                self.emails.add(1, attributes);
            });
        }
    }

    /// A message ended.
    pub fn ended(&self, outcome: &'static str, took: Duration, error: Option<&str>) {
        if !self.on {
            return;
        }
        let outcome = KeyValue::new(ours::OUTCOME, outcome);
        self.outcomes.add(1, &[self.queue.clone(), outcome]);
        with_error(&self.processing, error, |attributes| {
            self.process_duration.record(took.as_secs_f64(), attributes);
        });
    }

    /// Reports a number whenever metrics are exported. `read` gives values with their attributes.
    pub fn observe(
        &self,
        name: &'static str,
        unit: &'static str,
        text: &'static str,
        read: impl Fn() -> Vec<(f64, Vec<KeyValue>)> + Send + Sync + 'static,
    ) {
        if self.on {
            let queue = self.queue.clone();
            self.meter
                .f64_observable_gauge(name)
                .with_unit(unit)
                .with_description(text)
                .with_callback(move |observer| {
                    for (value, mut attributes) in read() {
                        attributes.push(queue.clone());
                        observer.observe(value, &attributes);
                    }
                })
                .build();
        }
    }

    /// Reports a sum that only grows, such as hits since the start.
    pub fn observe_sum(
        &self,
        name: &'static str,
        unit: &'static str,
        text: &'static str,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        if self.on {
            let queue = self.queue.clone();
            self.meter
                .u64_observable_counter(name)
                .with_unit(unit)
                .with_description(text)
                .with_callback(move |observer| {
                    observer.observe(read(), std::slice::from_ref(&queue));
                })
                .build();
        }
    }
}

/// Records with these attributes, and the error's type where there was one.
fn with_error(attributes: &[KeyValue], error: Option<&str>, record: impl FnOnce(&[KeyValue])) {
    match error {
        None => record(attributes),
        Some(error) => {
            let error = KeyValue::new(attribute::ERROR_TYPE, error.to_owned());
            record(&[attributes, &[error]].concat());
        }
    }
}
