//! The list of mails, newest first, with what became of each.

use std::collections::BTreeMap;
use std::sync::Arc;

use maud::{Markup, html};

use super::super::super::Sandbox;
use super::super::super::ses::publisher::Told;
use super::super::{Found, Refused, StoredMail};
use super::{Chosen, bar, counted, deletion, frame, mail_address, status, subject, time};

/// More rows make the page slow without anybody reading them.
const MOST_ROWS: usize = 500;

pub(in super::super) fn list(
    sandbox: &Sandbox,
    found: &Found,
    q: &str,
    told: &BTreeMap<String, Told>,
) -> Markup {
    let count = found.mails.len();
    let searched = q.trim();
    let title = if searched.is_empty() {
        format!("({count}) Outbox")
    } else {
        format!("({count}) {searched} – Outbox")
    };
    let body = html! {
        (bar(q, &actions(found, searched)))
        (status(sandbox))
        main #mails data-live {
            h1.unseen { "Mails" }
            (mails(found, searched, told))
        }
    };
    frame(&title, "list", &body)
}

fn actions(found: &Found, searched: &str) -> Markup {
    let (count, all) = (found.mails.len(), found.kept);
    let mails = if !searched.is_empty() {
        format!("{count} of {}", counted(all, "mail"))
    } else if found.taken > all as u64 {
        format!("{} of {} sent", counted(all, "mail"), found.taken)
    } else {
        counted(all, "mail")
    };
    // The bar counts as the question does: who reads both is to find the same.
    let asked = holdings(counted(count, "mail"), found);
    let (label, question) = if searched.is_empty() {
        ("Delete all", format!("Delete everything: {asked}?"))
    } else {
        (
            "Delete these",
            format!("Delete what “{searched}” finds: {asked}?"),
        )
    };
    html! {
        span.count { (holdings(mails, found)) }
        @if !found.is_empty() { (deletion(label, &question, "/outbox/delete", searched)) }
    }
}

/// What was found in each section of the list, as a deletion would take it; `mails` is for the first.
fn holdings(mails: String, found: &Found) -> String {
    let simulated = match found.simulated.len() {
        0 => String::new(),
        count => format!(", {count} to the simulator"),
    };
    let refused = match found.refused.len() {
        0 => String::new(),
        count => format!(", {}", counted(count, "refusal")),
    };
    mails + &simulated + &refused
}

fn mails(found: &Found, searched: &str, told: &BTreeMap<String, Told>) -> Markup {
    html! {
        @if !found.mails.is_empty() {
            (table(&found.mails, searched, told))
        } @else if !searched.is_empty() {
            p.empty { "No mail has all of “" (searched) "”. " a href="/outbox" { "All mails" } }
        } @else {
            p.empty { "No mail yet. What SES accepts appears here by itself." }
        }
        @if !found.simulated.is_empty() {
            h2 { "To SES’s simulator, read by nobody " span.number { (found.simulated.len()) } }
            (table(&found.simulated, searched, told))
        }
        @if !found.refused.is_empty() {
            h2 { "Refused " span.number { (found.refused.len()) } }
            (refused(&found.refused))
        }
    }
}

fn table(mails: &[Arc<StoredMail>], searched: &str, told: &BTreeMap<String, Told>) -> Markup {
    // Without a configuration set nobody is told, and the column would be empty.
    let with_fates = !told.is_empty();
    let chosen = Chosen {
        q: searched.to_owned(),
        ..Chosen::default()
    };
    html! {
        table.mails.fates[with_fates] {
            thead { tr {
                th.time scope="col" { "Time (UTC)" }
                th.from scope="col" { "From" }
                th.to scope="col" { "To" }
                th.subject scope="col" { "Subject" }
                @if with_fates { th.fate scope="col" { "Outcome" } }
            } }
            tbody {
                @for mail in mails.iter().take(MOST_ROWS) {
                    tr {
                        td.time { (time(mail)) }
                        td.from title=(mail.from) { (mail.from) }
                        (to(mail))
                        td.subject {
                            a href=(mail_address(&mail.id, &chosen)) title=(mail.subject) { (subject(mail)) }
                        }
                        @if with_fates {
                            @let told = told.get(&mail.id);
                            @let fate = told.map(Told::words).unwrap_or_default();
                            td.fate.bad[told.is_some_and(Told::is_bad)] { (fate) }
                        }
                    }
                }
            }
        }
        @if mails.len() > MOST_ROWS {
            p.note { "The newest " (MOST_ROWS) " of " (mails.len()) "; the search finds the others." }
        }
    }
}

fn refused(refused: &[Arc<Refused>]) -> Markup {
    html! {
        table.mails.refused {
            thead { tr {
                th.time scope="col" { "Time (UTC)" }
                th.to scope="col" { "To" }
                th.subject scope="col" { "Subject" }
                th.fate scope="col" { "Why" }
            } }
            tbody {
                @for one in refused {
                    @let why = why(one);
                    tr {
                        td.time { (time(&one.mail)) }
                        (to(&one.mail))
                        td.subject title=(one.mail.subject) { (subject(&one.mail)) }
                        td.fate.bad[!one.is_trial()] title=(why) { (why) }
                    }
                }
            }
        }
    }
}

fn why(refused: &Refused) -> String {
    let Refused { code, message, .. } = refused;
    if refused.is_trial() {
        format!("A trial of the right to send, meant to be refused: {message}")
    } else {
        format!("{code}: {message}")
    }
}

fn to(mail: &StoredMail) -> Markup {
    let all: Vec<&str> = mail.recipients().map(String::as_str).collect();
    html! {
        td.to title=(all.join(", ")) {
            @match all.as_slice() {
                [] => span.nobody { "nobody" },
                [one] => (one),
                // The address is cut where there is no room, and the number is not.
                [first, rest @ ..] => div.several { span.first { (first) } span { " and " (rest.len()) " more" } },
            }
        }
    }
}
