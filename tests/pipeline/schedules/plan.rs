//! A schedule: what happens in the world and to the daemons, as data. It is drawn at random, made
//! smaller where it shows a breach, and printed as Rust.

use proptest::prelude::*;

/// How the daemons know which mails were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Memory,
    Feedback,
    Table,
    Both,
}

/// How fast the daemons may send, in recipients per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rate {
    Unlimited,
    PerSecond(u32),
    Account(u32),
}

/// All times are in seconds since the begin, unless said otherwise.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub(super) mode: Mode,
    /// How many daemons begin, each with an empty memory.
    pub(super) daemons: usize,
    pub(super) concurrency: usize,
    /// The queue's `maxReceiveCount`.
    pub(super) receives: u32,
    pub(super) rate: Rate,
    /// Decides which calls a fault hits.
    pub(super) dice: u64,
    pub(super) messages: Vec<Message>,
    pub(super) faults: Vec<Fault>,
    pub(super) deeds: Vec<Deed>,
}

#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) at: u64,
    pub(super) body: Body,
    pub(super) copy: Option<Copy>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    Plain,
    /// To so many recipients.
    Many(u8),
    /// An event without the field `uid`, which some templates need.
    NoUid,
    /// A good event that the mail service refuses whenever it is looked at.
    Unwanted,
    /// No JSON.
    Malformed,
    NoRecipient,
    /// A control message of the topic.
    Control,
}

/// Another copy of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copy {
    /// SQS delivers it again under its id, so many seconds after.
    Again(u64),
    /// SNS delivers the notification again, as another message of the queue.
    Redelivered(u64),
}

/// A trouble that hits so many percent of the calls of its kind within a window of time.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) from: u64,
    pub(super) lasts: u64,
    pub(super) percent: u64,
    pub(super) what: Trouble,
}

/// What may become of a call. `Unheard` has its effect, and its caller is told that it failed. `Late`
/// has its effect so many seconds late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    ReceiveFails,
    ReceiveThrottled,
    /// The messages are taken, and the answer is so many seconds on its way.
    ReceiveSlow(u64),
    ReceiveHangs,
    ReceiveUnheard,
    DeleteFails,
    /// Each entry fails by itself, or not.
    DeletePartial,
    DeleteHangs,
    DeleteLate(u64),
    DeleteUnheard,
    ChangeFails,
    ChangePartial,
    ChangeHangs,
    ChangeLate(u64),
    ChangeUnheard,
    /// The mail goes at once, and the answer comes after so many seconds.
    SendSlow(u64),
    SendLate(u64),
    SendTransient,
    SendThrottled,
    /// Refused with a code that nobody knows.
    SendRefused,
    SendUnverified,
    SendPaused,
    SendQuota,
    SendHangs,
    SendHangsMailed,
    SendUnheard,
    /// The client panics.
    SendPanics,
    FetchFails,
    FetchDenied,
    FetchSlow(u64),
    /// The file is no text.
    FetchGarbage,
    /// The file is a template that needs the field `uid`.
    FetchNeedsUid,
    AccountDenied,
    AccountFails,
    /// The account is in the sandbox.
    AccountSandbox,
    EventLate(u64),
    EventDoubled,
    EventLost,
    /// Another event of the mail comes in place of the one that it was sent.
    EventOther,
    FeedbackDown,
    TableThrottled,
    TableFails,
    /// An answer takes so many milliseconds; the caller waits for a second.
    TableSlow(u64),
    TableDenied,
    TableUnheard,
}

/// Something that is done to a daemon, or to all.
#[derive(Clone, Debug)]
pub(super) struct Deed {
    pub(super) at: u64,
    pub(super) what: Act,
}

/// The number picks one of the daemons that run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Terminate(usize),
    Interrupt(usize),
    Kill(usize),
    /// Another daemon starts, if fewer than three run.
    Start,
    /// All processes stand still for so many seconds, while the services go on.
    Freeze(u64),
    /// `SIGHUP`.
    Reload(usize),
}

use self::Trouble::{
    AccountDenied, AccountFails, AccountSandbox, ChangeFails, ChangeHangs, ChangeLate,
    ChangePartial, ChangeUnheard, DeleteFails, DeleteHangs, DeleteLate, DeletePartial,
    DeleteUnheard, EventDoubled, EventLate, EventLost, EventOther, FeedbackDown, FetchDenied,
    FetchFails, FetchGarbage, FetchNeedsUid, FetchSlow, ReceiveFails, ReceiveHangs, ReceiveSlow,
    ReceiveThrottled, ReceiveUnheard, SendHangs, SendHangsMailed, SendLate, SendPanics, SendPaused,
    SendQuota, SendRefused, SendSlow, SendThrottled, SendTransient, SendUnheard, SendUnverified,
    TableDenied, TableFails, TableSlow, TableThrottled, TableUnheard,
};

impl Schedule {
    pub(super) fn reads_events(&self) -> bool {
        matches!(self.mode, Mode::Feedback | Mode::Both)
    }

    pub(super) fn has_table(&self) -> bool {
        matches!(self.mode, Mode::Table | Mode::Both)
    }

    /// When everything that is planned is over.
    pub(super) fn end(&self) -> u64 {
        let copies = self.messages.iter().map(|message| {
            let later = match message.copy {
                Some(Copy::Again(after) | Copy::Redelivered(after)) => after,
                None => 0,
            };
            message.at + later
        });
        let faults = self.faults.iter().map(|fault| fault.from + fault.lasts);
        let deeds = self.deeds.iter().map(|deed| match deed.what {
            Act::Freeze(seconds) => deed.at + seconds,
            _ => deed.at,
        });
        copies.chain(faults).chain(deeds).max().unwrap_or(0) + 1
    }

    /// Whether a fault for which this holds is planned to begin before this second.
    pub(super) fn has(&self, before: u64, wanted: impl Fn(Trouble) -> bool) -> bool {
        let mut faults = self.faults.iter();
        faults.any(|fault| fault.from <= before && wanted(fault.what))
    }

    /// It as an expression that builds it again.
    pub(super) fn as_rust(&self) -> String {
        let shown = format!("{self:#?}");
        shown
            .replace("messages: [", "messages: vec![")
            .replace("faults: [", "faults: vec![")
            .replace("deeds: [", "deeds: vec![")
    }
}

/// Any schedule. Small ones come often: where little happens, what happened shows best.
pub(super) fn any_schedule() -> impl Strategy<Value = Schedule> {
    let shape = (
        prop_oneof![
            Just(Mode::Memory),
            Just(Mode::Feedback),
            Just(Mode::Table),
            Just(Mode::Both)
        ],
        prop_oneof![4 => Just(1_usize), 2 => Just(2_usize), 1 => Just(3_usize)],
        prop_oneof![Just(32_usize), Just(8_usize), Just(2_usize), Just(1_usize)],
        prop_oneof![3 => Just(2_u32), 1 => Just(3_u32), 1 => Just(4_u32)],
        rate(),
        any::<u64>(),
    );
    shape.prop_flat_map(|(mode, daemons, concurrency, receives, rate, dice)| {
        let troubles = trouble(mode);
        (
            prop::collection::vec(message(), 1..24),
            prop::collection::vec(fault(troubles), 0..6),
            prop::option::weighted(0.2, lapse()),
            prop::collection::vec(deed(), 0..5),
        )
            .prop_map(move |(messages, mut faults, lapse, deeds)| {
                faults.extend(lapse.into_iter().flatten());
                Schedule {
                    mode,
                    daemons,
                    concurrency,
                    receives,
                    rate,
                    dice,
                    messages,
                    faults,
                    deeds,
                }
            })
    })
}

fn rate() -> impl Strategy<Value = Rate> {
    prop_oneof![
        4 => Just(Rate::Unlimited),
        1 => (1_u32..5).prop_map(Rate::PerSecond),
        1 => (1_u32..20).prop_map(Rate::Account),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let body = prop_oneof![
        16 => Just(Body::Plain),
        1 => (2_u8..9).prop_map(Body::Many),
        1 => Just(Body::NoUid),
        1 => Just(Body::Unwanted),
        1 => Just(Body::Malformed),
        1 => Just(Body::NoRecipient),
        1 => Just(Body::Control),
    ];
    let copy = prop_oneof![
        (0_u64..60).prop_map(Copy::Again),
        (0_u64..60).prop_map(Copy::Redelivered)
    ];
    let copy = prop::option::weighted(0.15, copy);
    let at = prop_oneof![Just(0), 0_u64..20, 0_u64..200];
    (at, body, copy).prop_map(|(at, body, copy)| Message { at, body, copy })
}

fn fault(what: BoxedStrategy<Trouble>) -> impl Strategy<Value = Fault> {
    let lasts = prop_oneof![1_u64..30, 1_u64..300];
    let percent = prop_oneof![2 => 5_u64..60, 1 => Just(100)];
    // Most messages come early.
    let from = prop_oneof![0_u64..20, 0_u64..120];
    (from, lasts, percent, what).prop_map(|(from, lasts, percent, what)| Fault {
        from,
        lasts,
        percent,
        what,
    })
}

/// Leases that cannot be renewed end while their messages wait for an answer, or for its event.
fn lapse() -> impl Strategy<Value = [Fault; 2]> {
    let change = plain(&[ChangeFails, ChangeHangs]);
    let send = prop_oneof![2 => Just(SendHangs), 1 => plain(&[SendThrottled, SendPaused])];
    (0_u64..10, 5_u64..45, change, send).prop_map(|(from, lasts, change, send)| {
        [(change, lasts + 60), (send, lasts)].map(|(what, lasts)| Fault {
            from,
            lasts,
            percent: 100,
            what,
        })
    })
}

fn deed() -> impl Strategy<Value = Deed> {
    let what = prop_oneof![
        3 => (0_usize..3).prop_map(Act::Terminate),
        2 => (0_usize..3).prop_map(Act::Interrupt),
        3 => (0_usize..3).prop_map(Act::Kill),
        5 => Just(Act::Start),
        1 => (1_u64..90).prop_map(Act::Freeze),
        1 => (0_usize..3).prop_map(Act::Reload),
    ];
    let at = prop_oneof![0_u64..40, 0_u64..200];
    (at, what).prop_map(|(at, what)| Deed { at, what })
}

/// A trouble that this mode can meet.
fn trouble(mode: Mode) -> BoxedStrategy<Trouble> {
    let queue = prop_oneof![
        plain(&[ReceiveFails, ReceiveThrottled, ReceiveHangs, ReceiveUnheard]),
        (1_u64..30).prop_map(ReceiveSlow),
        plain(&[DeleteFails, DeletePartial, DeleteHangs, DeleteUnheard]),
        (1_u64..20).prop_map(DeleteLate),
        plain(&[ChangeFails, ChangePartial, ChangeHangs, ChangeUnheard]),
        (1_u64..20).prop_map(ChangeLate),
    ];
    let mail = prop_oneof![
        2 => (1_u64..25).prop_map(SendSlow),
        1 => (1_u64..25).prop_map(SendLate),
        2 => plain(&[SendTransient, SendThrottled, SendPanics]),
        2 => plain(&[SendRefused, SendUnverified, SendPaused, SendQuota]),
        5 => plain(&[SendHangs, SendHangsMailed, SendUnheard]),
    ];
    let rest = prop_oneof![
        plain(&[FetchFails, FetchDenied, FetchGarbage, FetchNeedsUid]),
        (1_u64..20).prop_map(FetchSlow),
        plain(&[AccountDenied, AccountFails, AccountSandbox]),
    ];
    let event = prop_oneof![
        (1_u64..50).prop_map(EventLate),
        plain(&[EventDoubled, EventLost, EventOther, FeedbackDown]),
    ];
    let table = prop_oneof![
        plain(&[TableThrottled, TableFails, TableDenied, TableUnheard]),
        (1_u64..1500).prop_map(TableSlow),
    ];
    let common = prop_oneof![4 => queue, 5 => mail, 1 => rest].boxed();
    match mode {
        Mode::Memory => common,
        Mode::Feedback => prop_oneof![3 => common, 1 => event].boxed(),
        Mode::Table => prop_oneof![3 => common, 1 => table].boxed(),
        Mode::Both => prop_oneof![4 => common, 1 => event, 1 => table].boxed(),
    }
}

fn plain(of: &'static [Trouble]) -> impl Strategy<Value = Trouble> {
    prop::sample::select(of)
}
