//! Schedules that are played each time, whatever is drawn.

use super::{
    holds,
    plan::{
        Act::Kill,
        Body::Plain,
        Deed, Fault, Message,
        Mode::Both,
        Rate::Unlimited,
        Schedule,
        Trouble::{FeedbackDown, SendHangsMailed},
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
        messages: vec![Message {
            at: 5,
            body: Plain,
            copy: None,
        }],
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
