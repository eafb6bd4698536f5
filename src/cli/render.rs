//! `render`: the mail that a message would become.

use std::{
    fs, io,
    path::Path,
    time::{Duration, SystemTime},
};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    FAILED, OK,
    arguments::Render,
    output::{eprint, print},
    sample,
    session::{self, UsageError},
    verdict::Verdict,
};
use crate::{
    config::{Flags, Settings},
    notification::{Address, Envelope, JsonPointer, Mail, Rejection, Template},
    shutdown::{self, Signal},
};

/// How often the files are checked. Notifications of the file system do not reach into every
/// container, and a person does not notice the difference.
const WATCH_EVERY: Duration = Duration::from_millis(300);
/// The name of a message's file that means standard input.
const STDIN: &str = "-";

/// Renders once, or again and again, and returns the exit code.
pub(super) async fn render(flags: &Flags, asked: &Render) -> anyhow::Result<u8> {
    if let (Some(address), Some(message)) = (&asked.correct, &asked.message) {
        let loaded = session::load_for_mail(flags, Some(message))?;
        let body = read(message)?;
        refuse_other_files(&body, &loaded.settings)?;
        print(corrected(&body, &loaded.settings, address)?)?;
        return Ok(OK);
    }
    let loaded = session::load_for_mail(flags, asked.template.as_deref())?;
    let settings = &loaded.settings;
    let source = session::template_source(settings).await?;
    let once = async || {
        let body = match &asked.message {
            Some(path) => read(path)?,
            None => sample::body(settings, None),
        };
        let template = session::load_template(&*source, settings).await?;
        show(&Verdict::of(&body, &settings.composer(), &template), asked)
    };
    if !asked.watch {
        return once().await;
    }
    let files: Vec<_> = asked
        .message
        .iter()
        .chain(&settings.template.file)
        .collect();
    if files.is_empty() || asked.message.as_deref() == Some(Path::new(STDIN)) {
        let needed =
            "--watch needs a message or a template in a file, and no message from standard input";
        return Err(UsageError(needed.to_owned()).into());
    }
    let mut signals = shutdown::signals().context("signals cannot be handled")?;
    let mut seen = None;
    loop {
        let now: Vec<_> = files.iter().map(|path| stamp(path)).collect();
        if seen.as_ref() != Some(&now) {
            seen = Some(now);
            // A failure ends nothing: an editor may be halfway through its work, and the next
            // change follows.
            if let Err(failed) = once().await {
                eprint(&format_args!("{failed:#}"));
            }
            eprint(&"watching; Ctrl-C ends");
        }
        // A signal ends the wait at once, so that Ctrl-C does.
        tokio::select! {
            signal = signals.recv() => if !matches!(signal, Some(Signal::Reload)) {
                return Ok(OK);
            },
            () = sleep(WATCH_EVERY) => {}
        }
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    let (read, name) = match path.to_str() {
        Some(STDIN) => (io::read_to_string(io::stdin()), "standard input".into()),
        _ => (fs::read_to_string(path), path.to_string_lossy()),
    };
    match read {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            bail!("{name} is not UTF-8 text")
        }
        Err(error) => Err(UsageError(format!("{name} cannot be read: {error}")).into()),
        Ok(text) => Ok(text),
    }
}

/// Refuses what is no event with all that events have: whoever corrects a message sends it next. Only its
/// recipient's address may be one that cannot be mailed.
fn refuse_other_files(body: &str, settings: &Settings) -> anyhow::Result<()> {
    let composer = settings.composer();
    let event = match composer.open(body) {
        Ok(Envelope::Notification { event, .. }) => event,
        Ok(Envelope::Control { kind }) => {
            bail!("the message is a {kind} of the topic and no event: is it the right file?")
        }
        // The correction says where it is not JSON.
        Err(_) => return Ok(()),
    };
    let named = settings.message.placeholders.iter();
    let named: Vec<_> = named.map(|one| format!("{{{}}}", one.name)).collect();
    let named = named.join(" ");
    let all = Template::compile(named.as_bytes(), &settings.message.placeholders);
    match composer.compose(&all?, &event) {
        Ok(_) | Err(Rejection::BadRecipient { .. }) => Ok(()),
        Err(rejection) => bail!("{rejection}: is it the right file?"),
    }
}

/// The message with another recipient, in its envelope if it has one.
fn corrected(body: &str, settings: &Settings, address: &str) -> anyhow::Result<String> {
    let address = Address::parse(address)
        .map_err(|error| UsageError(format!("--correct needs one usable address: {error}")))?;
    let read = |text: &str, what: &str| -> anyhow::Result<Value> {
        let read: Value = serde_json::from_str(text).with_context(|| {
            format!(
                "{what} is not strict JSON (the daemon takes NaN and a byte order mark too, and an event \
                 with either cannot be corrected here)"
            )
        })?;
        anyhow::ensure!(read.is_object(), "{what} is no JSON object");
        Ok(read)
    };
    let mut message = read(body, "the message")?;
    let inner = message["Message"].as_str().map(str::to_owned);
    let Some(inner) = inner.filter(|_| message["Type"] == "Notification") else {
        correct(&mut message, settings, address.as_str())?;
        return Ok(message.to_string());
    };
    let mut event = read(&inner, "the event")?;
    correct(&mut event, settings, address.as_str())?;
    message["Message"] = Value::from(event.to_string());
    Ok(message.to_string())
}

/// Puts an address in the place of the event's recipient, and of the same address where the mail shows
/// it. CIS writes some with `[at]`.
fn correct(event: &mut Value, settings: &Settings, address: &str) -> anyhow::Result<()> {
    const AT: &str = "[at]";
    let recipient = settings.message.recipient.as_str();
    let old = event.pointer(recipient).and_then(Value::as_str);
    let old = old.unwrap_or_default().trim().to_owned();
    if old.eq_ignore_ascii_case(address) {
        let same = "--correct names the address that the message has already";
        return Err(UsageError(same.to_owned()).into());
    }
    for placeholder in settings.message.placeholders.iter() {
        for field in [Some(&placeholder.field), placeholder.fallback.as_ref()] {
            let Some(field) = field.map(JsonPointer::as_str) else {
                continue;
            };
            let shown = event.pointer(field).and_then(Value::as_str).map(str::trim);
            if shown == Some(&old) {
                sample::put(event, field, address);
            } else if shown == Some(&old.replace('@', AT)) {
                sample::put(event, field, &address.replace('@', AT));
            }
        }
    }
    sample::put(event, recipient, address);
    Ok(())
}

/// Prints what becomes of a message, writes the HTML part where that is asked for, and returns the
/// exit code.
fn show(verdict: &Verdict, asked: &Render) -> anyhow::Result<u8> {
    if let (Verdict::Mail(mail), Some(path)) = (verdict, &asked.html) {
        fs::write(path, mail.html.to_string())
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    match (verdict, asked.json) {
        (Verdict::Mail(mail), true) => print(in_json(mail)),
        (Verdict::Mail(mail), false) => print(in_text(mail)),
        (none, true) => print(json!({ "verdict": none.name(), "reason": none.reason() })),
        (none, false) => print(none),
    }?;
    Ok(match verdict {
        Verdict::Mail(_) | Verdict::Ignored(_) => OK,
        Verdict::Rejected(_) => FAILED,
    })
}

fn in_text(mail: &Mail) -> String {
    let reply_to = match &mail.reply_to[..] {
        [] => String::new(),
        mailboxes => format!("Reply-To: {}\n", mailboxes.join(", ")),
    };
    format!(
        "From: {}\nTo: {}\n{reply_to}Subject: {}\n\n{}",
        mail.from,
        addresses(mail).join(", "),
        mail.subject,
        mail.text.strip_suffix('\n').unwrap_or(&mail.text)
    )
}

fn in_json(mail: &Mail) -> Value {
    json!({
        "verdict": "mail",
        "from": mail.from,
        "to": addresses(mail),
        "reply_to": mail.reply_to,
        "subject": mail.subject,
        "text": mail.text,
        "html": mail.html.to_string(),
    })
}

fn addresses(mail: &Mail) -> Vec<&str> {
    mail.to.iter().map(Address::as_str).collect()
}

/// Changes when the file changes; `None` while there is no file.
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
