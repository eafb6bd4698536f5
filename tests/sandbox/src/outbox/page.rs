//! The outbox's pages. Every value is escaped by the markup; what looks like markup in a mail stays text.

mod banner;
mod list;
mod mail;

use maud::{DOCTYPE, Markup, html};
use serde::{Deserialize, Serialize};

use super::super::Sandbox;
use super::StoredMail;

pub(super) use self::list::list;
pub(super) use self::mail::mail;

/// What the address of a mail's page chooses.
#[derive(Clone, Default, Deserialize)]
pub(super) struct Chosen {
    /// What is shown of it; without it the first part that there is.
    view: Option<View>,
    /// How wide the HTML part stands.
    #[serde(default)]
    width: Width,
    /// The search that the list was left with.
    #[serde(default)]
    pub(super) q: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum View {
    Html,
    Text,
    Headers,
    Source,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Width {
    /// As wide as the page.
    #[default]
    Fit,
    /// As in a mail program on a desk.
    Desktop,
    /// As on a telephone.
    Phone,
}

impl View {
    fn name(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Text => "text",
            Self::Headers => "headers",
            Self::Source => "source",
        }
    }
}

impl Width {
    fn name(self) -> &'static str {
        match self {
            Self::Fit => "fit",
            Self::Desktop => "desktop",
            Self::Phone => "phone",
        }
    }
}

/// The address of the list with a search.
pub(super) fn list_address(q: &str) -> String {
    address("/outbox", &[("q", q.trim())])
}

/// The page for an id that no mail has.
pub(super) fn unknown(id: &str) -> Markup {
    let main = html! {
        main.nothing {
            h1 { "No such mail" }
            p { "There is no mail with the id " code { (id) } ". It was deleted, or the sandbox was reset or "
                "started anew since." }
            p { a.button href="/outbox" { "All mails" } }
        }
    };
    frame(
        "No such mail – Outbox",
        "unknown",
        &html! { (bar("", &html! {})) (main) },
    )
}

/// The address of a mail's page; what is as by default is left out.
fn mail_address(id: &str, chosen: &Chosen) -> String {
    let view = chosen.view.map_or("", View::name);
    let width = match chosen.width {
        Width::Fit => "",
        width => width.name(),
    };
    let query = [("view", view), ("width", width), ("q", chosen.q.trim())];
    address(&format!("/outbox/{}", encoded(id)), &query)
}

fn address(path: &str, query: &[(&str, &str)]) -> String {
    let set: Vec<_> = query
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    if set.is_empty() {
        return path.to_owned();
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(set);
    format!("{path}?{}", query.finish())
}

/// A segment of a path, in which a space is no plus sign.
fn encoded(segment: &str) -> String {
    let encoded: String = form_urlencoded::byte_serialize(segment.as_bytes()).collect();
    encoded.replace('+', "%20")
}

/// The frame of every page. The script and the style are files of their own, so that nothing inline is
/// ever allowed to run.
fn frame(title: &str, kind: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" href="/outbox/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/outbox/style.css";
                script src="/outbox/page.js" defer {}
            }
            body.(kind) {
                (body)
                p #away role="status" hidden { "The sandbox does not answer. This is what it last said." }
            }
        }
    }
}

/// The bar at the top of every page: the way to the list, the search, and what can be done here.
fn bar(q: &str, actions: &Markup) -> Markup {
    html! {
        header.bar {
            a.brand href="/outbox" { img src="/outbox/icon.svg" alt="" width="28" height="28"; "Outbox" }
            form.search role="search" action="/outbox" method="get" {
                input #search type="search" name="q" value=(q) autocomplete="off" spellcheck="false"
                    aria-label="Search in subject, addresses, id and text" aria-keyshortcuts="/"
                    placeholder="Search subject, address, id, text";
                button { "Search" }
            }
            div #actions data-live { (actions) }
        }
    }
}

/// A button that asks before it deletes. The question is the browser's own popover and needs no script.
fn deletion(label: &str, question: &str, action: &str, q: &str) -> Markup {
    html! {
        button #delete .danger type="button" popovertarget="question" { (label) }
        div #question popover role="dialog" aria-labelledby="asked" {
            p #asked { (question) }
            form method="post" action=(action) {
                input type="hidden" name="q" value=(q.trim());
                button.danger.sure autofocus { "Delete" }
                button type="button" popovertarget="question" popovertargetaction="hide" { "Keep" }
            }
        }
    }
}

/// What concerns all mails: faults in force and dead letters.
fn status(sandbox: &Sandbox) -> Markup {
    let rules = sandbox.faults.in_force();
    let mut dead = sandbox.sqs.dead_letters();
    dead.retain(|_, count| *count > 0);
    html! {
        div #status data-live {
            @if !rules.is_empty() { (banner::faults(&rules)) }
            @if !dead.is_empty() { (banner::dead_letters(&dead)) }
        }
    }
}

fn subject(mail: &StoredMail) -> &str {
    let subject = mail.subject.trim();
    if subject.is_empty() {
        "(no subject)"
    } else {
        subject
    }
}

/// `2026-11-22T06:07:10.566Z` as `2026-11-22 06:07:10`.
fn time(mail: &StoredMail) -> Markup {
    let seconds = mail.time.get(..19).unwrap_or(&mail.time);
    html! {
        time datetime=(mail.time) title=(mail.time) { (seconds.replace('T', " ")) span.zone { " UTC" } }
    }
}

/// `1 mail`, `2 mails`.
fn counted(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}
