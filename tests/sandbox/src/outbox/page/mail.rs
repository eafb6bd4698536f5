//! One mail: who, what, and a view of its HTML, text, headers or source.

use maud::{Markup, html};

use super::super::super::Sandbox;
use super::super::super::ses::mime;
use super::super::super::ses::publisher::Told;
use super::super::StoredMail;
use super::super::source::source;
use super::{
    Chosen, View, Width, bar, deletion, encoded, frame, list_address, mail_address, status,
};
use super::{subject, time};

/// More of a source only makes the page slow; the download has all of it.
const MOST_SOURCE_BYTES: usize = 256 * 1024;

pub(in super::super) fn mail(
    sandbox: &Sandbox,
    mail: &StoredMail,
    (newer, older): &(Option<&StoredMail>, Option<&StoredMail>),
    chosen: &Chosen,
    told: Option<&Told>,
) -> Markup {
    let own = format!("/outbox/{}", encoded(&mail.id));
    let actions = html! {
        nav.steps aria-label="Other mails" {
            (step("prev", &html! { (arrow("←")) " " span.word { "Newer" } }, *newer, chosen))
            (step("next", &html! { span.word { "Older" } " " (arrow("→")) }, *older, chosen))
        }
        (deletion("Delete", "Delete this mail?", &format!("{own}/delete"), &chosen.q))
    };
    let body = html! {
        (bar(&chosen.q, &actions))
        (status(sandbox))
        main {
            p.back { a href=(list_address(&chosen.q)) {
                @if chosen.q.trim().is_empty() { "All mails" } @else { "Mails with “" (chosen.q.trim()) "”" }
            } }
            h1 { (subject(mail)) }
            dl #head data-live { (head(mail, told)) }
            (views(mail, &own, chosen))
        }
    };
    frame(&format!("{} – Outbox", subject(mail)), "mail", &body)
}

/// A link to the mail beside this one, which keeps the view, the width and the search.
fn step(rel: &str, label: &Markup, to: Option<&StoredMail>, chosen: &Chosen) -> Markup {
    let key = if rel == "prev" {
        "ArrowLeft"
    } else {
        "ArrowRight"
    };
    html! {
        @if let Some(to) = to {
            a.button rel=(rel) href=(mail_address(&to.id, chosen)) title=(subject(to)) aria-keyshortcuts=(key) { (label) }
        } @else {
            span.button aria-disabled="true" { (label) }
        }
    }
}

/// Ornament, which nobody is to be read out.
fn arrow(arrow: &str) -> Markup {
    html! { span aria-hidden="true" { (arrow) } }
}

fn head(mail: &StoredMail, told: Option<&Told>) -> Markup {
    let pairs: Vec<_> = mail
        .tags
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let lines = [
        ("From", mail.from.clone()),
        ("To", mail.to.join(", ")),
        ("Cc", mail.cc.join(", ")),
        ("Bcc", mail.bcc.join(", ")),
        ("Reply-To", mail.reply_to.join(", ")),
        ("Attachments", mail.attachments.join(", ")),
        ("Outcome", told.map(Told::words).unwrap_or_default()),
        ("Tags", pairs.join(", ")),
        (
            "Configuration set",
            mail.configuration_set.clone().unwrap_or_default(),
        ),
        ("Message id", mail.id.clone()),
    ];
    html! {
        dt { "Time" } dd { (time(mail)) }
        @for (name, value) in lines {
            @if !value.is_empty() { dt { (name) } dd { (value) } }
        }
    }
}

fn views(mail: &StoredMail, own: &str, chosen: &Chosen) -> Markup {
    let there = [
        (View::Html, "HTML", mail.html.is_some()),
        (View::Text, "Text", mail.text.is_some()),
        (View::Headers, "Headers", true),
        (View::Source, "Source", true),
    ];
    let first = there.iter().find(|(_, _, there)| *there);
    let first = first.map_or(View::Source, |(view, ..)| *view);
    let view = chosen.view.unwrap_or(first);
    let address = |view, width| {
        let chosen = Chosen {
            view: Some(view),
            width,
            q: chosen.q.clone(),
        };
        mail_address(&mail.id, &chosen)
    };
    html! {
        section.view aria-label="The mail" {
            div.tools {
                nav.tabs aria-label="Views" {
                    @for (one, label, there) in there {
                        @if there {
                            a href=(address(one, chosen.width)) aria-current=[(one == view).then_some("page")] { (label) }
                        }
                    }
                }
                @if view == View::Html && mail.html.is_some() {
                    nav.widths aria-label="Width" {
                        @for (width, label) in [(Width::Fit, "Fit"), (Width::Desktop, "Desktop"), (Width::Phone, "Phone")] {
                            a href=(address(view, width)) aria-current=[(width == chosen.width).then_some("true")] { (label) }
                        }
                    }
                    a.open href={ (own) "/html" } target="_blank" rel="noopener" { "Own tab" " " (arrow("↗")) }
                }
                @if matches!(view, View::Source | View::Headers) {
                    a.open href={ (own) "/source.eml" } download { "Download .eml" }
                }
            }
            (panel(mail, own, view, chosen.width))
        }
    }
}

fn panel(mail: &StoredMail, own: &str, view: View, width: Width) -> Markup {
    match view {
        // Same origin without scripts: the page's own script may look in, and nothing in it can look out.
        View::Html if mail.html.is_some() => html! {
            div.stage {
                iframe.(width.name()) title="HTML part" sandbox="allow-same-origin" referrerpolicy="no-referrer"
                    src={ (own) "/html" } {}
            }
        },
        View::Html => html! { p.empty { "The mail has no HTML part." } },
        View::Text => html! {
            @if let Some(text) = &mail.text { pre tabindex="0" { (text) } }
            @else { p.empty { "The mail has no text part." } }
        },
        View::Headers => {
            let mut headers = mime::headers(&source(mail));
            // SES takes blind copies out before the message goes.
            headers.retain(|(name, _)| !name.eq_ignore_ascii_case("Bcc"));
            html! {
                table.headers { tbody {
                    @for (name, value) in headers { tr { th scope="row" { (name) } td { (value) } } }
                } }
            }
        }
        View::Source => {
            let source = source(mail);
            let shown = &source[..source.len().min(MOST_SOURCE_BYTES)];
            html! {
                @if mail.raw.is_some() {
                    p.note { "As it was given to SES, " (source.len()) " bytes." }
                } @else {
                    p.note { "The request has the parts; this is the message that they make, " (source.len()) " bytes." }
                }
                @if shown.len() < source.len() {
                    p.note { "The first " (shown.len()) " bytes are shown; the download has all." }
                }
                pre.source tabindex="0" { (String::from_utf8_lossy(shown)) }
            }
        }
    }
}
