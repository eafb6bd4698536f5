//! `run`: the daemon.

use std::{
    io::{IsTerminal, stderr},
    sync::Arc,
};

use anyhow::Context;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{FAILED, OK, USAGE, connect, output::tell, version};
use crate::{
    aws::AwsConfig,
    config::{self, Flags, KeyOrigin, Loaded, Log, LogFormat},
    daemon,
    health::Health,
    notification::masked_text,
    pipeline::health_state::HealthState,
    shutdown::{self, Signal},
    telemetry::{
        self, Instruments, LIFECYCLE, LogSettings,
        otlp::{Otlp, Wanted},
        troubles::Troubles,
    },
    timing::TELEMETRY_FLUSH_TIME,
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
    // One thread: with one core, which is what a task usually has, the scheduler for several costs a
    // sixth more a message, and one core carries more than SES lets an account send.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = runtime
        .context("no runtime could be started")
        .and_then(|runtime| {
            let ended = runtime.block_on(start(&loaded));
            // Dropping it would wait for an exporter that hangs, whose time was over.
            runtime.shutdown_background();
            ended
        });
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
    let wanted = Wanted::read(|name| std::env::var(name).ok());
    let troubles = Troubles::default();
    let otlp = match Otlp::start(&wanted, &troubles).await {
        Ok(otlp) => otlp,
        Err(refused) => {
            tell(&refused);
            return Ok(USAGE);
        }
    };
    telemetry::init(log_settings(&loaded.settings.log), &otlp, troubles.clone());
    if otlp.is_on() {
        tokio::spawn(troubles.clone().run());
    }
    for note in &wanted.notes {
        warn!("{note}");
    }
    let code = work(loaded, &wanted, signals).await;
    otlp.finish(TELEMETRY_FLUSH_TIME).await;
    troubles.tell_rest();
    code
}

async fn work(
    loaded: &Loaded,
    wanted: &Wanted,
    signals: UnboundedReceiver<Signal>,
) -> anyhow::Result<u8> {
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
    info!("configuration: {}", effective(&loaded.origins));
    let world = connect::world(settings, &aws)?;
    let instruments = Arc::new(Instruments::new(wanted, &settings.queue.url));
    let state = Arc::new(HealthState::new());
    let stop_health = CancellationToken::new();
    if let Some(address) = settings.health.listen {
        let health = Health::listen(address).await.with_context(|| {
            format!("health.listen: {address} cannot be listened on; choose another port, or off")
        })?;
        tokio::spawn(health.serve(Arc::clone(&state), stop_health.clone()));
    }
    let ended = daemon::run(world, settings, state, instruments, signals).await?;
    stop_health.cancel();
    Ok(if ended.is_clean() { OK } else { FAILED })
}

/// Every key that has a value, with the value's source. No key holds a secret; addresses are masked.
fn effective(keys: &[KeyOrigin]) -> String {
    let set = keys.iter().filter_map(|key| {
        let value = masked_text(key.value.as_deref()?);
        Some(format!("{} = {value} ({})", key.key, key.origin))
    });
    set.collect::<Vec<_>>().join(", ")
}

/// The log's settings for telemetry, which knows nothing of the configuration.
fn log_settings(log: &Log) -> LogSettings {
    LogSettings {
        level: log.level,
        json: match log.format {
            LogFormat::Auto => !stderr().is_terminal(),
            LogFormat::Text => false,
            LogFormat::Json => true,
        },
    }
}
