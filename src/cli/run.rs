//! `run`: the daemon.

use anyhow::Context;
use tracing::{info, warn};

use super::{FAILED, OK, USAGE, connect, output::tell, version};
use crate::{
    aws::AwsConfig,
    config::{self, Flags, Loaded},
    daemon, shutdown,
    telemetry::{self, LIFECYCLE},
};

/// Runs the daemon and returns the exit code.
pub(super) fn run(flags: &Flags) -> u8 {
    let loaded = match config::load(flags, std::env::vars_os()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            tell(&problems);
            return USAGE;
        }
    };
    telemetry::init(&loaded.settings.log);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let ended = runtime
        .context("no runtime could be started")
        .and_then(|runtime| runtime.block_on(start(&loaded)));
    match ended {
        Ok(code) => code,
        Err(failed) => {
            tell(&format_args!("{failed:#}"));
            FAILED
        }
    }
}

async fn start(loaded: &Loaded) -> anyhow::Result<u8> {
    let signals = shutdown::signals().context("signals cannot be handled")?;
    for note in &loaded.notes {
        warn!("{note}");
    }
    let settings = &loaded.settings;
    let aws = AwsConfig::load(settings.aws.region.as_deref()).await;
    let Some(region) = aws.region() else {
        tell(&connect::NO_REGION);
        return Ok(USAGE);
    };
    info!(
        target: LIFECYCLE,
        "organizer-notifier {} starts in {region}",
        version()
    );
    let composer = settings.composer()?;
    let outside = connect::outside(settings, &aws)?;
    let ended = daemon::run(settings, composer, outside, signals).await;
    Ok(if ended.is_clean() { OK } else { FAILED })
}
