//! `render`: the mail that a message would become.

use std::{
    io::Read,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use serde_json::json;
use tokio::time::sleep;

use super::{
    FAILED, OK,
    arguments::Render,
    output::{eprint, print},
    sample,
    session::{self, Needs, UsageError},
    verdict::Verdict,
};
use crate::{
    config::{Flags, Settings},
    notification::{Address, Composer, Mail},
    ports::TemplateSource,
    shutdown::{self, Signal},
};

/// How often the files are checked. Notifications of the file system do not reach into every
/// container, and a person does not notice the difference.
const WATCH_EVERY: Duration = Duration::from_millis(300);
/// The name of a message's file that means standard input.
const STDIN: &str = "-";

/// Renders once, or again and again, and returns the exit code.
pub(super) async fn render(flags: &Flags, asked: &Render) -> anyhow::Result<u8> {
    let loaded = session::load(flags, Needs::Mail(asked.template.as_deref()))?;
    let settings = &loaded.settings;
    let renderer = Renderer {
        settings,
        composer: settings.composer(),
        source: session::template_source(settings).await?,
        asked,
    };
    if !asked.watch {
        return renderer.render().await;
    }
    let files: Vec<&Path> = [asked.message.as_deref(), settings.template.file.as_deref()]
        .into_iter()
        .flatten()
        .collect();
    if files.is_empty() || files.contains(&Path::new(STDIN)) {
        let needed =
            "--watch needs a message or a template in a file, and no message from standard input";
        return Err(UsageError(needed.to_owned()).into());
    }
    renderer.watch(&files).await
}

/// What every rendering uses.
struct Renderer<'a> {
    settings: &'a Settings,
    composer: Composer,
    source: Arc<dyn TemplateSource>,
    asked: &'a Render,
}

impl Renderer<'_> {
    async fn render(&self) -> anyhow::Result<u8> {
        let body = self.body()?;
        let template = session::load_template(&*self.source, self.settings).await?;
        let verdict = Verdict::of(&body, &self.composer, &template);
        if let (Verdict::Mail(mail), Some(path)) = (&verdict, &self.asked.html) {
            std::fs::write(path, mail.html.to_string())
                .with_context(|| format!("{} cannot be written", path.display()))?;
        }
        let text = match (&verdict, self.asked.json) {
            (Verdict::Mail(mail), true) => in_json(mail),
            (Verdict::Mail(mail), false) => in_text(mail),
            (none, true) => line(&json!({ "verdict": none.name(), "reason": none.reason() })),
            (none, false) => format!("{none}\n"),
        };
        print(&text)?;
        Ok(match verdict {
            Verdict::Mail(_) | Verdict::Ignored(_) => OK,
            Verdict::Rejected(_) => FAILED,
        })
    }

    /// Renders whenever one of the files has changed, until interrupted. A failure is printed and
    /// ends nothing: an editor may be halfway through its work, and the next change follows.
    async fn watch(&self, files: &[&Path]) -> anyhow::Result<u8> {
        let mut signals = shutdown::signals().context("signals cannot be handled")?;
        let mut seen = None;
        loop {
            let now: Vec<_> = files.iter().map(|path| stamp(path)).collect();
            if seen.as_ref() != Some(&now) {
                seen = Some(now);
                if let Err(failed) = self.render().await {
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

    fn body(&self) -> anyhow::Result<String> {
        let Some(path) = &self.asked.message else {
            return Ok(sample::body(self.settings, None));
        };
        if path == Path::new(STDIN) {
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
        "html": mail.html.to_string(),
    }))
}

fn line(json: &serde_json::Value) -> String {
    format!("{json}\n")
}

fn addresses(mail: &Mail) -> Vec<&str> {
    mail.to.iter().map(Address::as_str).collect()
}

/// Changes when the file changes; `None` while there is no file.
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
