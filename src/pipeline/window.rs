//! How many messages may be held at once, and how many mails may be under way.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, timeout_at},
};

use super::breaker::DISTINCT_FAILURES_LIMIT;
use crate::{backoff::LONGEST_DELAY, mutex::Mutex, ports::BATCH_MAX};

/// At most this many messages that are being deleted do not count as held: what the settler has
/// under way when it keeps up.
const SETTLING_NOT_COUNTED_MAX: usize = 40;
/// Where all that are held wait for a word from outside, one more is held so long after the last of them
/// began to wait, and twice as long for each one that is too many. The word mostly comes sooner: a
/// witness is sent a second after a refusal.
const ANOTHER_AFTER: Duration = Duration::from_secs(2);

/// The window of a pipeline. Its size is how many mails may be under way: one at boot and after
/// each [`shrink`](Window::shrink), then twice as many with each mail that is accepted, up to
/// `concurrency`. So a deploy during an outage, or a crash loop, costs one message a receive and not
/// as many as there are workers; and after an outage what was held is not sent all at once.
///
/// While it grows as many messages may be held as mails may be under way, and after a success as many
/// as are held then: those that stay may be stubborn, and must not keep all others out.
///
/// At its full size the window also holds a fifth more, so that there is always a message ready when
/// a send ends, and as many again, up to 40, that are in their first delete. It does so only while
/// deletes work: until a first message is deleted, and from a delete that fails to the next one that
/// works, it holds `concurrency` messages and counts all of them. So deletes that keep failing stop
/// the receiving.
///
/// As many as `concurrency` that wait for a word from outside are held beside it. More of them take its
/// places. Where they have taken the last one, there is place for one more now and then: it may be
/// accepted, and so bring the word that the others wait for.
#[derive(Debug)]
pub struct Window {
    state: Mutex<State>,
    changes: watch::Sender<()>,
    /// A slot for each send, those that began before the last shrink included.
    slots: Arc<Semaphore>,
}

/// The right to hold one message. Dropping it frees the place.
#[derive(Debug)]
pub struct Place {
    window: Arc<Window>,
    settling: bool,
}

/// The right to have one mail under way. Dropping it makes room for the next and proves nothing.
#[derive(Debug)]
pub struct Sending {
    window: Arc<Window>,
    /// The window's own slots as they were when the send began: after a shrink it has others.
    slots_then: Arc<Semaphore>,
    /// Both are only held for their drop.
    _slots: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

#[derive(Debug)]
struct State {
    concurrency: usize,
    /// How many sends may be under way that began since the last shrink.
    size: usize,
    /// How many messages may be held while the window grows.
    limit: usize,
    /// As many slots as the size says.
    slots: Arc<Semaphore>,
    /// Whether a message has been deleted, and no delete has failed since.
    deletes_work: bool,
    /// How many places are taken.
    held: usize,
    settling: usize,
    /// How many of those held are not on their way to the mail service.
    aside: usize,
    /// How many of those held are held beside the window.
    beside: usize,
    /// How many of these are so for moments only.
    briefly: usize,
    /// When more than before began to wait beside the window for longer than moments.
    waits_since: Option<Instant>,
    /// How many did then and are still held. One that tries in between and waits on begins nothing anew.
    waited: usize,
}

/// A held message that is not on its way to the mail service, until dropped: it settles, or waits for
/// a template, its twin or a verdict.
#[derive(Debug)]
pub struct Aside<'a>(&'a Window);

/// A held message that waits for a word from outside, until dropped: whose fault it is that it was
/// refused, or whether it was sent. It is held beside the window, so that the others go on meanwhile,
/// and can show whose fault it is.
#[derive(Debug)]
pub struct Beside<'a> {
    window: &'a Window,
    briefly: bool,
}

impl Window {
    /// A window of size one that grows up to `concurrency` sends at once, at least one.
    pub fn new(concurrency: usize) -> Arc<Self> {
        let concurrency = concurrency.max(1);
        Arc::new(Self {
            state: Mutex::new(State {
                concurrency,
                size: 1,
                limit: 1,
                slots: Arc::new(Semaphore::new(1)),
                deletes_work: false,
                held: 0,
                settling: 0,
                aside: 0,
                beside: 0,
                briefly: 0,
                waits_since: None,
                waited: 0,
            }),
            changes: watch::Sender::new(()),
            slots: Arc::new(Semaphore::new(concurrency)),
        })
    }

    /// Waits until a message may be held, and takes places for as many as may, up to `max`; at
    /// least one. Those not needed are freed by dropping them. Of several that wait any may be
    /// served. The wait may be dropped at any moment and then holds nothing.
    pub async fn hold(self: &Arc<Self>, max: usize) -> Vec<Place> {
        let hold = |state: &mut State, now| Some(state.hold(max, now)).filter(|count| *count > 0);
        let count = self.wait_for(hold).await;
        self.places(count)
    }

    /// Waits until one more message may be held.
    pub async fn room_for_one(&self) {
        let free = |state: &mut State, now| (state.free(now) > 0).then_some(());
        self.wait_for(free).await;
    }

    /// Waits until enough messages may be held for a receive of up to `max` that is worth its call:
    /// one after another would cost a call for each message. While the window grows, and where none
    /// is held, one is enough.
    pub async fn room_worth_a_receive(&self, max: usize) {
        let worth_it = |state: &mut State, now| state.is_worth_a_receive(max, now).then_some(());
        self.wait_for(worth_it).await;
    }

    /// Waits until `look` finds something.
    async fn wait_for<T>(&self, mut look: impl FnMut(&mut State, Instant) -> Option<T>) -> T {
        // Subscribed before the first look, so that no place is freed unseen between the two.
        let mut changes = self.changes.subscribe();
        loop {
            // One time for both, so that none passes between them.
            let now = Instant::now();
            let due = {
                let mut state = self.state.lock();
                if let Some(found) = look(&mut state, now) {
                    return found;
                }
                state.another_at().filter(|at| *at > now)
            };
            // The sender lives as long as this window, so that a change is never an error.
            match due {
                Some(at) => drop(timeout_at(at, changes.changed()).await),
                None => drop(changes.changed().await),
            }
        }
    }

    /// Takes places for as many messages as may be held, up to `max`, which counts as at least one;
    /// none where none may.
    pub fn try_hold(self: &Arc<Self>, max: usize) -> Vec<Place> {
        let count = self.state.lock().hold(max, Instant::now());
        self.places(count)
    }

    fn places(self: &Arc<Self>, count: usize) -> Vec<Place> {
        std::iter::repeat_with(|| self.place())
            .take(count)
            .collect()
    }

    /// Takes a place even where the limit allows none, and one more than the full size has: for
    /// a probe, when what is held may itself be at fault.
    pub fn try_hold_beyond(self: &Arc<Self>) -> Option<Place> {
        let mut state = self.state.lock();
        if state.is_exceeded() {
            return None;
        }
        state.held += 1;
        drop(state);
        Some(self.place())
    }

    /// Whether [`Window::try_hold_beyond`] would give a place.
    pub fn has_room_beyond(&self) -> bool {
        !self.state.lock().is_exceeded()
    }

    fn place(self: &Arc<Self>) -> Place {
        Place {
            window: Arc::clone(self),
            settling: false,
        }
    }

    /// Waits until one more mail may be under way, first come, first served. The wait may be
    /// dropped at any moment and then holds nothing.
    pub async fn send(self: &Arc<Self>) -> Sending {
        let Ok(all) = Arc::clone(&self.slots).acquire_owned().await else {
            // Nobody closes these slots.
            return std::future::pending().await;
        };
        loop {
            let slots_then = Arc::clone(&self.state.lock().slots);
            // A shrink closes the slots that it replaces, so tasks that waited there ask for new
            // ones.
            if let Ok(one) = Arc::clone(&slots_then).acquire_owned().await {
                return Sending {
                    window: Arc::clone(self),
                    slots_then,
                    _slots: (all, one),
                };
            }
        }
    }

    /// Doubles the size: a mail was accepted.
    pub fn grow(&self) {
        let mut state = self.state.lock();
        let size = state.size.saturating_mul(2).min(state.concurrency);
        let limit = state.limit.saturating_mul(2).max(state.held);
        let limit = limit.min(state.concurrency);
        // At full size a success changes nothing, and nobody needs to be woken for it.
        if (size, limit) == (state.size, state.limit) {
            return;
        }
        state.slots.add_permits(size - state.size);
        (state.size, state.limit) = (size, limit);
        drop(state);
        self.changes.send_replace(());
    }

    /// Begins again with one, as after a breaker closed. Places that are taken stay valid, and none
    /// is free until fewer are held than the limit allows. Sends that are under way go on; they no
    /// longer count, and their success no longer proves anything.
    pub fn shrink(&self) {
        let mut state = self.state.lock();
        state.size = 1;
        state.limit = 1;
        let replaced = std::mem::replace(&mut state.slots, Arc::new(Semaphore::new(1)));
        drop(state);
        replaced.close();
    }

    /// How many places are taken, which after a shrink may be more than the limit.
    pub fn held(&self) -> usize {
        self.state.lock().held
    }

    /// Takes in that a held message is not on its way to the mail service for a while.
    pub fn step_aside(&self) -> Aside<'_> {
        self.state.lock().aside += 1;
        Aside(self)
    }

    /// Takes in that a held message waits for a word from outside. At most once at a time for each.
    pub fn hold_beside(&self) -> Beside<'_> {
        self.beside(false)
    }

    /// The same where that word comes or is given up within moments. The places beside the window have
    /// room for `concurrency` of these; the next one waits.
    pub fn hold_briefly_beside(&self) -> Beside<'_> {
        self.beside(true)
    }

    fn beside(&self, briefly: bool) -> Beside<'_> {
        let mut state = self.state.lock();
        state.beside += 1;
        state.briefly += usize::from(briefly);
        let lasting = state.lasting();
        if lasting > state.waited {
            state.waited = lasting;
            state.waits_since = Some(Instant::now());
        }
        drop(state);
        self.changes.send_replace(());
        Beside {
            window: self,
            briefly,
        }
    }

    /// How many messages are held that do not wait for a word from outside.
    pub fn held_in_good_faith(&self) -> usize {
        self.state.lock().others()
    }

    /// How many places are taken whose messages are on their way to the mail service, or still to be
    /// received.
    pub fn on_the_way(&self) -> usize {
        let state = self.state.lock();
        state.held.saturating_sub(state.aside)
    }

    /// How many of the messages held are not on their way to the mail service.
    pub fn aside(&self) -> usize {
        self.state.lock().aside
    }

    /// How many messages may be held while the window grows; at full size, how many mails may be
    /// under way.
    pub fn limit(&self) -> usize {
        self.state.lock().limit
    }
}

/// What is left of the right to have one mail under way once the answer did not come: an event may
/// still show that the mail was accepted.
#[derive(Debug)]
pub struct Unanswered {
    window: Arc<Window>,
    slots_then: Arc<Semaphore>,
}

impl Unanswered {
    /// The mail was accepted after all: the window grows, unless it has shrunk since the send began.
    pub fn accepted(self) {
        if Arc::ptr_eq(&self.slots_then, &self.window.state.lock().slots) {
            self.window.grow();
        }
    }
}

impl Sending {
    /// The answer did not come: there is room for the next.
    pub fn unanswered(self) -> Unanswered {
        Unanswered {
            window: Arc::clone(&self.window),
            slots_then: Arc::clone(&self.slots_then),
        }
    }

    /// The mail was accepted: the window grows, unless it has shrunk since the send began.
    pub fn accepted(self) {
        self.unanswered().accepted();
    }
}

impl Place {
    /// Whether the message only waits for its delete, and the delete has not failed yet. A place
    /// that is freed meanwhile means that a delete worked.
    pub fn set_settling(&mut self, settling: bool) {
        if self.settling == settling {
            return;
        }
        self.settling = settling;
        let mut state = self.window.state.lock();
        if settling {
            state.settling += 1;
        } else {
            state.settling = state.settling.saturating_sub(1);
            state.deletes_work = false;
        }
        drop(state);
        self.window.changes.send_replace(());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.window.state.lock();
        state.held = state.held.saturating_sub(1);
        state.waited = state.waited.min(state.lasting());
        if self.settling {
            state.settling = state.settling.saturating_sub(1);
            state.deletes_work = true;
        }
        drop(state);
        self.window.changes.send_replace(());
    }
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.aside = state.aside.saturating_sub(1);
    }
}

impl Drop for Beside<'_> {
    fn drop(&mut self) {
        let mut state = self.window.state.lock();
        state.beside = state.beside.saturating_sub(1);
        state.briefly = state.briefly.saturating_sub(usize::from(self.briefly));
    }
}

impl State {
    fn is_full_size(&self) -> bool {
        self.size == self.concurrency
    }

    /// Takes places for as many as are free, up to `max`, which counts as at least one.
    fn hold(&mut self, max: usize, now: Instant) -> usize {
        let count = self.free(now).min(max.max(1));
        self.held += count;
        count
    }

    fn free(&self, now: Instant) -> usize {
        let free = if self.holds_ahead() {
            self.total().saturating_sub(self.counted())
        } else {
            self.limit.saturating_sub(self.but_for_those_beside())
        };
        let another = self.another_at().is_some_and(|at| at <= now);
        free.max(usize::from(another))
    }

    /// When one more may be held although there is no room, if all that are held wait. While fewer wait than
    /// open a breaker it may come at once, so that an outage is seen at any size.
    fn another_at(&self) -> Option<Instant> {
        let since = self.waits_since?;
        if self.others() + self.briefly > 0 {
            return None;
        }
        if self.beside < DISTINCT_FAILURES_LIMIT {
            return Some(since);
        }
        let room = if self.holds_ahead() {
            self.total()
        } else {
            self.limit
        };
        let too_many = self.but_for_those_beside().saturating_sub(room);
        let doublings = u32::try_from(too_many).unwrap_or(u32::MAX);
        let pause = ANOTHER_AFTER.saturating_mul(2_u32.saturating_pow(doublings));
        Some(since + pause.min(LONGEST_DELAY))
    }

    /// Whether some are held ready beside those that are being sent.
    fn holds_ahead(&self) -> bool {
        self.is_full_size() && self.deletes_work
    }

    /// How many are held beside it for longer than moments.
    fn lasting(&self) -> usize {
        self.beside.saturating_sub(self.briefly)
    }

    /// How many are held in the window itself.
    fn others(&self) -> usize {
        self.held.saturating_sub(self.beside)
    }

    /// Messages held, not counting up to `concurrency` of those beside the window.
    fn but_for_those_beside(&self) -> usize {
        self.held.saturating_sub(self.beside.min(self.concurrency))
    }

    /// How many are held ready beside those that are being sent.
    fn ahead(&self) -> usize {
        self.concurrency / 5
    }

    fn total(&self) -> usize {
        self.concurrency + self.ahead()
    }

    /// Those held that count: all but some of those that settle.
    fn counted(&self) -> usize {
        let not_counted = self
            .settling
            .min(SETTLING_NOT_COUNTED_MAX)
            .min(self.ahead());
        self.but_for_those_beside().saturating_sub(not_counted)
    }

    /// Whether more are held than the full size has places for, where not all of them are held beside it.
    fn is_exceeded(&self) -> bool {
        self.counted() > self.total() && self.others() > 0
    }

    fn is_worth_a_receive(&self, max: usize, now: Instant) -> bool {
        let enough = if self.is_full_size() && self.held > 0 {
            self.ahead().min(max).clamp(1, BATCH_MAX)
        } else {
            1
        };
        self.free(now) >= enough
    }
}

#[cfg(test)]
mod tests;
