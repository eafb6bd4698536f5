//! The outbox as HTML: fixed frames beside this file, every value escaped before it goes in.

use std::borrow::Cow;
use std::collections::BTreeMap;

use quick_xml::escape::escape;

use super::super::ses::publisher::Told;
use super::StoredMail;

const FRAME: &str = include_str!("frame.html");
const STYLE: &str = include_str!("style.css");
/// Fetches the page again while it is looked at, and swaps the list only where it changed.
const REFRESH: &str = include_str!("refresh.js");
/// More rows make the page slow without anybody reading them.
const MOST_ROWS: usize = 500;

pub(super) fn list<'a>(
    newest_first: impl Iterator<Item = &'a StoredMail>,
    kept: usize,
    taken: u64,
    simulated: impl Iterator<Item = &'a StoredMail>,
    told: &BTreeMap<String, Told>,
) -> String {
    let mut main = String::new();
    let noun = if taken == 1 { "mail" } else { "mails" };
    if kept == 0 {
        main.push_str("<p class=\"empty\">No mail has been sent yet.</p>");
    } else {
        main.push_str(&table(newest_first.take(MOST_ROWS), told));
        if kept > MOST_ROWS {
            let note = format!("<p class=\"note\">The newest {MOST_ROWS} of {kept}.</p>");
            main.push_str(&note);
        }
    }
    let mut simulated = simulated.take(MOST_ROWS).peekable();
    if simulated.peek().is_some() {
        main.push_str("<h2>To SES's simulator, read by nobody</h2>");
        main.push_str(&table(simulated, told));
    }
    let heading = format!("<h1>Outbox</h1><p class=\"count\">{taken} {noun} sent</p>");
    frame("Outbox", &heading, &main, REFRESH)
}

fn table<'a>(mails: impl Iterator<Item = &'a StoredMail>, told: &BTreeMap<String, Told>) -> String {
    let rows: String = mails.map(|mail| row(mail, told.get(&mail.id))).collect();
    // Without a configuration set nobody is told, and the column would be empty.
    let became = if told.is_empty() {
        ""
    } else {
        "<th>Became</th>"
    };
    format!(
        "<table class=\"list\"><thead><tr><th>Time (UTC)</th><th>From</th><th>To</th>\
         <th>Subject</th>{became}</tr></thead><tbody>{rows}</tbody></table>"
    )
}

pub(super) fn mail(mail: &StoredMail, told: Option<&Told>) -> String {
    let heading = format!(
        "<p class=\"back\"><a href=\"/outbox\">Outbox</a></p><h1>{}</h1>",
        subject(mail)
    );
    let mut content = String::from("<dl class=\"head\">");
    let became = told.map(Told::words).unwrap_or_default();
    for (name, value) in head(mail).into_iter().chain([("Became", became)]) {
        if !value.is_empty() {
            let line = format!("<dt>{}</dt><dd>{}</dd>", escape(name), escape(value));
            content.push_str(&line);
        }
    }
    content.push_str("</dl><div class=\"parts\">");
    if let Some(html) = &mail.html {
        // An empty sandbox attribute means no scripts, no forms, no navigation out of the frame.
        let section = format!(
            "<section><h2>HTML part</h2><iframe title=\"HTML part\" sandbox=\"\" \
             referrerpolicy=\"no-referrer\" srcdoc=\"{}\"></iframe></section>",
            escape(html.as_str())
        );
        content.push_str(&section);
    }
    if let Some(text) = &mail.text {
        let section = format!(
            "<section><h2>Text part</h2><pre>{}</pre></section>",
            escape(text.as_str())
        );
        content.push_str(&section);
    }
    content.push_str("</div>");
    frame(&mail.subject, &heading, &content, "")
}

fn head(mail: &StoredMail) -> Vec<(&str, String)> {
    let mut head = vec![
        ("From", mail.from.clone()),
        ("To", mail.to.join(", ")),
        ("Cc", mail.cc.join(", ")),
        ("Bcc", mail.bcc.join(", ")),
        ("Reply-To", mail.reply_to.join(", ")),
        ("Date", mail.time.clone()),
        ("Message id", mail.id.clone()),
    ];
    head.extend(
        mail.headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone())),
    );
    let tags: Vec<String> = mail
        .tags
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    head.extend([
        ("Tags", tags.join(", ")),
        (
            "Configuration set",
            mail.configuration_set.clone().unwrap_or_default(),
        ),
        ("Attachments", mail.attachments.join(", ")),
    ]);
    head
}

fn row(mail: &StoredMail, told: Option<&Told>) -> String {
    let became = told.map(|told| format!("<td>{}</td>", escape(told.words().as_str())));
    let link = format!("/outbox/{}", escape(mail.id.as_str()));
    format!(
        "<tr><td class=\"time\"><time datetime=\"{time}\">{short}</time></td><td>{from}</td>\
         <td>{to}</td><td><a href=\"{link}\">{subject}</a></td>{became}</tr>",
        became = became.unwrap_or_default(),
        time = escape(mail.time.as_str()),
        short = escape(short_time(&mail.time)),
        from = escape(mail.from.as_str()),
        to = escape(recipients(mail)),
        subject = subject(mail),
    )
}

fn recipients(mail: &StoredMail) -> String {
    let all: Vec<&str> = [&mail.to, &mail.cc, &mail.bcc]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    match all.as_slice() {
        [first, _, rest @ ..] => format!("{first} and {} more", rest.len() + 1),
        few => few.join(", "),
    }
}

fn subject(mail: &StoredMail) -> Cow<'_, str> {
    if mail.subject.trim().is_empty() {
        Cow::Borrowed("(no subject)")
    } else {
        escape(mail.subject.as_str())
    }
}

/// `2026-11-22T06:07:10.566Z` as `11-22 06:07:10`: the year says nothing here.
fn short_time(time: &str) -> String {
    time.get(5..19).unwrap_or(time).replace('T', " ")
}

/// Fills the frame in one pass, so that no value is scanned for another's place.
fn frame(title: &str, heading: &str, main: &str, script: &str) -> String {
    let mut page = String::with_capacity(FRAME.len() + STYLE.len() + main.len() + 1024);
    for (index, piece) in FRAME.split("%%").enumerate() {
        if index % 2 == 0 {
            page.push_str(piece);
            continue;
        }
        match piece {
            "title" => page.push_str(&escape(title)),
            "style" => page.push_str(STYLE),
            "heading" => page.push_str(heading),
            "main" => page.push_str(main),
            "script" => page.push_str(script),
            unknown => page.push_str(unknown),
        }
    }
    page
}
