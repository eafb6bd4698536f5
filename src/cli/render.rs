//! `render`: the mail that a message would become.

mod correction;
mod page;

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::time::sleep;

use self::{
    correction::{corrected, refuse_other_files},
    page::Page,
};
use super::{
    FAILED, OK,
    arguments::Render,
    output::{Unwritten, eprint, print},
    sample,
    session::{self, UsageError},
    verdict::Verdict,
};
use crate::{
    config::{self, Flags, Settings},
    notification::{Address, Mail},
    shutdown,
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
    let mut page = asked.html.as_deref().map(Page::new);
    let variable = env::var_os(config::CONFIG).map(PathBuf::from);
    let config_file = match &flags.config {
        Some(path) => ("--config", Some(path.as_path())),
        None => (config::CONFIG, variable.as_deref()),
    };
    let inputs = inputs(config_file, asked, settings);
    if let Some(page) = &page {
        page.refuse_to_replace(&inputs)?;
    }
    let source = session::template_source(settings).await?;
    let once = async || -> anyhow::Result<(Verdict, Vec<String>)> {
        let body = match &asked.message {
            Some(path) => read(path)?,
            None => sample::body(settings, None),
        };
        let loaded = session::load_template(&*source, settings).await?;
        for doubt in &loaded.doubts {
            eprint(&format_args!("the template may be wrong: {doubt}"));
        }
        if let Some(doubt) = settings.doubt_of_subject() {
            eprint(&format_args!("{doubt}"));
        }
        let verdict = Verdict::of(&body, &settings.composer(), &loaded.template);
        Ok((verdict, loaded.doubts))
    };
    if !asked.watch {
        let (verdict, _doubts) = once().await?;
        if let (Verdict::Mail(mail), Some(page)) = (&verdict, &page) {
            page.write(&mail.html.to_string())?;
        }
        return show(&verdict, asked.json);
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
            // What was not there at first may be there by now.
            if let Some(page) = &page {
                page.refuse_to_replace(&inputs)?;
            }
            // A failure ends nothing: an editor may be halfway through its work, and the next
            // change follows.
            if let Err(failed) = turn(&once().await, page.as_mut(), asked.json) {
                if failed.is::<Unwritten>() {
                    return Err(failed);
                }
                eprint(&format_args!("{failed:#}"));
            }
        }
        // A signal ends the wait at once, so that Ctrl-C does.
        tokio::select! {
            // A terminal that is closed ends it, too.
            _ = signals.recv() => {
                page.iter().try_for_each(Page::end)?;
                return Ok(OK);
            }
            () = sleep(WATCH_EVERY) => {}
        }
    }
}

/// The files that are read, and what each is named by.
fn inputs<'a>(
    config: (&'static str, Option<&'a Path>),
    asked: &'a Render,
    settings: &'a Settings,
) -> Vec<(&'static str, &'a Path)> {
    let template = match asked.template {
        Some(_) => "--template",
        None => "template.file",
    };
    // Standard input is a file of this name where the shell says so.
    let message = asked.message.as_deref().map(|path| match path.to_str() {
        Some(STDIN) => Path::new("/dev/stdin"),
        _ => path,
    });
    let named = [
        ("--message", message),
        (template, settings.template.file.as_deref()),
        config,
    ];
    let inputs = named.into_iter();
    inputs
        .filter_map(|(named, path)| Some((named, path?)))
        .collect()
}

/// Shows what one change led to: in the page, where there is one, else on standard output.
fn turn(
    rendered: &anyhow::Result<(Verdict, Vec<String>)>,
    mut page: Option<&mut Page<'_>>,
    json: bool,
) -> anyhow::Result<()> {
    let told = match rendered {
        Ok((Verdict::Mail(mail), doubts)) => {
            let (html, text) = (mail.html.to_string(), mail.text.len());
            let told = format!("rendered: {} bytes of HTML, {text} of text", html.len());
            page.iter_mut()
                .try_for_each(|page| page.preview(&html, doubts))?;
            told
        }
        Ok((Verdict::Ignored(reason) | Verdict::Rejected(reason), _)) => {
            format!("no mail: {reason}")
        }
        Err(failed) => format!("{failed:#}"),
    };
    if !matches!(rendered, Ok((Verdict::Mail(_), _))) {
        page.iter()
            .try_for_each(|page| page.preview_problem(&told))?;
    }
    if let (Ok((verdict, _)), None) = (rendered, page) {
        show(verdict, json)?;
    }
    eprint(&format_args!("{told}; watching, Ctrl-C ends"));
    Ok(())
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

/// Prints what becomes of a message, and returns the exit code.
fn show(verdict: &Verdict, json: bool) -> anyhow::Result<u8> {
    match (verdict, json) {
        (Verdict::Mail(mail), true) => print(in_json(mail)),
        (Verdict::Mail(mail), false) => print(in_text(mail)),
        (none, true) => print(json!({ "verdict": none.kind().name(), "reason": none.reason() })),
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
