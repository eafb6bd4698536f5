use std::time::Duration;

use super::*;
use crate::ports::TemplateFailureKind;

fn version(blob_id: &str) -> TemplateVersion {
    TemplateVersion {
        commit_id: format!("commit of {blob_id}"),
        blob_id: blob_id.to_owned(),
    }
}

/// A closed breaker with version `1` in force, with which a mail was written.
fn closed(now: Instant) -> TemplateBreaker {
    let mut breaker = TemplateBreaker::new(now);
    assert!(breaker.usable(&version("1"), now).is_some());
    assert_eq!(breaker.composed(&version("1"), now), None);
    breaker
}

fn uid_missing() -> TemplateCause {
    TemplateCause::FieldMissing {
        placeholder: "uid".to_owned(),
    }
}

#[test]
fn it_is_open_until_there_is_a_usable_template_and_names_the_last_failure() {
    let now = Instant::now();
    let mut breaker = TemplateBreaker::new(now);
    let denied = TemplateCause::Fetch(TemplateFailureKind::AccessDenied);
    for (cause, changed) in [
        (TemplateCause::NotFetched, false),
        (denied.clone(), true),
        (denied, false),
        (TemplateCause::Unusable, true),
    ] {
        let expected = changed.then(|| Transition::Changed {
            cause: cause.clone(),
        });
        assert_eq!(breaker.unusable(cause), expected);
    }
    let open_for = Duration::from_secs(7);
    assert_eq!(
        breaker.usable(&version("1"), now + open_for),
        Some(Transition::Closed {
            cause: TemplateCause::Unusable,
            open_for
        })
    );
    assert!(!breaker.is_open());
}

#[test]
fn failing_fetches_change_nothing_while_an_earlier_version_serves() {
    let now = Instant::now();
    let mut breaker = closed(now);
    assert_eq!(breaker.unusable(TemplateCause::Unusable), None);
    assert!(!breaker.is_open());
}

#[test]
fn five_distinct_messages_in_a_row_without_the_same_field_open_it() {
    let now = Instant::now();
    let mut breaker = closed(now);
    for key in ["a", "b", "b", "c", "d", "a"] {
        assert_eq!(breaker.field_missing(key, "uid", &version("1"), now), None);
    }
    assert_eq!(
        breaker.field_missing("e", "uid", &version("1"), now),
        Some(Transition::Opened {
            cause: uid_missing()
        })
    );
    assert_eq!(breaker.field_missing("f", "uid", &version("1"), now), None);
}

#[test]
fn a_mail_written_another_field_or_another_version_begins_the_count_again() {
    let now = Instant::now();
    let resets: [fn(&mut TemplateBreaker, Instant); 3] = [
        |breaker, now| {
            assert_eq!(breaker.composed(&version("1"), now), None);
        },
        |breaker, now| {
            breaker.field_missing("z", "summary", &version("1"), now);
        },
        |breaker, now| {
            breaker.usable(&version("2"), now);
            breaker.usable(&version("1"), now);
            assert_eq!(breaker.composed(&version("1"), now), None);
        },
    ];
    for reset in resets {
        let mut breaker = closed(now);
        for _ in 0..3 {
            for key in ["a", "b", "c", "d"] {
                assert_eq!(breaker.field_missing(key, "uid", &version("1"), now), None);
            }
            reset(&mut breaker, now);
        }
    }
}

#[test]
fn news_of_a_version_no_longer_in_force_count_for_nothing() {
    let now = Instant::now();
    let mut breaker = closed(now);
    breaker.usable(&version("2"), now);
    assert_eq!(breaker.composed(&version("2"), now), None);
    for key in ["a", "b", "c", "d"] {
        breaker.field_missing(key, "uid", &version("2"), now);
    }
    assert_eq!(breaker.composed(&version("1"), now), None);
    assert_eq!(breaker.field_missing("e", "uid", &version("1"), now), None);
    assert!(
        breaker
            .field_missing("e", "uid", &version("2"), now)
            .is_some()
    );
}

#[test]
fn once_opened_by_a_missing_field_no_fetch_but_of_another_content_closes_it() {
    let now = Instant::now();
    let mut breaker = closed(now);
    for key in ["a", "b", "c", "d", "e"] {
        breaker.field_missing(key, "uid", &version("1"), now);
    }
    let same_content = TemplateVersion {
        commit_id: "another commit".to_owned(),
        blob_id: "1".to_owned(),
    };
    assert_eq!(breaker.usable(&same_content, now), None);
    assert_eq!(breaker.unusable(TemplateCause::Unusable), None);
    assert_eq!(breaker.status(now).unwrap().cause, uid_missing());
    assert!(breaker.usable(&version("2"), now).is_some());
    assert!(!breaker.is_open());
}

#[test]
fn once_opened_by_a_missing_field_a_message_that_holds_it_closes_it() {
    let now = Instant::now();
    let mut breaker = closed(now);
    for key in ["a", "b", "c", "d", "e"] {
        breaker.field_missing(key, "uid", &version("1"), now);
    }
    assert_eq!(breaker.composed(&version("0"), now), None);
    let closed = Transition::Closed {
        cause: uid_missing(),
        open_for: Duration::from_secs(7),
    };
    let later = now + Duration::from_secs(7);
    assert_eq!(breaker.composed(&version("1"), later), Some(closed));
    assert_eq!(
        breaker.field_missing("f", "uid", &version("1"), later),
        None
    );
}

#[test]
fn a_single_message_may_be_received_now_and_then_only_while_a_template_is_suspected() {
    let now = Instant::now();
    let hour = now + Duration::from_hours(1);
    let breaker = TemplateBreaker::new(now);
    assert!(
        !breaker.may_receive_one(hour),
        "without a template no message can be tried"
    );
    let mut breaker = closed(now);
    assert!(
        !breaker.may_receive_one(hour),
        "a closed breaker lets all be received"
    );
    for key in ["a", "b", "c", "d", "e"] {
        breaker.field_missing(key, "uid", &version("1"), now);
    }
    assert!(!breaker.may_receive_one(now));
    let at = breaker.receive_at().unwrap();
    assert!(breaker.may_receive_one(at));
    breaker.receive_one(at);
    assert!(!breaker.may_receive_one(at), "one at a time");
    assert!(breaker.receive_at().unwrap() > at);
}

#[test]
fn a_version_that_no_mail_was_written_with_is_suspected_at_the_first_message_without_the_field() {
    let now = Instant::now();
    let mut breaker = closed(now);
    breaker.usable(&version("2"), now);
    assert!(
        breaker
            .field_missing("a", "uid", &version("2"), now)
            .is_some()
    );
    assert!(breaker.composed(&version("2"), now).is_some());
    assert_eq!(breaker.field_missing("a", "uid", &version("2"), now), None);
}
