//! What the pure parts of a message's way cost, one message at a time: `cargo bench --bench micro`.
//! Beside them stands the compiling of a template, which happens once per version.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark that cannot be set up fails as a test does"
)]

use std::{hint::black_box, io, time::Duration};

use aws_sdk_sesv2::{
    config::http::HttpResponse,
    error::{ConnectorError, ErrorMetadata, SdkError},
    operation::send_email::SendEmailError,
    types::error::{MessageRejected, TooManyRequestsException},
};
use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use organizer_notifier::{
    aws::classify::Failure,
    config::{self, Settings},
    notification::{Envelope, Event, Template},
    ports::{AccountCause, SendFailureKind},
};
use serde_json::Value;

/// As SNS wraps it, and what is in it: an event with all of the fields that such events have.
const BODY: &str = include_str!("../fixtures/google.sqs-body.json");
/// The same with markup and braces in the summary.
const HOSTILE: &str = include_str!("../fixtures/html_in_summary.sqs-body.json");
/// Of the size of those in use, which are mostly styles and tables.
const TEMPLATE: &[u8] = include_bytes!("template.html");

const SENDER: &str = "events@calendar.example";

type SendError = SdkError<SendEmailError, HttpResponse>;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    open(&mut criterion);
    compile(&mut criterion);
    compose(&mut criterion);
    classify(&mut criterion);
    criterion.final_summary();
}

/// From the body of a message to its event, and the event's end.
fn open(criterion: &mut Criterion) {
    let notification: Value = serde_json::from_str(BODY).unwrap();
    let raw = notification["Message"].as_str().unwrap();
    let composer = settings().composer();
    let mut group = criterion.benchmark_group("open");
    for (delivery, body) in [("sns", BODY), ("raw", raw)] {
        event(body);
        group.throughput(Throughput::Bytes(body.len().try_into().unwrap()));
        group.bench_function(delivery, |bencher| {
            bencher.iter(|| composer.open(black_box(body)));
        });
    }
    group.finish();
}

/// From the bytes of a template to what messages are rendered with.
fn compile(criterion: &mut Criterion) {
    let placeholders = settings().message.placeholders;
    Template::compile(TEMPLATE, &placeholders).unwrap();
    let mut group = criterion.benchmark_group("compile");
    group.throughput(Throughput::Bytes(TEMPLATE.len().try_into().unwrap()));
    group.bench_function("template", |bencher| {
        bencher.iter(|| Template::compile(black_box(TEMPLATE), &placeholders));
    });
    group.finish();
}

/// From an event to its mail: recipients, subject, both parts.
fn compose(criterion: &mut Criterion) {
    let settings = settings();
    let composer = settings.composer();
    let template = Template::compile(TEMPLATE, &settings.message.placeholders).unwrap();
    let mut group = criterion.benchmark_group("compose");
    for (name, body) in [("plain", BODY), ("hostile", HOSTILE)] {
        let event = event(body);
        let mail = composer.compose(&template, &event).unwrap();
        group.throughput(Throughput::Bytes(
            (mail.html.to_string().len() + mail.text.len())
                .try_into()
                .unwrap(),
        ));
        group.bench_function(name, |bencher| {
            bencher.iter(|| composer.compose(&template, black_box(&event)));
        });
    }
    group.finish();
}

/// From an error of the SDK's to what a send's failure means.
fn classify(criterion: &mut Criterion) {
    use SendFailureKind::{AccountWide, OutcomeUnknown, Throttled};
    let mut group = criterion.benchmark_group("classify");
    classified(&mut group, "throttled", Throttled, throttled);
    let not_verified = AccountWide(AccountCause::SenderNotVerified);
    classified(&mut group, "refused", not_verified, refused);
    classified(&mut group, "broken_off", OutcomeUnknown, broken_off);
    group.finish();
}

fn classified(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    kind: SendFailureKind,
    error: fn() -> SendError,
) {
    let meaning = |error| Failure::new("SendEmail", error).of_send(SENDER);
    assert_eq!(meaning(error()).kind, kind);
    group.bench_function(name, |bencher| {
        bencher.iter_batched(error, meaning, BatchSize::SmallInput);
    });
}

fn throttled() -> SendError {
    let message = "Maximum sending rate exceeded.";
    let error = TooManyRequestsException::builder()
        .message(message)
        .meta(metadata("TooManyRequestsException", message))
        .build();
    let error = SendEmailError::TooManyRequestsException(error);
    SdkError::service_error(error, response(429))
}

/// With the longest text that a refusal has: who failed which check.
fn refused() -> SendError {
    let message = "Email address is not verified. The following identities failed the check in \
                   region EU-CENTRAL-1: dana.organizer@example.com, Calendar <events@calendar.example>";
    let error = MessageRejected::builder()
        .message(message)
        .meta(metadata("MessageRejected", message))
        .build();
    let error = SendEmailError::MessageRejected(error);
    SdkError::service_error(error, response(400))
}

/// After the request was written: a chain of causes, with no answer at its end.
fn broken_off() -> SendError {
    let cause = io::Error::from(io::ErrorKind::ConnectionReset);
    SdkError::dispatch_failure(ConnectorError::io(cause.into()))
}

fn metadata(code: &str, message: &str) -> ErrorMetadata {
    ErrorMetadata::builder().code(code).message(message).build()
}

fn response(status: u16) -> HttpResponse {
    let mut response = HttpResponse::new(status.try_into().unwrap(), "{}".into());
    let id = "4f5d6b3e-0000-4000-8000-000000000001";
    response.headers_mut().insert("x-amzn-requestid", id);
    response
}

/// The shipped configuration, with what it leaves open.
fn settings() -> Settings {
    let sender = format!("Calendar Invites, Inc. <{SENDER}>");
    let variables = [
        ("REGION", "eu-central-1"),
        (
            "SQS_URL",
            "https://sqs.eu-central-1.amazonaws.com/123456789012/created",
        ),
        ("CODECOMMIT_REPO", "email-templates"),
        ("NEW_EVENT_NOTIFICATION_EMAIL", "new_event.html"),
        ("SENDER", &sender),
        ("SUBJECT", "Registered: {summary} ({uid})"),
    ];
    config::load(&[], &config::Flags::default(), variables)
        .unwrap()
        .settings
}

fn event(body: &str) -> Event {
    match settings().composer().open(body).unwrap() {
        Envelope::Notification { event, .. } => event,
        Envelope::Control { kind } => panic!("{kind}"),
    }
}
