//! `render`: the mail that a message would become.

use std::{
    io::Read,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::Context;
use serde_json::json;
use tokio::time::sleep;

use super::{
    FAILED, OK, USAGE,
    arguments::Render,
    connect::{self, NO_REGION},
    output::{say, tell},
    sample,
    verdict::{Verdict, judge},
};
use crate::{
    aws::AwsConfig,
    config::{self, Flags, Settings, TemplateLocation},
    notification::{Address, Composer, Mail, Placeholders},
    ports::TemplateSource,
    shutdown::{self, Signal},
};

/// How often the files are looked at. Notifications of the file system do not reach into every
/// container, and a person does not see the difference.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Renders once, or again and again, and returns the exit code.
pub(super) async fn render(flags: &Flags, asked: &Render) -> anyhow::Result<u8> {
    let mut spared = vec!["queue.url"];
    if asked.template.is_some() {
        spared.extend(["template.repository", "template.path"]);
    }
    let loaded = match config::load_without(&spared, flags, std::env::vars_os()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            tell(&problems);
            return Ok(USAGE);
        }
    };
    let settings = &loaded.settings;
    let location = match &asked.template {
        Some(path) => TemplateLocation::File(path.clone()),
        None => settings.template.source.clone(),
    };
    let aws = AwsConfig::load(settings.aws.region.as_deref()).await;
    if aws.region().is_none() && matches!(location, TemplateLocation::CodeCommit { .. }) {
        tell(&NO_REGION);
        return Ok(USAGE);
    }
    let studio = Studio {
        settings,
        composer: settings.composer()?,
        placeholders: settings.placeholders()?,
        templates: &*connect::template(&location, &aws),
        asked,
    };
    if !asked.watch {
        return studio.render().await;
    }
    let message = asked.message.clone().filter(|path| !is_stdin(path));
    let watched: Vec<PathBuf> = message.into_iter().chain(file_of(location)).collect();
    if watched.is_empty() || asked.message.as_deref().is_some_and(is_stdin) {
        tell(
            &"--watch needs a message or a template in a file, and no message from standard input",
        );
        return Ok(USAGE);
    }
    studio.watch(&watched).await
}

/// What renderings share.
struct Studio<'a> {
    settings: &'a Settings,
    composer: Composer,
    placeholders: Placeholders,
    templates: &'a dyn TemplateSource,
    asked: &'a Render,
}

impl Studio<'_> {
    async fn render(&self) -> anyhow::Result<u8> {
        let body = self.body()?;
        let max_bytes = self.settings.template.max_bytes;
        let loaded = connect::load_template(self.templates, &self.placeholders, max_bytes).await;
        let template = match loaded {
            Ok(loaded) => loaded.template,
            Err(failure) => {
                tell(&format_args!(
                    "no template: {failure} ({}); {}",
                    self.templates.location(),
                    failure.remedy()
                ));
                return Ok(FAILED);
            }
        };
        let verdict = judge(&body, &self.composer, &template);
        if let (Verdict::Mail(mail), Some(path)) = (&verdict, &self.asked.html) {
            std::fs::write(path, mail.html.plain())
                .with_context(|| format!("{} cannot be written", path.display()))?;
        }
        let (text, code) = match &verdict {
            Verdict::Mail(mail) if self.asked.json => (in_json(mail), OK),
            Verdict::Mail(mail) => (in_text(mail), OK),
            Verdict::Ignored(kind) if self.asked.json => {
                (line(&json!({ "verdict": "ignored", "reason": kind })), OK)
            }
            Verdict::Ignored(kind) => (format!("ignored: {kind} of the topic, no event\n"), OK),
            Verdict::Rejected(reason) if self.asked.json => {
                let told = json!({ "verdict": "rejected", "reason": reason });
                (line(&told), FAILED)
            }
            Verdict::Rejected(reason) => (format!("rejected: {reason}\n"), FAILED),
        };
        say(&text)?;
        Ok(code)
    }

    /// Renders whenever one of the files has changed, until interrupted. What fails is told and
    /// tried again with the next change: an editor may be halfway through its work.
    async fn watch(&self, files: &[PathBuf]) -> anyhow::Result<u8> {
        let mut signals = shutdown::signals().context("signals cannot be handled")?;
        let mut seen = None;
        loop {
            let now: Vec<_> = files.iter().map(|path| stamp(path)).collect();
            if seen.as_ref() != Some(&now) {
                seen = Some(now);
                if let Err(failed) = self.render().await {
                    tell(&format_args!("{failed:#}"));
                }
                tell(&"watching; Ctrl-C ends");
            }
            tokio::select! {
                signal = signals.recv() => if !matches!(signal, Some(Signal::Reload)) {
                    return Ok(OK);
                },
                () = sleep(LOOK_EVERY) => {}
            }
        }
    }

    fn body(&self) -> anyhow::Result<String> {
        let Some(path) = &self.asked.message else {
            return Ok(sample::body(self.settings, None));
        };
        if is_stdin(path) {
            let mut body = String::new();
            std::io::stdin()
                .read_to_string(&mut body)
                .context("standard input cannot be read as UTF-8 text")?;
            return Ok(body);
        }
        std::fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read as UTF-8 text", path.display()))
    }
}

fn in_text(mail: &Mail) -> String {
    let reply_to = match &mail.reply_to[..] {
        [] => String::new(),
        mailboxes => format!("Reply-To: {}\n", mailboxes.join(", ")),
    };
    let end = if mail.text.ends_with('\n') { "" } else { "\n" };
    format!(
        "From: {}\nTo: {}\n{reply_to}Subject: {}\n\n{}{end}",
        mail.from,
        addresses(mail).join(", "),
        mail.subject,
        mail.text
    )
}

fn in_json(mail: &Mail) -> String {
    line(&json!({
        "verdict": "mail",
        "from": mail.from,
        "to": addresses(mail),
        "reply_to": mail.reply_to,
        "subject": mail.subject,
        "text": mail.text,
        "html": mail.html.plain(),
    }))
}

fn line(json: &serde_json::Value) -> String {
    format!("{json}\n")
}

fn addresses(mail: &Mail) -> Vec<&str> {
    mail.to.iter().map(Address::as_str).collect()
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

fn file_of(location: TemplateLocation) -> Option<PathBuf> {
    match location {
        TemplateLocation::File(path) => Some(path),
        TemplateLocation::CodeCommit { .. } => None,
    }
}

/// What changes when a file does; `None` while it is away.
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
