//! When witnesses are sent, and what their words lead to.

use super::{
    verdicts::{DENIED, REFUSED, Sent},
    *,
};

#[test]
fn where_no_mail_is_accepted_within_a_second_a_witness_is_sent() {
    let mut bench = Bench::with_witnesses();
    assert!(!bench.witness(Ok(Standing::Good)), "nobody is suspected");
    bench.refused("bad");
    bench.millis(999);
    assert!(!bench.witness(Ok(Standing::Good)));
    bench.millis(1);
    assert!(bench.witness(Ok(Standing::Good)));
    assert_eq!(bench.refused("bad"), Sent::AtFault);
}

#[test]
fn no_witness_is_sent_while_mails_are_accepted() {
    let mut bench = Bench::with_witnesses();
    for number in 0..100 {
        bench.refused(&format!("bad-{number}"));
        bench.millis(50);
        bench.tried("good", Ok(()));
        bench.millis(50);
        assert!(!bench.witness(Ok(Standing::Good)), "{number}");
    }
}

#[test]
fn witnesses_follow_each_other_after_a_second_where_accepted_and_after_growing_delays_else() {
    let mut bench = Bench::with_witnesses();
    let mut number = 0;
    let mut next = |bench: &mut Bench, result| {
        let mut waited = 0;
        loop {
            number += 1;
            bench.refused(&format!("bad-{number}"));
            if bench.witness(result) {
                return waited;
            }
            bench.millis(100);
            waited += 100;
        }
    };
    let good = Ok(Standing::Good);
    assert_eq!(next(&mut bench, good), 1000);
    assert_eq!(next(&mut bench, good), 1000);
    let limited = Ok(Standing::Limited);
    next(&mut bench, limited);
    assert!(bench.breaker.is_open(), "three alike, and no verdict");
}

#[test]
fn a_witness_that_is_refused_alike_opens_it_with_what_the_service_said() {
    let mut bench = Bench::with_witnesses();
    bench.refused("a");
    bench.pass(1);
    bench.witness(Err((REFUSED, "Code")));
    assert_eq!(bench.cause(), Some(MailCause::Refused));
    assert_eq!(bench.breaker.said().unwrap().code, "Code");
    assert_eq!(
        bench.refused("a"),
        Sent::Waits,
        "the next probe is a witness"
    );
    bench.pass(1);
    assert!(bench.witness(Err((REFUSED, "Code"))));
    bench.pass(2);
    assert!(bench.witness(Ok(Standing::Good)));
    assert_eq!(bench.cause(), None);
    bench.pass(1);
    assert_eq!(bench.tried("a", Ok(())), Sent::Accepted);
}

#[test]
fn a_witness_that_is_refused_for_the_account_opens_it_by_that_name() {
    let mut bench = Bench::with_witnesses();
    bench.refused("a");
    bench.pass(1);
    bench.witness(Err((SUSPENDED, "AccountSuspendedException")));
    let suspended = MailCause::Account(AccountCause::Suspended);
    assert_eq!(bench.cause(), Some(suspended));
}

#[test]
fn without_a_verdict_three_refused_alike_open_it_and_fewer_do_not() {
    for mut bench in [Bench::new(), Bench::with_mute_witnesses()] {
        bench.refused("a");
        bench.refused("b");
        bench.tried("other", Err((REFUSED, "Another")));
        assert_eq!(bench.cause(), None);
        bench.refused("c");
        assert_eq!(bench.cause(), Some(MailCause::Refused));
    }
}

#[test]
fn an_acceptance_begins_the_count_of_those_refused_alike_again() {
    let mut bench = Bench::new();
    for round in 0..10 {
        bench.refused(&format!("a-{round}"));
        bench.refused(&format!("b-{round}"));
        bench.tried("good", Ok(()));
        assert_eq!(bench.cause(), None);
    }
}

#[test]
fn without_a_verdict_one_that_is_refused_for_long_enough_is_at_fault() {
    for mut bench in [Bench::new(), Bench::with_mute_witnesses()] {
        let began = bench.now;
        assert_eq!(bench.refused("bad"), Sent::Suspected);
        while bench.refused("bad") != Sent::AtFault {
            bench.pass(1);
        }
        assert_eq!(bench.now - began, settings(true).suspect_hold_max);
    }
}

#[test]
fn a_witness_without_a_word_leaves_all_as_it_is_and_three_of_them_are_no_verdict() {
    let throttled = (SendFailureKind::Throttled, "Throttled");
    let failing = (SendFailureKind::Transient, "Failing");
    let unanswered = (SendFailureKind::OutcomeUnknown, "timeout");
    let mut bench = Bench::with_witnesses();
    for key in ["a", "b", "c", "d"] {
        bench.refused(key);
    }
    for word in [throttled, failing] {
        bench.pass(5);
        assert!(bench.witness(Err(word)));
        assert_eq!(bench.cause(), None);
    }
    bench.pass(5);
    assert!(bench.witness(Err(unanswered)));
    assert_eq!(bench.cause(), Some(MailCause::Refused));
}

#[test]
fn recipients_refused_as_unverified_open_it_by_the_sandboxs_name_after_three() {
    let unverified = Err((SendFailureKind::RecipientNotVerified, "MessageRejected"));
    let mut bench = Bench::with_witnesses();
    bench.tried("a", unverified);
    bench.pass(1);
    assert!(bench.witness(Ok(Standing::Limited)));
    bench.tried("b", unverified);
    assert_eq!(bench.cause(), None);
    bench.tried("c", unverified);
    let sandbox = MailCause::Account(AccountCause::Sandbox);
    assert_eq!(bench.cause(), Some(sandbox));
    // The simulator's word says nothing of that: a held message probes.
    for word in [AccountWord::SendsToVerified, AccountWord::Nothing] {
        bench.pass(60);
        assert!(bench.begin_check());
        bench.breaker.end_account_check(word, bench.now);
        assert!(!bench.witness(Ok(Standing::Good)));
        assert_eq!(bench.tried("a", unverified), Sent::Suspected);
    }
}

#[test]
fn a_message_refused_for_itself_keeps_no_account_out_that_has_left_the_sandbox() {
    let unverified = Err((SendFailureKind::RecipientNotVerified, "MessageRejected"));
    let refused = Err((REFUSED, "Code"));
    let sandbox = Some(MailCause::Account(AccountCause::Sandbox));
    let mut bench = Bench::with_witnesses();
    let asked = |bench: &mut Bench, word| {
        bench.pass(60);
        // Asked already, and no probe since.
        if bench.begin_check() {
            bench.breaker.end_account_check(word, bench.now);
        }
    };
    let probed = |bench: &mut Bench, word, result| {
        asked(bench, word);
        bench.tried("a", result);
        assert_eq!(bench.cause(), sandbox);
        asked(bench, word);
        bench.witness(Ok(Standing::Good))
    };
    for key in ["a", "b", "c"] {
        bench.tried(key, unverified);
        bench.pass(2);
        bench.witness(Ok(Standing::Limited));
    }
    for (word, result) in [
        (AccountWord::SendsToVerified, refused),
        (AccountWord::Nothing, refused),
        (AccountWord::Sends, unverified),
    ] {
        assert!(!probed(&mut bench, word, result), "{word:?}");
    }
    assert!(probed(&mut bench, AccountWord::Sends, refused));
    assert_eq!(bench.cause(), None);
}

#[test]
fn an_account_that_cannot_be_asked_rejects_three_in_a_row_on_a_witness() {
    let mut bench = Bench::with_witnesses();
    let mut at_fault = 0;
    for number in 0..5 {
        let key = format!("bad-{number}");
        bench.refused(&key);
        bench.pass(2);
        bench.witness(Ok(Standing::Unknown));
        at_fault += usize::from(bench.refused(&key) == Sent::AtFault);
        bench.breaker.forget(&key);
        bench.pass(120);
    }
    assert_eq!(at_fault, 3);
    bench.tried("good", Ok(()));
    bench.refused("bad");
    bench.pass(2);
    bench.witness(Ok(Standing::Unknown));
    assert_eq!(bench.refused("bad"), Sent::AtFault);
}

#[test]
fn a_refusal_to_one_recipient_opens_it_once_and_then_rejects_the_message() {
    let denied = Err((DENIED, "AccessDenied"));
    let mut bench = Bench::with_witnesses();
    assert_eq!(bench.tried("bad", denied), Sent::Suspected);
    let access_denied = MailCause::Account(AccountCause::AccessDenied);
    assert_eq!(bench.cause(), Some(access_denied));
    bench.pass(1);
    assert!(bench.witness(Ok(Standing::Good)));
    assert_eq!(bench.cause(), None);
    bench.pass(1);
    assert_eq!(bench.tried("bad", denied), Sent::AtFault);
    assert_eq!(bench.cause(), None, "it is refuted");
    // For an hour the code opens nothing by its name, but three in a row do.
    bench.tried("other", denied);
    bench.tried("next", denied);
    assert_eq!(bench.cause(), None);
    bench.tried("third", denied);
    assert_eq!(bench.cause(), Some(access_denied));
}

#[test]
fn a_refuted_code_counts_by_its_name_again_after_an_hour() {
    let denied = Err((DENIED, "AccessDenied"));
    let mut bench = Bench::with_witnesses();
    bench.tried("bad", denied);
    bench.pass(1);
    bench.witness(Ok(Standing::Good));
    bench.pass(1);
    assert_eq!(bench.tried("bad", denied), Sent::AtFault);
    bench.pass(3600);
    bench.tried("next", denied);
    assert!(bench.breaker.is_open());
}

#[test]
fn three_bad_ones_that_opened_it_without_a_verdict_do_not_keep_out_the_fourth() {
    let mut bench = Bench::new();
    bench.tried("first", Ok(()));
    for key in ["a", "b", "c"] {
        bench.refused(key);
    }
    assert_eq!(bench.cause(), Some(MailCause::Refused));
    let mut wanted = 0;
    for _ in 0..3 {
        bench.pass(60);
        let tickets = ["a", "b", "c"].map(|key| bench.arrive(key));
        wanted = usize::from(bench.breaker.wants_probe_message(bench.now));
        let turn = tickets
            .iter()
            .find_map(|ticket| bench.ask(*ticket))
            .unwrap();
        let refused = failure(REFUSED, "Code");
        bench
            .breaker
            .report(turn, bench.now, Err(&refused), bench.now);
        for ticket in tickets {
            bench.breaker.leave(ticket);
        }
    }
    assert_eq!(wanted, 0);
    bench.pass(60);
    for key in ["a", "b", "c"] {
        bench.arrive(key);
    }
    assert!(bench.breaker.wants_probe_message(bench.now));
    let fourth = bench.arrive("good");
    let probe = bench.ask(fourth).expect("the untried one probes");
    assert!(bench.report(probe, Ok(())).is_some());
}

#[test]
fn without_witnesses_a_code_that_was_refuted_takes_ten_in_a_row_or_as_many_as_can_be_held() {
    let mut bench = Bench::new();
    bench.tried("first", Ok(()));
    bench.refused("bad");
    bench.pass(1);
    bench.tried("good", Ok(()));
    bench.pass(1);
    assert_eq!(bench.refused("bad"), Sent::AtFault);
    let limit = settings(false).waiting_max.min(10);
    for number in 1..limit {
        bench.refused(&format!("bad-{number}"));
        assert_eq!(bench.cause(), None, "{number}");
    }
    bench.refused("bad-0");
    assert_eq!(bench.cause(), Some(MailCause::Refused));
    // An hour later it takes three again.
    bench.pass(60);
    bench.tried("bad-0", Ok(()));
    assert_eq!(bench.cause(), None);
    bench.pass(3600);
    for key in ["a", "b", "c"] {
        bench.refused(key);
    }
    assert_eq!(bench.cause(), Some(MailCause::Refused));
}

#[test]
fn a_suspect_that_cannot_wait_has_its_witness_at_once() {
    let mut bench = Bench::with_witnesses();
    bench.refused("bad");
    assert!(!bench.witness(Ok(Standing::Good)));
    bench.breaker.hurry("bad");
    assert!(bench.breaker.is_hurried());
    assert!(bench.witness(Ok(Standing::Good)));
    bench.pass(1);
    assert_eq!(bench.refused("bad"), Sent::AtFault);
}

#[test]
fn at_a_low_rate_suspects_are_judged_too() {
    // Ten seconds a mail, and eight suspects that all were refused before the first acceptance.
    let mut bench = Bench::with_witnesses();
    bench.breaker.set_pace(Duration::from_secs(10));
    let keys: Vec<_> = (0..8).map(|number| format!("bad-{number}")).collect();
    for key in &keys {
        bench.refused(key);
        bench.pass(10);
    }
    let mut left = keys.clone();
    for mails in 0.. {
        assert!(mails < 60, "{} are left", left.len());
        if left.is_empty() {
            break;
        }
        if !bench.witness(Ok(Standing::Good)) {
            // All wait; the breaker says who goes.
            let tickets: Vec<_> = left
                .iter()
                .map(|key| (key.clone(), bench.arrive(key)))
                .collect();
            let went = tickets
                .iter()
                .find_map(|(key, ticket)| Some((key, bench.ask(*ticket)?)));
            let judged = went.map(|(key, permission)| {
                let refused = failure(REFUSED, "Code");
                let now = bench.now + Duration::from_secs(10);
                let verdict = bench
                    .breaker
                    .report(permission, bench.now, Err(&refused), now);
                (key.clone(), verdict.at_fault)
            });
            for (_, ticket) in tickets {
                bench.breaker.leave(ticket);
            }
            if let Some((key, true)) = judged {
                left.retain(|other| *other != key);
            }
        }
        bench.pass(10);
    }
}

#[test]
fn of_suspects_that_wait_together_three_are_rejected_on_an_unproven_word() {
    let mut bench = Bench::with_witnesses();
    let keys: Vec<_> = (0..10).map(|number| format!("bad-{number}")).collect();
    for key in &keys {
        bench.refused(key);
    }
    bench.pass(1);
    assert!(bench.witness(Ok(Standing::Unknown)));
    bench.pass(1);
    let sent = keys.iter().map(|key| bench.refused(key));
    let at_fault = sent.filter(|sent| *sent == Sent::AtFault).count();
    assert_eq!(at_fault, 3);
}

#[test]
fn a_code_that_concerned_witnesses_alone_stops_nothing() {
    let mut bench = Bench::with_witnesses();
    bench.refused("a");
    bench.pass(1);
    bench.witness(Err((REFUSED, "Other")));
    bench.pass(1);
    bench.tried("good", Ok(()));
    bench.tried("b", Err((REFUSED, "Other")));
    bench.pass(2);
    assert!(bench.witness(Err((REFUSED, "Other"))));
    assert_eq!(bench.cause(), None);
}

#[test]
fn three_unverified_recipients_open_it_also_where_a_witness_is_accepted() {
    let unverified = Err((SendFailureKind::RecipientNotVerified, "MessageRejected"));
    let mut bench = Bench::with_witnesses();
    for key in ["a", "b", "c"] {
        assert_eq!(bench.tried(key, unverified), Sent::Suspected);
        bench.pass(2);
        bench.witness(Ok(Standing::Unknown));
    }
    let sandbox = MailCause::Account(AccountCause::Sandbox);
    assert_eq!(bench.cause(), Some(sandbox));
}

#[test]
fn suspects_that_are_held_do_not_open_it_again_after_an_acceptance() {
    let mut bench = Bench::new();
    for key in ["a", "b", "c"] {
        bench.refused(key);
    }
    bench.pass(60);
    let probe = bench.begin("good");
    assert!(bench.report(probe, Ok(())).is_some());
    bench.pass(1);
    for key in ["a", "b", "c"] {
        assert_eq!(bench.refused(key), Sent::Suspected);
    }
    assert_eq!(bench.cause(), None);
    bench.pass(1);
    bench.tried("good", Ok(()));
    for key in ["a", "b", "c"] {
        assert_eq!(bench.refused(key), Sent::AtFault);
    }
}

#[test]
fn with_another_template_what_was_accepted_before_proves_nothing() {
    let mut bench = Bench::with_witnesses();
    bench.refused("a");
    bench.pass(1);
    assert!(bench.witness(Ok(Standing::Good)));
    bench.breaker.begin_with_another_template();
    assert_eq!(bench.refused("a"), Sent::Waits);
}

#[test]
fn a_witness_tells_again_once_a_message_was_refused_for_itself() {
    let mut bench = Bench::with_witnesses();
    bench.send("x", Err(UNVERIFIED));
    bench.pass(2);
    assert!(bench.witness(Err((REFUSED, "ForAWhile"))));
    bench.pass(4);
    assert!(!bench.witness(Ok(Standing::Good)), "a message is to tell");
    assert_eq!(bench.refused("bad"), Sent::Suspected);
    bench.pass(10);
    assert!(bench.witness(Ok(Standing::Good)));
    assert_eq!(bench.cause(), None);
}
