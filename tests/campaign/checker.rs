//! The checker's word on a scenario: it reads the history and the daemons' logs, and knows nothing of what was
//! played.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::process::Command;

use super::world::{HISTORY, World};

/// The history, and what is broken in it, or what was judged.
pub(crate) async fn verdict(world: &World) -> anyhow::Result<(PathBuf, Result<String, String>)> {
    let history = world.plan.logs.join(HISTORY);
    let settings = &world.launch.settings;
    let mode = match (
        settings.contains_key("feedback.queue_url"),
        settings.contains_key("ledger.table"),
    ) {
        (false, false) => "memory",
        (true, false) => "feedback",
        (false, true) => "table",
        (true, true) => "both",
    };
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checker/check.py");
    let mut arguments: Vec<OsString> = vec!["-B".into(), program.into(), history.clone().into()];
    arguments.extend(world.logs().into_iter().map(OsString::from));
    arguments.extend(["--mode".into(), mode.into()]);
    let ended = Command::new("python3")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .context("the checker needs python3")?;
    let said = String::from_utf8_lossy(&ended.stdout).trim().to_owned();
    let last = said.lines().last().unwrap_or_default().to_owned();
    Ok((
        history,
        match ended.status.code() {
            Some(0) => Ok(format!("the checker: {last}")),
            Some(1) => Err(said),
            _ => bail!("the checker: {}", String::from_utf8_lossy(&ended.stderr)),
        },
    ))
}
