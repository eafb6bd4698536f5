//! `run`: the daemon.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{FAILED, OK, USAGE};
use crate::{
    aws::{AwsConfig, CodeCommitTemplate, SesAccount, SesMailer, SqsQueue, TemplateAddress},
    config::{self, Flags, KeyOrigin, Loaded, Settings, TemplateLocation},
    daemon::{self, Outside},
    health::Health,
    pipeline::{self, drain, lease, vitals::Vitals},
    ports::TemplateSource,
    shutdown::{self, Signal},
    telemetry::{
        self, Instruments, LIFECYCLE,
        observed::ObservedSource,
        otlp::{Otlp, Wanted},
        troubles::Troubles,
    },
    template_file::TemplateOnDisk,
    template_store::TemplateStore,
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
    let runtime = tokio::runtime::Builder::new_multi_thread()
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
    telemetry::init(&loaded.settings.log, &otlp, troubles.clone());
    if otlp.is_on() {
        tokio::spawn(troubles.clone().run());
    }
    for note in &wanted.notes {
        warn!("{note}");
    }
    let code = work(loaded, &wanted, signals).await;
    otlp.finish(drain::TELEMETRY).await;
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
        tell(&"no AWS region: set REGION, aws.region or AWS_REGION");
        return Ok(USAGE);
    };
    info!(
        target: LIFECYCLE,
        "organizer-notifier {} starts in {region}",
        env!("CARGO_PKG_VERSION")
    );
    info!("configuration: {}", effective(&loaded.origins));
    let composer = settings.composer()?;
    let outside = connect(settings, &aws, wanted)?;
    let stop_health = CancellationToken::new();
    if let Some(address) = settings.health.listen {
        let health = Health::listen(address).await.with_context(|| {
            format!("health.listen: {address} cannot be listened on; choose another port, or off")
        })?;
        tokio::spawn(health.serve(Arc::clone(&outside.vitals), stop_health.clone()));
    }
    let ended = daemon::run(settings, composer, outside, signals).await;
    stop_health.cancel();
    Ok(if ended.is_clean() { OK } else { FAILED })
}

/// The clients, set up as the daemon uses them.
fn connect(settings: &Settings, aws: &AwsConfig, wanted: &Wanted) -> anyhow::Result<Outside> {
    let instruments = Arc::new(Instruments::new(wanted, &settings.queue.url));
    let sender = settings.sender()?.address().as_str().to_owned();
    let source: Arc<dyn TemplateSource> = match &settings.template.source {
        TemplateLocation::CodeCommit {
            repository,
            path,
            reference,
        } => Arc::new(CodeCommitTemplate::new(
            aws,
            TemplateAddress {
                repository: repository.clone(),
                path: path.clone(),
                reference: reference.clone(),
            },
        )),
        TemplateLocation::File(path) => Arc::new(TemplateOnDisk::new(PathBuf::clone(path))),
    };
    let source = Arc::new(ObservedSource::new(source, Arc::clone(&instruments)));
    let templates = TemplateStore::new(
        source,
        settings.placeholders()?,
        settings.template.ttl,
        settings.template.max_bytes,
    );
    let settle_timeout = lease::call_timeout(settings.queue.visibility_timeout);
    let queue = SqsQueue::new(aws, settings.queue.url.clone(), settle_timeout);
    Ok(Outside {
        queue: Arc::new(queue),
        mailer: Arc::new(SesMailer::new(
            aws,
            sender,
            settings.email.configuration_set.clone(),
            settings.email.timeout,
        )),
        account: Arc::new(SesAccount::new(aws)),
        templates: Arc::new(templates),
        vitals: Arc::new(Vitals::new()),
        instruments,
    })
}

/// Every key that has a value, with the value's source. No key holds a secret; addresses are masked.
fn effective(keys: &[KeyOrigin]) -> String {
    let set = keys.iter().filter_map(|key| {
        let value = pipeline::masked_text(key.value.as_deref()?);
        Some(format!("{} = {value} ({})", key.key, key.origin))
    });
    set.collect::<Vec<_>>().join(", ")
}

/// What cannot be told by the log, since it is not set up or would not show it.
#[expect(
    clippy::print_stderr,
    reason = "a command line tool tells its errors on standard error"
)]
fn tell(what: &dyn std::fmt::Display) {
    eprintln!("organizer-notifier: {what}");
}
