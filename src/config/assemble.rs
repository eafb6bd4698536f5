//! Puts the values that were read into the settings.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::settings::{
    Aws, Email, Health, Log, LogFormat, Message, Placeholder, Queue, Retry, SendRate, Settings,
    Shutdown, TemplateLocation, TemplateSettings,
};
use super::units::Parsed;

/// The settings of the values by key. A value that is missing for a problem
/// that was told is empty here; such settings are never handed out.
pub(super) fn settings(values: BTreeMap<String, Parsed>) -> Settings {
    let mut values = Values(values);
    Settings {
        aws: Aws {
            region: values.text("aws.region"),
        },
        queue: Queue {
            url: values.text("queue.url").unwrap_or_default(),
            wait_time: values.time("queue.wait_time"),
            visibility_timeout: values.time("queue.visibility_timeout"),
        },
        concurrency: values.count("concurrency"),
        template: TemplateSettings {
            source: values.template(),
            ttl: values.time("template.ttl"),
            max_bytes: values.size("template.max_bytes"),
        },
        message: Message {
            recipient: values.text("message.recipient").unwrap_or_default(),
            placeholders: values.placeholders(),
        },
        email: Email {
            sender: values.text("email.sender").unwrap_or_default(),
            subject: values.text("email.subject").unwrap_or_default(),
            reply_to: values.texts("email.reply_to"),
            configuration_set: values.text("email.configuration_set"),
            timeout: values.time("email.timeout"),
            max_send_rate: values.rate("email.max_send_rate"),
        },
        retry: Retry {
            max_elapsed: values.time("retry.max_elapsed"),
        },
        shutdown: Shutdown {
            grace: values.time("shutdown.grace"),
        },
        health: Health {
            listen: values.listen("health.listen"),
        },
        log: Log {
            level: level(&values.text("log.level").unwrap_or_default()),
            format: format(&values.text("log.format").unwrap_or_default()),
        },
    }
}

struct Values(BTreeMap<String, Parsed>);

impl Values {
    fn text(&mut self, key: &str) -> Option<String> {
        match self.0.remove(key) {
            Some(Parsed::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn texts(&mut self, key: &str) -> Vec<String> {
        match self.0.remove(key) {
            Some(Parsed::Texts(texts)) => texts,
            _ => Vec::new(),
        }
    }

    fn time(&mut self, key: &str) -> Duration {
        match self.0.remove(key) {
            Some(Parsed::Time(time)) => time,
            _ => Duration::ZERO,
        }
    }

    fn size(&mut self, key: &str) -> u64 {
        match self.0.remove(key) {
            Some(Parsed::Size(size)) => size,
            _ => 0,
        }
    }

    fn count(&mut self, key: &str) -> usize {
        match self.0.remove(key) {
            Some(Parsed::Count(count)) => count,
            _ => 0,
        }
    }

    fn rate(&mut self, key: &str) -> SendRate {
        match self.0.remove(key) {
            Some(Parsed::Rate(rate)) => rate,
            _ => SendRate::Account,
        }
    }

    fn listen(&mut self, key: &str) -> Option<SocketAddr> {
        match self.0.remove(key) {
            Some(Parsed::Listen(address)) => address,
            _ => None,
        }
    }

    fn template(&mut self) -> TemplateLocation {
        if let Some(path) = self.text("template.file") {
            return TemplateLocation::File(path.into());
        }
        TemplateLocation::CodeCommit {
            repository: self.text("template.repository").unwrap_or_default(),
            path: self.text("template.path").unwrap_or_default(),
            reference: self.text("template.reference"),
        }
    }

    fn placeholders(&mut self) -> BTreeMap<String, Placeholder> {
        let prefix = "message.placeholders.";
        let names: Vec<String> = self
            .0
            .keys()
            .filter_map(|key| key.strip_prefix(prefix)?.strip_suffix(".field"))
            .map(str::to_owned)
            .collect();
        let placeholder = |name: String| {
            let part = |part: &str| format!("{prefix}{name}.{part}");
            let field = self.text(&part("field")).unwrap_or_default();
            let fallback = self.text(&part("fallback"));
            let default = self.text(&part("default"));
            (
                name,
                Placeholder {
                    field,
                    fallback,
                    default,
                },
            )
        };
        names.into_iter().map(placeholder).collect()
    }
}

fn level(word: &str) -> LevelFilter {
    match word {
        "trace" => LevelFilter::TRACE,
        "debug" => LevelFilter::DEBUG,
        "warn" => LevelFilter::WARN,
        "error" => LevelFilter::ERROR,
        "off" => LevelFilter::OFF,
        _ => LevelFilter::INFO,
    }
}

fn format(word: &str) -> LogFormat {
    match word {
        "text" => LogFormat::Text,
        "json" => LogFormat::Json,
        _ => LogFormat::Auto,
    }
}
