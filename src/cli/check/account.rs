//! The account's standing and quotas at SES.

use super::{
    Target,
    cause::Cause,
    finding::{Finding, Level},
};
use crate::ports::{AccountCause, AccountFacts, EnforcementStatus, SendRate};

/// When this share of the daily quota is used, somebody should know.
const QUOTA_SHARE_NOTABLE: f64 = 0.8;
/// How many seconds a send usually takes.
const USUAL_SEND_S: f64 = 0.1;

pub(super) async fn check_account(target: &Target<'_>) -> Vec<Finding> {
    const CHECK: &str = "account";
    match target.world.account.facts().await {
        Ok(facts) => vec![standing(&facts), quota(&facts), rate(target, &facts)],
        Err(failure) => {
            let action = "ses:GetAccount";
            let mut finding = Finding::failed_call(CHECK, action, "the account", &failure);
            if finding.cause.as_ref().is_some_and(Cause::is_known) {
                return vec![finding];
            }
            finding.level = Level::Warning;
            if target.settings.email.max_send_rate == SendRate::Account {
                finding.found.push_str("; sending would start slowly");
                let remedy = finding.remedy.clone().unwrap_or_default();
                if !remedy.contains("email.max_send_rate") {
                    finding.remedy = Some(format!(
                        "{remedy}, or set email.max_send_rate to a \
                                                   number"
                    ));
                }
            }
            vec![finding]
        }
    }
}

fn standing(facts: &AccountFacts) -> Finding {
    const CHECK: &str = "account";
    if facts.enforcement_status == EnforcementStatus::Shutdown {
        return Finding::failed(CHECK, "SES has shut down sending for the account")
            .advising(AccountCause::Suspended.remedy());
    }
    if !facts.sending_enabled {
        return Finding::failed(CHECK, "sending is paused for the account")
            .advising(AccountCause::Paused.remedy());
    }
    if !facts.production_access {
        return Finding::warning(
            CHECK,
            "in the sandbox: mail goes only to verified recipients; a mail to SES's simulator \
             goes, and says nothing of other mails",
        )
        .advising("ask for production access in SES");
    }
    if facts.enforcement_status == EnforcementStatus::Probation {
        return Finding::warning(CHECK, "under review (probation): SES can pause its sending")
            .advising("reduce bounces and complaints; SES's reputation page shows them");
    }
    Finding::ok(CHECK, "sending is enabled, in production")
}

fn quota(facts: &AccountFacts) -> Finding {
    const CHECK: &str = "daily quota";
    let sent = facts.sent_last_24_hours;
    let Some(most) = facts.max_24_hour_send else {
        return Finding::ok(CHECK, format!("{sent} sent in 24 hours, without a limit"));
    };
    let found = format!("{sent} of {most} recipients in 24 hours");
    let remedy = AccountCause::DailyQuota.remedy();
    if sent >= most {
        Finding::failed(CHECK, format!("{found}: it is used up")).advising(remedy)
    } else if sent >= most * QUOTA_SHARE_NOTABLE {
        Finding::warning(CHECK, found).advising(remedy)
    } else {
        Finding::ok(CHECK, found)
    }
}

/// The account's rate against ours and against what is held at once.
fn rate(target: &Target<'_>, facts: &AccountFacts) -> Finding {
    const CHECK: &str = "send rate";
    let theirs = facts.max_send_rate;
    let rate = match target.settings.email.max_send_rate {
        SendRate::Account => theirs,
        SendRate::PerSecond(ours) if ours > theirs => {
            return Finding::warning(
                CHECK,
                format!("email.max_send_rate is {ours}/s, and the account may send {theirs}/s"),
            )
            .advising("set it to \"account\", or ask SES for a higher rate");
        }
        SendRate::PerSecond(ours) => ours,
        SendRate::Unlimited => {
            return Finding::note(
                CHECK,
                format!("unlimited on our side, and the account may send {theirs}/s"),
            )
            .advising("set email.max_send_rate to \"account\" to avoid throttled requests");
        }
    };
    let concurrency = target.settings.concurrency;
    let held = u32::try_from(concurrency).map_or(f64::INFINITY, f64::from);
    if held < rate * USUAL_SEND_S {
        return Finding::ok(
            CHECK,
            format!(
                "{rate} recipients/s, of which concurrency {concurrency} reaches about {}/s; more of it \
                 can use more, where the queue lags",
                held / USUAL_SEND_S
            ),
        );
    }
    Finding::ok(
        CHECK,
        format!("{rate} recipients/s, which concurrency {concurrency} can use"),
    )
}
