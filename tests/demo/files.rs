//! The mails as files, for looking at with whatever is at hand.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use sandbox::outbox::StoredMail;

use crate::stage::Published;

/// A directory beside the program's own: `target/demo`.
pub(crate) struct Files {
    directory: PathBuf,
    log: PathBuf,
}

impl Files {
    /// Makes the directory.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let program = env::current_exe().context("this program cannot be found")?;
        // Cargo runs `target/debug/examples/demo`; anything else has no target directory.
        let directory = program
            .ancestors()
            .nth(3)
            .filter(|_| {
                program
                    .parent()
                    .is_some_and(|parent| parent.ends_with("examples"))
            })
            .map_or_else(
                || env::temp_dir().join("organizer-notifier-demo"),
                |target| target.join("demo"),
            );
        fs::create_dir_all(&directory)
            .with_context(|| format!("{} cannot be made", directory.display()))?;
        let log = directory.join("daemon.log");
        Ok(Self { directory, log })
    }

    /// Writes the parts of each mail; what an earlier run left of the same name goes.
    pub(crate) fn write(
        &self,
        published: &[Published],
        mails: &[StoredMail],
    ) -> anyhow::Result<()> {
        for published in published {
            let mail = mails.iter().find(|mail| published.is_told_by(mail));
            let parts = mail.map(|mail| (mail.html.as_deref(), mail.text.as_deref()));
            let (html, text) = parts.unwrap_or_default();
            for (kind, part) in [("html", html), ("txt", text)] {
                let path = self
                    .directory
                    .join(format!("{}.{kind}", published.event.stem));
                let done = match part {
                    Some(part) => fs::write(&path, part),
                    None if path.exists() => fs::remove_file(&path),
                    None => Ok(()),
                };
                done.with_context(|| format!("{} cannot be written", path.display()))?;
            }
        }
        Ok(())
    }

    /// The directory, as short as it can be said from here.
    pub(crate) fn shown(&self) -> &Path {
        let here = env::current_dir().ok();
        here.and_then(|here| self.directory.strip_prefix(here).ok())
            .unwrap_or(&self.directory)
    }

    /// Where the daemon's log goes.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }
}
