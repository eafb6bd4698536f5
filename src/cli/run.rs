//! `run`: the daemon.

use std::{
    io::{IsTerminal, stderr},
    iter,
    sync::Arc,
};

use anyhow::Context;
use tokio::{net::TcpListener, sync::mpsc::UnboundedReceiver, task::JoinSet};
use tracing::{error, info, warn};

use super::{
    FAILED, OK, exit_code,
    output::is_stderr_steered,
    session::{self, NotStarted, Session, UsageError},
    version,
};
use crate::{
    config::{self, Flags, KeyOrigin, Loaded, LogFormat},
    daemon, health,
    notification::masked_text,
    pipeline::health_state::HealthState,
    shutdown::{self, Signal},
    telemetry::{
        self, Instruments, LIFECYCLE, Lines,
        export_errors::ExportErrors,
        otlp::{Otlp, OtlpError, Wanted},
    },
    timing::TELEMETRY_FLUSH_TIME,
};

/// Runs the daemon and returns the exit code.
pub(super) async fn run(flags: &Flags) -> anyhow::Result<u8> {
    // First of all: one that comes before would kill without a word.
    let signals = shutdown::signals().context("signals cannot be handled")?;
    let loaded = session::load(flags)?;
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
    let text = Lines::Text {
        colours: is_stderr_steered(),
    };
    let lines = match log.format {
        LogFormat::Auto if stderr().is_terminal() => text,
        LogFormat::Text => text,
        LogFormat::Auto | LogFormat::Json => Lines::Json,
    };
    let init = telemetry::init(log.level.into(), lines, &otlp, errors.clone());
    let last_lines = init.context("there is no thread for the log")?;
    if otlp.is_on() {
        tokio::spawn(errors.clone().run());
    }
    for note in &wanted.notes {
        warn!("{note}");
    }
    let code = work(loaded, lines, &otlp, signals)
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
    lines: Lines,
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
            Some(signal) = signals.recv() => match signal {
                Signal::Stop(_) | Signal::HungUp => {
                    daemon::log_stop_while_starting(signal);
                    return Ok(OK);
                }
                Signal::Tell => daemon::log_state_while_starting(),
                Signal::Reload => daemon::log_reload_while_starting(),
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
    log_configuration(&loaded.origins, lines != Lines::Json);
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

/// Logs every key that has a value, with the value's source. No key holds a secret; addresses are
/// masked. A person wants to see what differs from the defaults, a line for each.
fn log_configuration(keys: &[KeyOrigin], is_for_people: bool) {
    let nothing = iter::empty::<(String, String)>();
    let defaults = config::survey(&Flags::default(), nothing).origins;
    let is_default = |key: &KeyOrigin| {
        let alike = |default: &KeyOrigin| default.key == key.key && default.value == key.value;
        defaults.iter().any(alike)
    };
    let wanted = |key: &&KeyOrigin| !(is_for_people && is_default(key));
    let set = keys.iter().filter(wanted).filter_map(|key| {
        let value = masked_text(key.value.as_deref()?);
        Some(format!("{} = {value} ({})", key.key, key.origin))
    });
    let set: Vec<_> = set.collect();
    if is_for_people {
        for key in set {
            info!("configuration: {key}");
        }
        info!("configuration: all else has its default, as `organizer-notifier config` shows");
    } else {
        info!("configuration: {}", set.join(", "));
    }
}
