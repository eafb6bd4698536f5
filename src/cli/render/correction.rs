//! A message with another recipient, to be sent to the queue again.

use anyhow::{Context, bail};
use serde_json::Value;

use crate::{
    cli::{sample, session::UsageError},
    config::Settings,
    notification::{Address, Envelope, JsonPointer, Rejection, Template, recipients},
};

/// How CIS writes an address where a mail shows it.
const AT: &str = "[at]";

/// Refuses what is no event with all that events have: whoever corrects a message sends it next. Only its
/// recipient's address may be one that cannot be mailed.
pub(super) fn refuse_other_files(body: &str, settings: &Settings) -> anyhow::Result<()> {
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
pub(super) fn corrected(body: &str, settings: &Settings, address: &str) -> anyhow::Result<String> {
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
/// it, in whatever form that is written.
fn correct(event: &mut Value, settings: &Settings, address: &str) -> anyhow::Result<()> {
    let recipient = settings.message.recipient.as_str();
    let old = event.pointer(recipient).and_then(Value::as_str);
    let old = old.unwrap_or_default().trim().to_owned();
    if alone(&old, settings).eq_ignore_ascii_case(address) {
        let same = "--correct names the address that the message has already";
        return Err(UsageError(same.to_owned()).into());
    }
    for placeholder in settings.message.placeholders.iter() {
        for field in [Some(&placeholder.field), placeholder.fallback.as_ref()] {
            let Some(field) = field.map(JsonPointer::as_str) else {
                continue;
            };
            let shown = event.pointer(field).and_then(Value::as_str);
            if let Some(shown) = shown.and_then(|shown| shown_anew(shown, &old, settings, address))
            {
                sample::put(event, field, &shown);
            }
        }
    }
    sample::put(event, recipient, address);
    Ok(())
}

/// What shows the old address, showing the new one in the same way; `None` where it shows something else.
fn shown_anew(shown: &str, old: &str, settings: &Settings, address: &str) -> Option<String> {
    let old = alone(old, settings);
    let with_at = shown.replace(AT, "@");
    if old.is_empty() || !alone(&with_at, settings).eq_ignore_ascii_case(&old) {
        return None;
    }
    for (written, new) in [
        (old.clone(), address.to_owned()),
        (old.replace('@', AT), address.replace('@', AT)),
    ] {
        // The last one, since a name that stands before an address may look like one.
        let at = shown
            .to_ascii_lowercase()
            .rfind(&written.to_ascii_lowercase());
        if let Some(at) = at {
            let (before, rest) = shown.split_at(at);
            return Some(format!("{before}{new}{}", &rest[written.len()..]));
        }
    }
    // It is written otherwise, such as with a domain in letters of its own language.
    Some(address.to_owned())
}

/// The address in a text that holds one, without a name or `mailto:` before it. Otherwise the text.
fn alone(text: &str, settings: &Settings) -> String {
    match recipients(text, &settings.sender).as_deref() {
        Ok([one]) => one.as_str().to_owned(),
        _ => text.trim().to_owned(),
    }
}
