//! Tasks that keep the pipeline up to date with its template, its account and its queue.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};
use tokio_util::task::JoinMap;
use tracing::{info, warn};

use super::{
    breaker::{AccountWord, MailGate},
    gates::Gates,
    rate::Limiter,
    receive_limit::ReceiveLimit,
};
use crate::{
    ports::{Account, AccountFacts, EnforcementStatus, Queue},
    template_store::Knowledge,
};

/// How often the account is read.
const ACCOUNT_EVERY: Duration = Duration::from_mins(5);
/// How often the queue's redrive policy is read.
const QUEUE_EVERY: Duration = Duration::from_mins(5);

/// Spawns them, each by its name.
pub(super) fn spawn(
    tasks: &mut JoinMap<&'static str, ()>,
    gates: &Arc<Gates>,
    templates: watch::Receiver<Knowledge>,
    limiter: &Arc<Limiter>,
    account: Arc<dyn Account>,
    (receive_limit, queue): (&Arc<ReceiveLimit>, Arc<dyn Queue>),
) {
    let follower = follow_template(Arc::clone(gates), templates);
    tasks.spawn("template's follower", follower);
    let reader = follow_account(Arc::clone(limiter), Arc::clone(&account));
    tasks.spawn("account's reader", reader);
    let check = ask_account(Arc::clone(&gates.mail), account);
    tasks.spawn("account's check", check);
    let reader = follow_queue(Arc::clone(receive_limit), queue);
    tasks.spawn("queue's reader", reader);
}

/// Tells the gates what the template's store finds.
async fn follow_template(gates: Arc<Gates>, mut templates: watch::Receiver<Knowledge>) {
    let mut before = Knowledge::default();
    loop {
        let now = templates.borrow_and_update().clone();
        gates.template_changed(&before, &now);
        if let (Some(old), Some(new)) = (&before.in_force, &now.in_force)
            && old.version.blob_id != new.version.blob_id
        {
            info!("messages are rendered with the new template from now on");
        }
        before = now;
        if templates.changed().await.is_err() {
            return;
        }
    }
}

/// Reads the account's rate now and then.
async fn follow_account(limiter: Arc<Limiter>, account: Arc<dyn Account>) {
    loop {
        sleep(ACCOUNT_EVERY).await;
        if let Ok(facts) = account.facts().await {
            limiter.account_rate(facts.max_send_rate);
        }
    }
}

/// Reads now and then after how many receives the queue dead-letters a message.
async fn follow_queue(limit: Arc<ReceiveLimit>, queue: Arc<dyn Queue>) {
    loop {
        sleep(QUEUE_EVERY).await;
        // Receives and deletes tell of a queue that cannot be asked.
        let Ok(facts) = queue.describe().await else {
            continue;
        };
        let max = facts.redrive.map(|redrive| redrive.max_receive_count);
        if limit.set(max) {
            let policy = match max {
                Some(max) => format!("dead-letters a message after {max} receives"),
                None => "has no redrive policy".to_owned(),
            };
            info!("the queue {policy} from now on");
        }
    }
}

/// Asks the account before a probe, if its answer can spare a message from being the probe.
async fn ask_account(mail: Arc<MailGate>, account: Arc<dyn Account>) {
    loop {
        mail.account_check().await;
        let word = match account.facts().await {
            Ok(facts) if !may_send(&facts) => AccountWord::Refuses,
            Ok(facts) if facts.production_access => AccountWord::Sends,
            Ok(_) => AccountWord::SendsToVerified,
            Err(failure) => {
                warn!(
                    error.r#type = failure.error.code,
                    "the state of the SES account cannot be read, and a mail tries whether it \
                     sends again: {failure}"
                );
                AccountWord::Nothing
            }
        };
        mail.account_checked(word);
    }
}

fn may_send(facts: &AccountFacts) -> bool {
    facts.sending_enabled
        && facts.enforcement_status != EnforcementStatus::Shutdown
        && facts.is_within_quota()
}
