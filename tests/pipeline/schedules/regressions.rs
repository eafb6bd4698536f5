//! Schedules that are played each time, whatever is drawn.

use super::{
    holds,
    plan::{
        Act::{Freeze, Interrupt, Kill, Start, Terminate},
        Body::{self, Malformed, Many, Plain, Unwanted},
        Deed, Fault, Message,
        Mode::{Both, Feedback, Memory, Table},
        Rate::{PerSecond, Unlimited},
        Schedule,
        Trouble::{
            AccountSandbox, ChangeFails, ChangeHangs, FeedbackDown, SendHangs, SendHangsMailed,
            SendPaused, SendRefused, SendThrottled, SendUnverified, TableSlow, TableUnheard,
        },
    },
};

#[test]
fn what_a_killed_daemon_may_have_mailed_is_left_to_its_event() {
    holds(&Schedule {
        mode: Both,
        daemons: 2,
        concurrency: 8,
        receives: 3,
        rate: Unlimited,
        dice: 1,
        messages: vec![message(5, Plain)],
        faults: vec![
            Fault {
                from: 5,
                lasts: 5,
                percent: 100,
                what: SendHangsMailed,
            },
            Fault {
                from: 5,
                lasts: 40,
                percent: 50,
                what: FeedbackDown,
            },
        ],
        deeds: vec![Deed {
            at: 8,
            what: Kill(0),
        }],
    });
}

#[test]
fn a_stop_that_the_process_slept_through_leaves_no_message_without_an_outcome() {
    holds(&Schedule {
        mode: Table,
        daemons: 2,
        concurrency: 1,
        receives: 2,
        rate: PerSecond(4),
        dice: 2_863_073_044_781_254_642,
        messages: [0, 0, 0, 0, 3].map(|at| message(at, Plain)).to_vec(),
        faults: vec![
            Fault {
                from: 64,
                lasts: 231,
                percent: 14,
                what: TableSlow(1265),
            },
            Fault {
                from: 2,
                lasts: 82,
                percent: 100,
                what: ChangeFails,
            },
            Fault {
                from: 2,
                lasts: 22,
                percent: 100,
                what: SendHangs,
            },
        ],
        deeds: vec![
            Deed {
                at: 25,
                what: Start,
            },
            Deed {
                at: 23,
                what: Freeze(41),
            },
            Deed {
                at: 18,
                what: Terminate(0),
            },
        ],
    });
}

#[test]
fn a_line_of_another_daemon_hides_no_refusal_from_the_judge() {
    holds(&Schedule {
        mode: Both,
        daemons: 2,
        concurrency: 2,
        receives: 4,
        rate: Unlimited,
        dice: 15_644_791_046_672_004_323,
        messages: vec![message(6, Plain), message(0, Unwanted)],
        faults: vec![
            Fault {
                from: 3,
                lasts: 83,
                percent: 100,
                what: ChangeFails,
            },
            Fault {
                from: 3,
                lasts: 23,
                percent: 100,
                what: SendThrottled,
            },
        ],
        deeds: vec![Deed {
            at: 8,
            what: Freeze(75),
        }],
    });
}

#[test]
fn the_only_message_left_is_rejected_though_it_was_refused_after_the_sandbox() {
    holds(&Schedule {
        mode: Both,
        daemons: 1,
        concurrency: 1,
        receives: 4,
        rate: PerSecond(1),
        dice: 7_883_836_085_045_478_082,
        messages: vec![
            message(0, Plain),
            message(0, Plain),
            message(0, Plain),
            message(0, Plain),
            message(0, Unwanted),
        ],
        faults: vec![
            Fault {
                from: 3,
                lasts: 11,
                percent: 100,
                what: SendUnverified,
            },
            Fault {
                from: 3,
                lasts: 94,
                percent: 100,
                what: ChangeHangs,
            },
            Fault {
                from: 3,
                lasts: 34,
                percent: 100,
                what: SendThrottled,
            },
        ],
        deeds: vec![
            Deed {
                at: 17,
                what: Start,
            },
            Deed {
                at: 21,
                what: Start,
            },
            Deed {
                at: 106,
                what: Interrupt(1),
            },
        ],
    });
}

#[test]
fn a_start_that_waited_for_its_queue_asks_the_table_again() {
    holds(&Schedule {
        mode: Table,
        daemons: 1,
        concurrency: 32,
        receives: 2,
        rate: Unlimited,
        dice: 5_394_847_270_659_909_394,
        messages: vec![message(0, Plain)],
        faults: vec![
            Fault {
                from: 0,
                lasts: 1,
                percent: 20,
                what: SendRefused,
            },
            Fault {
                from: 6,
                lasts: 123,
                percent: 53,
                what: TableSlow(428),
            },
            Fault {
                from: 2,
                lasts: 48,
                percent: 100,
                what: TableUnheard,
            },
            Fault {
                from: 1,
                lasts: 102,
                percent: 100,
                what: ChangeFails,
            },
            Fault {
                from: 1,
                lasts: 42,
                percent: 100,
                what: SendHangs,
            },
        ],
        deeds: vec![
            Deed {
                at: 34,
                what: Kill(0),
            },
            Deed {
                at: 178,
                what: Terminate(2),
            },
            Deed {
                at: 18,
                what: Interrupt(2),
            },
            Deed {
                at: 21,
                what: Start,
            },
        ],
    });
}

#[test]
fn bad_messages_alone_do_not_keep_out_an_account_that_has_left_the_sandbox() {
    holds(&Schedule {
        mode: Feedback,
        daemons: 1,
        concurrency: 2,
        receives: 3,
        rate: PerSecond(4),
        dice: 12_941_228_180_300_079_474,
        messages: [0, 47, 0].map(|at| message(at, Unwanted)).to_vec(),
        faults: vec![Fault {
            from: 0,
            lasts: 94,
            percent: 100,
            what: AccountSandbox,
        }],
        deeds: vec![Deed { at: 0, what: Start }],
    });
}

#[test]
fn mails_that_waited_for_their_leases_keep_to_the_rate() {
    let bodies = [
        (0, Plain),
        (0, Plain),
        (0, Malformed),
        (11, Many(4)),
        (0, Plain),
        (0, Plain),
        (0, Plain),
    ];
    let fault = |from, lasts, percent, what| Fault {
        from,
        lasts,
        percent,
        what,
    };
    holds(&Schedule {
        mode: Memory,
        daemons: 3,
        concurrency: 8,
        receives: 4,
        rate: PerSecond(1),
        dice: 11_566_420_242_387_823_561,
        messages: bodies.map(|(at, body)| message(at, body)).to_vec(),
        faults: vec![
            fault(13, 77, 55, SendRefused),
            fault(4, 83, 100, ChangeHangs),
            fault(4, 23, 100, SendPaused),
        ],
        deeds: vec![Deed {
            at: 31,
            what: Freeze(51),
        }],
    });
}

fn message(at: u64, body: Body) -> Message {
    Message {
        at,
        body,
        copy: None,
    }
}
