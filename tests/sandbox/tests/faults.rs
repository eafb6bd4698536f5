//! Which requests the rules strike.

mod script;

use std::time::Duration;

use sandbox::faults::{Fault, Faults, Plan, Rule, Window};
use serde_json::json;

use crate::support::pass;

fn struck(faults: &Faults, operation: &str) -> bool {
    faults.plan(operation, b"body").fault.is_some()
}

#[tokio::test(start_paused = true)]
async fn a_rule_matches_one_operation_one_service_or_all() {
    let faults = Faults::new();
    for (pattern, operations) in [
        ("ses:SendEmail", [true, false, false]),
        ("ses:*", [true, true, false]),
        ("*", [true, true, true]),
    ] {
        faults.set(vec![Rule::new(pattern, Fault::Hang)]);
        let matched = ["ses:SendEmail", "ses:GetAccount", "sqs:SendMessage"]
            .map(|operation| struck(&faults, operation));
        assert_eq!(matched, operations, "{pattern}");
    }
}

#[tokio::test(start_paused = true)]
async fn delays_add_up_and_the_first_other_fault_wins() {
    let faults = Faults::new();
    let latency = |millis| Fault::Latency {
        min_ms: millis,
        max_ms: millis,
    };
    faults.set(vec![
        Rule::new("*", latency(100)),
        Rule::new("*", Fault::ResetAfter),
        Rule::new("*", Fault::Hang),
        Rule::new("*", latency(20)),
    ]);
    let expected = Plan {
        delay: Duration::from_millis(120),
        fault: Some(Fault::ResetAfter),
    };
    assert_eq!(faults.plan("sqs:SendMessage", b""), expected);
}

#[tokio::test(start_paused = true)]
async fn a_latency_is_drawn_from_its_span() {
    let faults = Faults::new();
    let latency = Fault::Latency {
        min_ms: 10,
        max_ms: 20,
    };
    faults.add(Rule::new("*", latency));
    let mut drawn: Vec<_> = (0..200)
        .map(|_| faults.plan("a:B", b"").delay.as_millis())
        .collect();
    drawn.sort_unstable();
    drawn.dedup();
    assert_eq!(drawn, (10..=20).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_counted_rule_strikes_the_first_requests_only() {
    let faults = Faults::new();
    faults.add(Rule {
        count: Some(2),
        ..Rule::new("*", Fault::Hang)
    });
    let strikes = [(); 4].map(|()| struck(&faults, "a:B"));
    assert_eq!(strikes, [true, true, false, false]);
    assert_eq!(faults.json()["rules"][0]["struck"], json!(2));
}

#[tokio::test(start_paused = true)]
async fn an_outage_has_a_beginning_and_an_end() {
    let faults = Faults::new();
    faults.add(Rule {
        window: Some(Window {
            from_ms: 1000,
            until_ms: 3000,
        }),
        ..Rule::new("*", Fault::Hang)
    });
    let mut strikes = Vec::new();
    for _ in 0..5 {
        strikes.push(struck(&faults, "a:B"));
        pass(1).await;
    }
    assert_eq!(strikes, [false, true, true, false, false]);
}

#[tokio::test(start_paused = true)]
async fn one_message_can_fail_for_ever() {
    let faults = Faults::new();
    faults.add(Rule {
        body_contains: Some("dana".to_owned()),
        ..Rule::new("*", Fault::Hang)
    });
    assert!(faults.plan("a:B", b"to dana").fault.is_some());
    assert!(faults.plan("a:B", b"to jane").fault.is_none());
    assert!(faults.plan("a:B", b"").fault.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_strikes_the_same_requests() {
    let draw = |seed| {
        let faults = Faults::new();
        faults.seed(seed);
        faults.add(Rule {
            share: 0.3,
            ..Rule::new("*", Fault::Hang)
        });
        (0..1000)
            .map(|_| struck(&faults, "a:B"))
            .collect::<Vec<_>>()
    };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
    let share = draw(7).into_iter().filter(|&strikes| strikes).count();
    assert!((250..350).contains(&share), "{share}");
}

#[tokio::test(start_paused = true)]
async fn requests_of_another_operation_do_not_disturb_the_draws() {
    let draw = |noise: usize| {
        let faults = Faults::new();
        faults.add(Rule {
            share: 0.5,
            ..Rule::new("a:B", Fault::Hang)
        });
        (0..100)
            .map(|_| {
                for _ in 0..noise {
                    struck(&faults, "c:D");
                }
                struck(&faults, "a:B")
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(draw(0), draw(3));
}

#[tokio::test(start_paused = true)]
async fn rules_are_read_from_json() {
    let faults = Faults::new();
    let rules = json!([
        { "operation": "ses:SendEmail", "share": 0.5,
          "fault": { "error": { "code": "TooManyRequestsException", "status": 429 } } },
        { "operation": "sqs:*", "fault": "reset_before", "count": 3, "body_contains": "x",
          "window": { "from_ms": 5, "until_ms": 10 } },
        { "operation": "sqs:DeleteMessageBatch", "fault": { "entry_error": { "code": "InternalError" } } },
        { "operation": "sqs:Deliver", "fault": { "duplicate": { "new_id": true } } },
        { "operation": "*", "fault": { "latency": { "min_ms": 1, "max_ms": 2 } } },
        { "operation": "*", "fault": "hang" },
    ]);
    faults.set_json(rules.to_string().as_bytes()).unwrap();
    assert_eq!(faults.json()["rules"].as_array().unwrap().len(), 6);
    let seeded = json!({ "seed": 9, "rules": [] });
    faults.set_json(seeded.to_string().as_bytes()).unwrap();
    assert_eq!(faults.json(), json!({ "seed": 9, "rules": [] }));
}

#[tokio::test(start_paused = true)]
async fn a_bad_script_is_refused_and_changes_nothing() {
    let faults = Faults::new();
    faults.add(Rule::new("*", Fault::Hang));
    for (script, problem) in [
        (json!([{ "operation": "*", "fault": "melt" }]), "melt"),
        (
            json!([{ "operation": "*", "fault": "hang", "shar": 1 }]),
            "shar",
        ),
        (
            json!([{ "operation": "*", "fault": "hang", "share": 2.0 }]),
            "share",
        ),
        (json!([{ "fault": "hang" }]), "operation"),
        (
            json!({ "seed": 1, "rules": [{ "fault": "hang" }] }),
            "operation",
        ),
        (json!(7), ""),
    ] {
        let error = faults.set_json(script.to_string().as_bytes()).unwrap_err();
        assert!(error.contains(problem), "{error}");
    }
    let rules = faults.json();
    assert_eq!(rules["rules"].as_array().unwrap().len(), 1);
}
