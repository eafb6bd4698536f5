//! Which fault strikes what: everything that the local AWS can do wrong.

use rand::rngs::StdRng;
use rand::{RngExt as _, seq::IndexedRandom as _};
use sandbox::faults::{Fault, Rule, Window};
use sandbox::ses::publisher::{EventFault, EventRule};
use std::time::Duration;

use super::Mode;

const SEND: &str = "ses:SendEmail";
/// What a daemon calls, and what refuses it with a status and a code of its own.
const OPERATIONS: &[(&str, &[(u16, &str)])] = &[
    (
        SEND,
        &[
            (429, "TooManyRequestsException"),
            (500, "InternalServiceErrorException"),
            (503, "ServiceUnavailable"),
            (400, "MessageRejected"),
            (400, "BadRequestException"),
            (400, "AccountSuspendedException"),
            (400, "SendingPausedException"),
            (400, "LimitExceededException"),
            (400, "MailFromDomainNotVerifiedException"),
            (400, "TenantLimitReachedException"),
            (403, "AccessDeniedException"),
            (403, "ExpiredTokenException"),
        ],
    ),
    (
        "ses:GetAccount",
        &[
            (429, "TooManyRequestsException"),
            (403, "AccessDeniedException"),
        ],
    ),
    (
        "sqs:ReceiveMessage",
        &[
            (500, "InternalError"),
            (503, "ServiceUnavailable"),
            (400, "RequestThrottled"),
        ],
    ),
    (
        "sqs:DeleteMessageBatch",
        &[
            (500, "InternalError"),
            (503, "ServiceUnavailable"),
            (400, "RequestThrottled"),
        ],
    ),
    (
        "sqs:ChangeMessageVisibilityBatch",
        &[
            (500, "InternalError"),
            (503, "ServiceUnavailable"),
            (400, "RequestThrottled"),
        ],
    ),
    ("sqs:GetQueueAttributes", &[(500, "InternalError")]),
    (
        "codecommit:GetFile",
        &[
            (503, "ServiceUnavailable"),
            (400, "EncryptionKeyUnavailableException"),
        ],
    ),
];
const TABLE: &[(&str, &[(u16, &str)])] = &[
    ("dynamodb:PutItem", REFUSED_BY_TABLE),
    ("dynamodb:BatchWriteItem", REFUSED_BY_TABLE),
    ("dynamodb:BatchGetItem", REFUSED_BY_TABLE),
    ("dynamodb:DeleteItem", REFUSED_BY_TABLE),
];
const REFUSED_BY_TABLE: &[(u16, &str)] = &[
    (500, "InternalServerError"),
    (400, "ProvisionedThroughputExceededException"),
    (400, "ThrottlingException"),
];
const SERVICES: &[&str] = &["sqs:*", "ses:*", "codecommit:*", "dynamodb:*", "*"];

/// A fault of this length, from when it is set.
pub(super) fn fault(random: &mut StdRng, mode: Mode, length: Duration) -> Rule {
    let until_ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let rule = if random.random_bool(0.25) {
        outage(random)
    } else {
        strike(random, mode)
    };
    Rule {
        window: Some(Window {
            from_ms: 0,
            until_ms,
        }),
        ..rule
    }
}

/// A service, or all of them, are gone.
fn outage(random: &mut StdRng) -> Rule {
    let service = SERVICES.choose(random).copied().unwrap_or("*");
    let fault = match random.random_range(0..4) {
        0 => Fault::Hang,
        1 => Fault::ResetBefore,
        _ => Fault::error("ServiceUnavailable", 503),
    };
    Rule::new(service, fault)
}

/// A share of one operation's calls.
fn strike(random: &mut StdRng, mode: Mode) -> Rule {
    let ours: Vec<_> = OPERATIONS
        .iter()
        .chain(if mode.table() { TABLE } else { &[] })
        .collect();
    // What is called most has the most to go wrong.
    let (operation, codes) = if random.random_bool(0.35) {
        &OPERATIONS[0]
    } else {
        ours.choose(random).copied().unwrap_or(&OPERATIONS[0])
    };
    let is_batch = operation.contains("Batch") && operation.starts_with("sqs:");
    let is_table_batch = operation.starts_with("dynamodb:Batch");
    let fault = match random.random_range(0..10) {
        0 => Fault::Hang,
        1 => Fault::ResetBefore,
        2 => Fault::ResetAfter,
        3 => Fault::AnswerLate {
            after_ms: random.random_range(200..6000),
        },
        4 => {
            let min_ms = random.random_range(20..800);
            let max_ms = min_ms + random.random_range(0..2500);
            Fault::Latency { min_ms, max_ms }
        }
        5 | 6 if is_batch => Fault::EntryError {
            code: "InternalError".to_owned(),
            message: "Injected.".to_owned(),
        },
        5 | 6 if is_table_batch => Fault::Unprocessed,
        _ => {
            let (status, code) = codes
                .choose(random)
                .copied()
                .unwrap_or((500, "InternalError"));
            Fault::error(code, status)
        }
    };
    let share = if random.random_bool(0.3) {
        1.0
    } else {
        f64::from(random.random_range(2..60_u32)) / 100.0
    };
    Rule {
        share,
        ..Rule::new(operation, fault)
    }
}

/// Deliveries that come twice, for as long as faults last.
pub(super) fn doubled(random: &mut StdRng, length: Duration) -> Rule {
    let after_ms = if random.random_bool(0.5) {
        0
    } else {
        random.random_range(1..3000)
    };
    let copy = Fault::Duplicate {
        after_ms,
        new_id: random.random_bool(0.5),
    };
    Rule {
        share: f64::from(random.random_range(2..25_u32)) / 100.0,
        window: Some(Window {
            from_ms: 0,
            until_ms: u64::try_from(length.as_millis()).unwrap_or(u64::MAX),
        }),
        ..Rule::new("sqs:Deliver", copy)
    }
}

/// Events that are late, lost or doubled.
pub(super) fn events(random: &mut StdRng) -> Vec<EventRule> {
    let rule = |fault, share| EventRule {
        types: Vec::new(),
        fault,
        share,
    };
    let min_ms = random.random_range(0..500);
    let max_ms = min_ms + random.random_range(100..5000);
    let mut rules = vec![rule(EventFault::Delay { min_ms, max_ms }, 1.0)];
    if random.random_bool(0.5) {
        let share = if random.random_bool(0.2) {
            1.0
        } else {
            f64::from(random.random_range(5..60_u32)) / 100.0
        };
        rules.push(rule(EventFault::Loss, share));
    }
    if random.random_bool(0.4) {
        let after_ms = random.random_range(0..2000);
        rules.push(rule(EventFault::Double { after_ms }, 0.3));
    }
    rules
}
