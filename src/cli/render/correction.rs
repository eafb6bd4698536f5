//! A message with another recipient, to be sent to the queue again.

use anyhow::{Context, bail};
use serde_json::Value;

use crate::{
    cli::{sample, session::UsageError},
    config::Settings,
    notification::{Address, Envelope, JsonPointer, Rejection, Template},
};

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
