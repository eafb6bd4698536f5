//! `run`: the daemon.

use std::{
    io::{IsTerminal, stderr},
    sync::Arc,
};

use anyhow::Context;
use tokio::{net::TcpListener, sync::mpsc::UnboundedReceiver, task::JoinSet};
use tracing::{error, info, warn};

use super::{
    FAILED, OK, exit_code,
    session::{self, NotStarted, Session, UsageError},
    version,
};
use crate::{
    config::{Flags, KeyOrigin, Loaded, LogFormat},
    daemon, health,
    notification::masked_text,
    pipeline::health_state::HealthState,
    shutdown::{self, Signal},
    telemetry::{
        self, Instruments, LIFECYCLE,
        export_errors::ExportErrors,
        otlp::{Otlp, OtlpError, Wanted},
    },
    timing::TELEMETRY_FLUSH_TIME,
};

/// Runs the daemon and returns the exit code.
pub(super) async fn run(flags: &Flags) -> anyhow::Result<u8> {
    let loaded = session::load(flags)?;
    let signals = shutdown::signals().context("signals cannot be handled")?;
    let wanted = Wanted::read(|name| std::env::var(name).ok());
    let errors = ExportErrors::default();
    let otlp = Otlp::start(&wanted, &errors).await;
    let otlp = otlp.map_err(|refused| -> anyhow::Error {
        match &refused {
            OtlpError::Variables { .. } => UsageError(refused.to_string()).into(),
            OtlpError::NoRoots(_) => NotStarted(refused.to_string()).into(),
        }
    })?;
    let log = &loaded.settings.log;
    let as_json = match log.format {
        LogFormat::Auto => !stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let init = telemetry::init(log.level.into(), as_json, &otlp, errors.clone());
    let last_lines = init.context("there is no thread for the log")?;
    if otlp.is_on() {
        tokio::spawn(errors.clone().run());
    }
    for note in &wanted.notes {
        warn!("{note}");
    }
    let code = work(loaded, &otlp, signals)
        .await
        .unwrap_or_else(|refused| {
            // What ends the process stands in the log, where whoever collects it looks.
            let reason = match refused.downcast_ref() {
                Some(NotStarted(reason)) => reason.clone(),
                None => format!("{refused:#}"),
            };
            error!(target: LIFECYCLE, "not started: {reason}");
            exit_code(&refused)
        });
    otlp.finish(TELEMETRY_FLUSH_TIME).await;
    errors.log_rest();
    drop(last_lines);
    Ok(code)
}

async fn work(
    loaded: Loaded,
    otlp: &Otlp,
    mut signals: UnboundedReceiver<Signal>,
) -> anyhow::Result<u8> {
    for note in &loaded.notes {
        warn!("{note}");
    }
    // The first credentials may take their time, and a stop must not wait for them.
    let mut connecting = Box::pin(Session::connect(loaded));
    let session = loop {
        tokio::select! {
            session = &mut connecting => break session?,
            Some(signal) = signals.recv() => if let Signal::Stop(name) = signal {
                daemon::log_stop_while_starting(name);
                return Ok(OK);
            },
        }
    };
    let Session {
        loaded,
        region,
        world,
        aws,
    } = session;
    let settings = &loaded.settings;
    info!(
        target: LIFECYCLE,
        "organizer-notifier {} starts in {region}",
        version()
    );
    if let Some(elsewhere) = aws.endpoints().elsewhere() {
        info!("{elsewhere}");
    }
    info!("configuration: {}", effective(&loaded.origins));
    let instruments = Arc::new(Instruments::new(otlp, &settings.queue.url));
    let state = Arc::new(HealthState::default());
    // Dropping it closes the port.
    let mut serving = JoinSet::new();
    if let Some(address) = settings.health_listen {
        let port = TcpListener::bind(address).await.with_context(|| {
            format!(
                "health.listen: {address} cannot be listened on (set NOTIFIER_HEALTH__LISTEN \
                     to another port, or to off)"
            )
        })?;
        serving.spawn(health::serve(port, Arc::clone(&state)));
    }
    let ended = daemon::run(world, settings, state, instruments, signals).await;
    Ok(match ended {
        Ok(report) if report.clean => OK,
        // The log says why.
        _ => FAILED,
    })
}

/// Every key that has a value, with the value's source. No key holds a secret; addresses are masked.
fn effective(keys: &[KeyOrigin]) -> String {
    let set = keys.iter().filter_map(|key| {
        let value = masked_text(key.value.as_deref()?);
        Some(format!("{} = {value} ({})", key.key, key.origin))
    });
    set.collect::<Vec<_>>().join(", ")
}
