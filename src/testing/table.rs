//! A table of sent mails in memory, on tokio's time: what an item admits, as plain values, and a port
//! over it that fails as told.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Mutex,
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use crate::ports::{
    CallError,
    table::{
        Claim, Claimed, ClockDifference, Drops, Known, LedgerTable, SentMail, TableFacts,
        TableFailure, TableFailureKind,
    },
};

/// What stands in the table of one mail.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Item {
    Sending { owner: String, until: Instant },
    Sent { email_id: String },
}

/// A claim as it is written: the moments are those of its writer, which it read from the table's clock.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Put {
    pub(crate) owner: String,
    pub(crate) earlier: Vec<String>,
    pub(crate) now: Instant,
    pub(crate) until: Instant,
}

impl Put {
    /// Writes the claim where the condition admits it.
    pub(crate) fn write(&self, item: &mut Option<Item>) -> Claimed {
        let is_ours = |owner: &String| *owner == self.owner || self.earlier.contains(owner);
        let taken_over = match item {
            None => false,
            Some(Item::Sent { email_id }) => {
                return Claimed::Sent {
                    email_id: Some(email_id.clone()),
                };
            }
            Some(Item::Sending { owner, until }) => {
                if !is_ours(owner) && *until >= self.now {
                    return Claimed::Sending {
                        remaining: until.duration_since(self.now),
                    };
                }
                !is_ours(owner)
            }
        };
        *item = Some(Item::Sending {
            owner: self.owner.clone(),
            until: self.until,
        });
        Claimed::Ours { taken_over }
    }
}

/// Takes a claim back where one of these stands.
pub(crate) fn take_back(item: &mut Option<Item>, owners: &[String]) {
    if let Some(Item::Sending { owner, .. }) = item
        && owners.contains(owner)
    {
        *item = None;
    }
}

/// The port.
#[derive(Default)]
pub(crate) struct TableInMemory {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    items: HashMap<String, Item>,
    calls: BTreeMap<&'static str, usize>,
    /// How calls fail: all, or those of one name.
    failing: Option<(Option<&'static str>, TableFailureKind)>,
    /// So many calls have their effect and no answer.
    lost_answers: usize,
    /// Batches take only so many.
    batch_takes: Option<usize>,
    latency: Duration,
    wrong_key: Option<String>,
    clock: Option<ClockDifference>,
    batches: Vec<usize>,
}

impl TableInMemory {
    /// What stands there of the mail whose key begins like this.
    pub(crate) fn item(&self, key: &str) -> Option<Item> {
        let state = self.lock();
        let mut items = state.items.iter();
        let found = items.find(|(of, _)| of.starts_with(key));
        found.map(|(_, item)| item.clone())
    }

    /// Another task records the mail whose key begins like this.
    pub(crate) fn others_record(&self, key: &str, email_id: &str) {
        let email_id = email_id.to_owned();
        let mut state = self.lock();
        let found = state.items.iter_mut().find(|(of, _)| of.starts_with(key));
        *found.expect("it was claimed").1 = Item::Sent { email_id };
    }

    /// How often a call was made, by the service's name for it.
    pub(crate) fn calls(&self, name: &str) -> usize {
        self.lock().calls.get(name).copied().unwrap_or(0)
    }

    /// How many mails each batch of records held.
    pub(crate) fn batches(&self) -> Vec<usize> {
        self.lock().batches.clone()
    }

    /// Every call fails like this from now on, or none does.
    pub(crate) fn fail(&self, kind: impl Into<Option<TableFailureKind>>) {
        self.lock().failing = kind.into().map(|kind| (None, kind));
    }

    /// The same of one call.
    pub(crate) fn fail_only(&self, name: &'static str, kind: TableFailureKind) {
        self.lock().failing = Some((Some(name), kind));
    }

    pub(crate) fn lose_answers(&self, count: usize) {
        self.lock().lost_answers = count;
    }

    pub(crate) fn batches_take(&self, most: impl Into<Option<usize>>) {
        self.lock().batch_takes = most.into();
    }

    pub(crate) fn answer_after(&self, latency: Duration) {
        self.lock().latency = latency;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no test panics with it")
    }

    /// Its key is this and not as it must be.
    pub(crate) fn has_key(&self, key: &str) {
        self.lock().wrong_key = Some(key.to_owned());
    }

    /// Our clock is so far from its own.
    pub(crate) fn differs_by(&self, clock: ClockDifference) {
        self.lock().clock = Some(clock);
    }

    async fn call<T>(
        &self,
        name: &'static str,
        effect: impl FnOnce(&mut State) -> T,
    ) -> Result<T, TableFailure> {
        let latency = {
            let mut state = self.lock();
            *state.calls.entry(name).or_default() += 1;
            state.latency
        };
        if !latency.is_zero() {
            sleep(latency).await;
        }
        let mut state = self.lock();
        if let Some((which, kind)) = state.failing
            && which.is_none_or(|which| which == name)
        {
            return Err(failure(name, kind));
        }
        let answer = effect(&mut state);
        if state.lost_answers > 0 {
            state.lost_answers -= 1;
            return Err(failure(name, TableFailureKind::Transient));
        }
        Ok(answer)
    }
}

fn failure(operation: &'static str, kind: TableFailureKind) -> TableFailure {
    TableFailure::new(
        kind,
        CallError {
            operation,
            code: "InternalServerError".to_owned(),
            message: "out of order".to_owned(),
            request_id: None,
            obstacle: None,
            source: None,
        },
    )
}

fn known(item: &Item) -> Known {
    match item {
        Item::Sent { email_id } => Known::Sent {
            email_id: Some(email_id.clone()),
        },
        Item::Sending { until, .. } => Known::Sending {
            remaining: until.duration_since(Instant::now()),
        },
    }
}

#[async_trait]
impl LedgerTable for TableInMemory {
    fn name(&self) -> &'static str {
        "mails"
    }

    async fn describe(&self) -> Result<TableFacts, TableFailure> {
        self.call("DescribeTable", |state| TableFacts {
            wrong_key: state.wrong_key.clone(),
            not_ready: None,
            drops_by: Drops::Expired,
        })
        .await
    }

    async fn prove_rights(&self) -> Vec<TableFailure> {
        self.call("PutItem", |_| ())
            .await
            .err()
            .into_iter()
            .collect()
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<Claimed, TableFailure> {
        let now = Instant::now();
        let put = Put {
            owner: claim.owner.to_owned(),
            earlier: claim.earlier.to_vec(),
            now,
            until: now + claim.lasts,
        };
        self.call("PutItem", |state| {
            let mut item = state.items.remove(claim.key);
            let claimed = put.write(&mut item);
            if let Some(item) = item {
                state.items.insert(claim.key.to_owned(), item);
            }
            claimed
        })
        .await
    }

    async fn drop_claim(&self, key: &str, owners: &[String]) -> Result<(), TableFailure> {
        self.call("DeleteItem", |state| {
            let mut item = state.items.remove(key);
            take_back(&mut item, owners);
            if let Some(item) = item {
                state.items.insert(key.to_owned(), item);
            }
        })
        .await
    }

    async fn record(&self, sent: &[SentMail]) -> Result<Vec<usize>, TableFailure> {
        self.call("BatchWriteItem", |state| {
            state.batches.push(sent.len());
            let takes = state.batch_takes.unwrap_or(sent.len());
            for mail in sent.iter().take(takes) {
                let email_id = mail.email_id.clone();
                state
                    .items
                    .insert(mail.key.clone(), Item::Sent { email_id });
            }
            (takes.min(sent.len())..sent.len()).collect()
        })
        .await
    }

    async fn look(&self, key: &str) -> Result<Option<Known>, TableFailure> {
        self.call("GetItem", |state| state.items.get(key).map(known))
            .await
    }

    async fn look_at_all(&self, keys: &[String]) -> Result<Vec<Option<Known>>, TableFailure> {
        self.call("BatchGetItem", |state| {
            let of = |key: &String| state.items.get(key).map(known);
            keys.iter().map(of).collect()
        })
        .await
    }

    fn clock(&self) -> Option<ClockDifference> {
        self.lock().clock
    }
}
