//! When the template stops the receiving.

use std::time::Duration;

use super::*;
use crate::{
    notification::{Placeholders, Template},
    ports::{CallError, TemplateFailure, TemplateFailureKind, obstacle::Obstacle},
    template_store::TemplateInForce,
    testing::polled::Polled,
};

fn version(blob_id: &str) -> TemplateVersion {
    TemplateVersion {
        commit_id: format!("commit of {blob_id}"),
        blob_id: blob_id.to_owned(),
    }
}

/// A closed breaker with version `1` in force, with which a mail was written.
fn closed(now: Instant) -> TemplateBreaker {
    let mut breaker = TemplateBreaker::new();
    assert_eq!(breaker.in_force(&version("1"), now), None);
    assert_eq!(breaker.rendered(&version("1"), now), None);
    breaker
}

fn missing(
    breaker: &mut TemplateBreaker,
    key: &str,
    placeholder: &str,
    blob_id: &str,
    now: Instant,
) -> Option<Transition<TemplateCause>> {
    let (_, transition) = breaker.field_missing(key, placeholder, &version(blob_id), now);
    transition
}

/// The same, opened by five messages that lack `uid`.
fn opened(now: Instant) -> TemplateBreaker {
    let mut breaker = closed(now);
    for key in ["a", "b", "c", "d", "e"] {
        missing(&mut breaker, key, "uid", "1", now);
    }
    assert!(breaker.is_open());
    breaker
}

fn uid_missing() -> TemplateCause {
    TemplateCause::FieldMissing {
        placeholder: "uid".to_owned(),
    }
}

#[test]
fn five_distinct_messages_in_a_row_without_the_same_field_open_it() {
    let now = Instant::now();
    let mut breaker = closed(now);
    for key in ["a", "b", "b", "c", "d", "a"] {
        assert_eq!(missing(&mut breaker, key, "uid", "1", now), None);
    }
    assert_eq!(
        missing(&mut breaker, "e", "uid", "1", now),
        Some(Transition::Opened {
            cause: uid_missing()
        })
    );
    assert_eq!(missing(&mut breaker, "f", "uid", "1", now), None);
}

#[test]
fn while_no_mail_was_written_each_field_is_counted_and_told_by_itself() {
    let now = Instant::now();
    let mut breaker = TemplateBreaker::new();
    let first = |blame| blame == Blame::Unclear { first: true };
    for (number, key) in ["a", "b", "c", "d"].into_iter().enumerate() {
        for placeholder in ["uid", "summary"] {
            let key = format!("{key}-{placeholder}");
            let (blame, opened) = breaker.field_missing(&key, placeholder, &version("1"), now);
            assert_eq!((first(blame), opened), (number == 0, None), "{key}");
        }
    }
    let opened = missing(&mut breaker, "e", "uid", "1", now);
    let cause = uid_missing();
    assert_eq!(opened, Some(Transition::Opened { cause }));
}

#[test]
fn a_mail_written_another_field_or_another_version_begins_the_count_again() {
    let now = Instant::now();
    let resets: [fn(&mut TemplateBreaker, Instant); 3] = [
        |breaker, now| {
            assert_eq!(breaker.rendered(&version("1"), now), None);
        },
        |breaker, now| {
            missing(breaker, "z", "summary", "1", now);
        },
        |breaker, now| {
            breaker.in_force(&version("2"), now);
            breaker.in_force(&version("1"), now);
            assert_eq!(breaker.rendered(&version("1"), now), None);
        },
    ];
    for reset in resets {
        let mut breaker = closed(now);
        for _ in 0..3 {
            for key in ["a", "b", "c", "d"] {
                assert_eq!(missing(&mut breaker, key, "uid", "1", now), None);
            }
            reset(&mut breaker, now);
        }
    }
}

#[test]
fn a_version_that_a_worker_renders_with_before_it_was_told_of_is_the_new_one() {
    let now = Instant::now();
    let mut breaker = closed(now);
    for key in ["a", "b", "c", "d"] {
        missing(&mut breaker, key, "uid", "1", now);
    }
    assert_eq!(breaker.rendered(&version("2"), now), None);
    assert_eq!(missing(&mut breaker, "e", "uid", "2", now), None);
}

#[test]
fn once_open_no_version_but_one_of_another_content_closes_it() {
    let now = Instant::now();
    let mut breaker = opened(now);
    let same_content = TemplateVersion {
        commit_id: "another commit".to_owned(),
        blob_id: "1".to_owned(),
    };
    assert_eq!(breaker.in_force(&same_content, now), None);
    assert_eq!(breaker.status().unwrap().cause, uid_missing());
    assert!(breaker.in_force(&version("2"), now).is_some());
    assert!(!breaker.is_open());
}

#[test]
fn once_open_a_message_that_holds_the_field_closes_it() {
    let now = Instant::now();
    let mut breaker = opened(now);
    let closed = Transition::Closed {
        cause: uid_missing(),
        open_for: Duration::from_secs(7),
    };
    let later = now + Duration::from_secs(7);
    assert_eq!(breaker.rendered(&version("1"), later), Some(closed));
    assert_eq!(missing(&mut breaker, "f", "uid", "1", later), None);
}

#[test]
fn a_single_message_may_be_received_now_and_then_while_it_is_open() {
    let now = Instant::now();
    assert_eq!(
        closed(now).receive_at(),
        None,
        "a closed breaker lets all be received"
    );
    let mut breaker = opened(now);
    let at = breaker.receive_at().unwrap();
    assert!(at > now);
    breaker.probe_receive_started(at);
    assert!(breaker.receive_at().unwrap() > at, "one at a time");
}

#[test]
fn while_no_mail_was_written_with_a_version_nobody_knows_whose_fault_a_missing_field_is() {
    let now = Instant::now();
    let mut first = TemplateBreaker::new();
    let mut replaced = closed(now);
    for breaker in [&mut first, &mut replaced] {
        let mut blame = |key: &str| breaker.field_missing(key, "uid", &version("2"), now).0;
        assert_eq!(blame("a"), Blame::Unclear { first: true });
        assert_eq!(blame("b"), Blame::Unclear { first: false });
        assert_eq!(blame("b"), Blame::Unclear { first: false });
        assert!(!breaker.has_judged(&version("2")));
        assert_eq!(breaker.rendered(&version("2"), now), None);
        assert!(breaker.has_judged(&version("2")));
        let (blame, _) = breaker.field_missing("a", "uid", &version("2"), now);
        assert_eq!(blame, Blame::Message);
    }
}

#[test]
fn what_a_mail_has_shown_to_be_at_fault_is_not_counted_again() {
    let now = Instant::now();
    let mut breaker = closed(now);
    let keys = ["a", "b", "c", "d", "e", "f"];
    for key in keys {
        breaker.field_missing(key, "uid", &version("1"), now);
    }
    assert!(
        breaker.rendered(&version("1"), now).is_some(),
        "it was open"
    );
    for key in keys {
        let (blame, opened) = breaker.field_missing(key, "uid", &version("1"), now);
        assert_eq!((blame, opened), (Blame::Message, None), "{key}");
    }
    // With another version they are looked at anew.
    let (blame, _) = breaker.field_missing("a", "uid", &version("2"), now);
    assert_eq!(blame, Blame::Unclear { first: true });
}

#[test]
fn five_suspects_open_it_too_and_another_version_judges_them() {
    let now = Instant::now();
    let mut breaker = closed(now);
    for key in ["a", "b", "c", "d"] {
        assert_eq!(missing(&mut breaker, key, "uid", "2", now), None);
    }
    assert!(missing(&mut breaker, "e", "uid", "2", now).is_some());
    assert!(!breaker.has_judged(&version("2")));
    assert!(breaker.in_force(&version("3"), now).is_some());
    assert!(breaker.has_judged(&version("2")));
}

fn denied() -> TemplateFailure {
    TemplateFailure {
        kind: TemplateFailureKind::AccessDenied,
        error: Box::new(CallError {
            operation: "GetFile",
            code: "AccessDenied".to_owned(),
            message: "no".to_owned(),
            request_id: None,
            obstacle: None,
            source: None,
        }),
    }
}

fn failed(failure: LoadError) -> Knowledge {
    Knowledge {
        failure: Some(Arc::new(failure)),
        ..Knowledge::default()
    }
}

fn too_large() -> LoadError {
    LoadError::TooLarge {
        bytes: 2,
        max_bytes: 1,
    }
}

fn usable(blob_id: &str) -> Knowledge {
    let template = Template::compile(b"<p>text</p>", &Placeholders::default()).unwrap();
    Knowledge {
        in_force: Some(Arc::new(TemplateInForce {
            template,
            version: version(blob_id),
            bytes: 11,
            doubts: Vec::new(),
        })),
        ..Knowledge::default()
    }
}

/// A gate, and what its store knows.
fn gate() -> (Arc<TemplateGate>, watch::Sender<Knowledge>) {
    let (tell, knowledge) = watch::channel(Knowledge::default());
    let gate = TemplateGate {
        knowledge,
        breaker: watch::Sender::new(TemplateBreaker::new()),
        started_at: Instant::now(),
    };
    (Arc::new(gate), tell)
}

/// Not reached, for this reason.
fn not_reached(obstacle: Obstacle) -> Knowledge {
    let mut failure = denied();
    failure.kind = TemplateFailureKind::Transient;
    failure.error.obstacle = Some(obstacle);
    failed(LoadError::Fetch(failure))
}

#[tokio::test(start_paused = true)]
async fn what_stands_in_the_way_is_named_and_no_change_of_it_is_told() {
    let (gate, tell) = gate();
    let (refused, late) = (Obstacle::Refused, Obstacle::NoConnection);
    let told = gate.learn(&Knowledge::default(), &not_reached(refused));
    let Some(Transition::Changed { cause }) = told else {
        panic!("{told:?}");
    };
    assert_eq!(cause.describe(), refused.describe());
    assert_eq!(cause.remedy(), refused.remedy());
    let told = gate.learn(&not_reached(refused), &not_reached(late));
    assert_eq!(told, None);
    tell.send_replace(not_reached(late));
    assert_eq!(gate.status().unwrap().cause.remedy(), late.remedy());
}

#[tokio::test(start_paused = true)]
async fn until_there_is_a_template_the_last_failure_is_named_and_then_how_long_it_took() {
    let (gate, _tell) = gate();
    let denied = || failed(LoadError::Fetch(denied()));
    let denied_cause = TemplateCause::Fetch {
        kind: TemplateFailureKind::AccessDenied,
        obstacle: None,
    };
    for (before, now, cause) in [
        (Knowledge::default(), Knowledge::default(), None),
        (Knowledge::default(), denied(), Some(denied_cause)),
        (denied(), denied(), None),
        (denied(), failed(too_large()), Some(TemplateCause::Unusable)),
    ] {
        let changed = cause.map(|cause| Transition::Changed { cause });
        assert_eq!(gate.learn(&before, &now), changed);
    }
    let open_for = Duration::from_secs(7);
    tokio::time::advance(open_for).await;
    assert_eq!(
        gate.learn(&failed(too_large()), &usable("1")),
        Some(Transition::Closed {
            cause: TemplateCause::Unusable,
            open_for
        })
    );
}

#[tokio::test(start_paused = true)]
async fn failing_fetches_change_nothing_while_an_earlier_version_serves() {
    let (gate, tell) = gate();
    let mut stale = usable("1");
    stale.failure = Some(Arc::new(too_large()));
    tell.send_replace(stale.clone());
    assert_eq!(gate.learn(&usable("1"), &stale), None);
    assert_eq!(gate.status(), None);
    assert_eq!(gate.receiving().await, Receiving::All);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_received_until_there_is_a_template() {
    let (gate, tell) = gate();
    let copy = Arc::clone(&gate);
    let mut receiving = Polled::new(async move { copy.receiving().await });
    assert!(receiving.poll().is_none());
    assert_eq!(gate.status().unwrap().cause, TemplateCause::NotFetched);
    tell.send_replace(failed(too_large()));
    assert!(receiving.poll().is_none());
    assert_eq!(gate.status().unwrap().cause, TemplateCause::Unusable);
    tell.send_replace(usable("1"));
    assert_eq!(receiving.poll(), Some(Receiving::All));
    assert_eq!(gate.status(), None);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_while_the_template_is_suspected_goes_once_it_is_cleared() {
    let (gate, tell) = gate();
    tell.send_replace(usable("1"));
    assert!(gate.learn(&Knowledge::default(), &usable("1")).is_some());
    for key in ["a", "b", "c", "d", "e"] {
        drop(gate.tell(|breaker, now| breaker.field_missing(key, "uid", &version("1"), now)));
    }
    let (one, other) = (Arc::clone(&gate), Arc::clone(&gate));
    let mut message = Polled::new(async move { one.judged(&version("1")).await });
    let mut poller = Polled::new(async move { other.receiving().await });
    assert!(message.poll().is_none() && poller.poll().is_none());
    assert!(
        gate.learn(&usable("1"), &usable("2")).is_some(),
        "another version"
    );
    assert!(message.poll().is_some());
    assert_eq!(poller.poll(), Some(Receiving::All));
}

#[tokio::test(start_paused = true)]
async fn while_it_is_suspected_one_message_may_be_received_at_a_time() {
    let (gate, tell) = gate();
    tell.send_replace(usable("1"));
    for key in ["a", "b", "c", "d", "e"] {
        drop(gate.tell(|breaker, now| breaker.field_missing(key, "uid", &version("1"), now)));
    }
    let began = Instant::now();
    assert_eq!(gate.receiving().await, Receiving::OneProbe);
    gate.probe_receive_started();
    let first = began.elapsed();
    assert_eq!(gate.receiving().await, Receiving::OneProbe);
    assert!(began.elapsed() > first);
}
