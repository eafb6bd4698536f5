//! What stands around the daemon: its configuration, region, credentials, collector and platform.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use tokio::{net::TcpStream, time::timeout};

use super::{Target, finding::Finding};
use crate::{
    config::{Loaded, Origin},
    notification::masked_text,
    ports::inspect::Inspect,
    text::format_duration,
};

/// How long a collector may take to accept a connection.
const COLLECTOR_WITHIN: Duration = Duration::from_secs(2);
/// Between the signal and the kill on Fargate, ECS and Kubernetes, unless they are told otherwise.
const USUAL_STOP: Duration = Duration::from_secs(30);

/// That it is sound is why we are here.
pub(super) fn configuration(loaded: &Loaded) -> Finding {
    let mut sources = BTreeSet::new();
    for key in &loaded.origins {
        match &key.origin {
            Origin::Unset | Origin::Default => {}
            Origin::File { path, .. } => {
                sources.insert(path.display().to_string());
            }
            Origin::Variable(_) => {
                sources.insert("variables".to_owned());
            }
            Origin::Flag => {
                sources.insert("the command line".to_owned());
            }
        }
    }
    let sources: Vec<_> = sources.into_iter().collect();
    let from = format!("from {}", sources.join(", "));
    if loaded.notes.is_empty() {
        return Finding::ok("configuration", from);
    }
    let found = format!("{from}; {}", loaded.notes.join("; "));
    Finding::note("configuration", found)
        .advising("`organizer-notifier config` tells where each value comes from")
}

/// The queue's URL names a region, too.
pub(super) fn region(target: &Target<'_>) -> Finding {
    let region = target.region;
    match region_of(&target.settings.queue.url) {
        Some(other) if other != region => Finding::failed(
            "region",
            format!("{region} is in use, and queue.url is in {other}"),
        )
        .advising("set REGION (aws.region) to the queue's, or queue.url to a queue of this region"),
        _ => Finding::ok("region", region),
    }
}

/// Whether there are any, and the finding.
pub(super) async fn credentials(inspector: &dyn Inspect) -> (Finding, bool) {
    match inspector.credentials().await {
        Ok(None) => (Finding::ok("credentials", "there, without an end"), true),
        Ok(Some(end)) => {
            let left = end.duration_since(SystemTime::now()).unwrap_or_default();
            let found = format!(
                "there, good for {}",
                format_duration(Duration::from_secs(left.as_secs()))
            );
            (Finding::ok("credentials", found), true)
        }
        Err(error) => (
            Finding::failed("credentials", format!("none: {}", error.message)).advising(
                "give the task a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            ),
            false,
        ),
    }
}

/// Whether the collectors that the standard variables name accept connections.
pub(super) async fn telemetry(variables: impl Iterator<Item = (String, String)>) -> Vec<Finding> {
    const CHECK: &str = "telemetry";
    let variables: Vec<_> = variables.collect();
    let is_disabled = |(name, value): &(String, String)| {
        name == "OTEL_SDK_DISABLED" && value.trim().eq_ignore_ascii_case("true")
    };
    if variables.iter().any(is_disabled) {
        return vec![Finding::ok(CHECK, "off by OTEL_SDK_DISABLED")];
    }
    let mut endpoints: Vec<(String, String)> = variables
        .into_iter()
        .filter(|(name, value)| {
            name.starts_with("OTEL_EXPORTER_OTLP_")
                && name.ends_with("ENDPOINT")
                && !value.is_empty()
        })
        .collect();
    endpoints.sort();
    if endpoints.is_empty() {
        return vec![Finding::ok(CHECK, "off: no OTLP endpoint is set")];
    }
    let mut findings = Vec::new();
    for (name, endpoint) in endpoints {
        let Some(authority) = authority_of(&endpoint) else {
            let found = format!("{name} is no URL");
            findings.push(
                Finding::warning(CHECK, found)
                    .advising("set it to one, such as http://localhost:4318"),
            );
            continue;
        };
        let connected = timeout(COLLECTOR_WITHIN, TcpStream::connect(&authority)).await;
        let why = match connected {
            Ok(Ok(_stream)) => {
                let found = format!("the collector at {authority} accepts connections");
                findings.push(Finding::ok(CHECK, found));
                continue;
            }
            Ok(Err(error)) => masked_text(&error.to_string()),
            Err(_late) => format!("no answer within {}", format_duration(COLLECTOR_WITHIN)),
        };
        let found = format!("the collector at {authority} cannot be reached: {why}");
        findings.push(Finding::warning(CHECK, found).advising(format!(
            "start it, or correct {name}; mails go out without it"
        )));
    }
    findings
}

/// Whether the time to stop fits into what the platform gives, where one is known.
pub(super) fn stop(grace: Duration, variable: impl Fn(&str) -> Option<String>) -> Finding {
    const CHECK: &str = "stop";
    let ecs = variable("ECS_CONTAINER_METADATA_URI_V4").is_some();
    let kubernetes = variable("KUBERNETES_SERVICE_HOST").is_some();
    let needed = format!("shutdown.grace is {}", format_duration(grace));
    let (platform, key) = match (ecs, kubernetes) {
        (true, _) => ("ECS", "stopTimeout"),
        (_, true) => ("Kubernetes", "terminationGracePeriodSeconds"),
        _ => {
            let found = format!("{needed}, which the platform has to allow");
            return Finding::ok(CHECK, found);
        }
    };
    if grace < USUAL_STOP {
        let usual = format_duration(USUAL_STOP);
        return Finding::ok(CHECK, format!("{needed}, and {platform} allows {usual}"));
    }
    let found = format!(
        "{needed}, and {platform} kills after {} unless {key} says otherwise",
        format_duration(USUAL_STOP)
    );
    Finding::warning(CHECK, found)
        .advising(format!("set {key} above it, or shorten shutdown.grace"))
}

/// The region in a queue's URL; `None` where it is none of AWS's.
fn region_of(url: &str) -> Option<&str> {
    let host = url.split_once("://")?.1.split('/').next()?;
    let labels: Vec<_> = host.split('.').collect();
    match labels[..] {
        ["queue", "amazonaws", "com"] => Some("us-east-1"),
        // The last is a private endpoint: vpce-0ab-cd.sqs.eu-central-1.vpce.amazonaws.com
        [region, "queue", "amazonaws", ..]
        | ["sqs" | "sqs-fips", region, "amazonaws" | "api", ..]
        | [_, "sqs", region, "vpce", "amazonaws", ..] => Some(region),
        _ => None,
    }
}

/// Host and port of an endpoint, with the port of its scheme or of OTLP.
fn authority_of(endpoint: &str) -> Option<String> {
    let (scheme, rest) = endpoint.trim().split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let host_end = authority.rfind(']').map_or(0, |at| at + 1);
    match authority {
        "" => None,
        with_port if with_port[host_end..].contains(':') => Some(with_port.to_owned()),
        host => Some(format!("{host}:{port}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Level, *};

    #[test]
    fn a_queues_url_tells_its_region() {
        for (url, region) in [
            (
                "https://sqs.eu-central-1.amazonaws.com/1/q",
                Some("eu-central-1"),
            ),
            (
                "https://sqs.cn-north-1.amazonaws.com.cn/1/q",
                Some("cn-north-1"),
            ),
            (
                "https://sqs-fips.us-gov-west-1.amazonaws.com/1/q",
                Some("us-gov-west-1"),
            ),
            ("https://sqs.eu-west-1.api.aws/1/q", Some("eu-west-1")),
            ("https://queue.amazonaws.com/1/q", Some("us-east-1")),
            (
                "https://eu-west-2.queue.amazonaws.com/1/q",
                Some("eu-west-2"),
            ),
            (
                "https://vpce-0ab-cd.sqs.eu-west-3.vpce.amazonaws.com/1/q",
                Some("eu-west-3"),
            ),
            ("http://127.0.0.1:4566/000000000000/q", None),
        ] {
            assert_eq!(region_of(url), region, "{url}");
        }
    }

    #[test]
    fn an_endpoint_tells_where_to_connect() {
        for (endpoint, authority) in [
            ("http://localhost:4318", Some("localhost:4318")),
            (
                "https://otel.example.com/v1/traces",
                Some("otel.example.com:443"),
            ),
            ("http://[::1]:4317/", Some("[::1]:4317")),
            ("http://[::1]", Some("[::1]:80")),
            ("http://user:secret@otel:4318", Some("otel:4318")),
            ("localhost:4317", None),
            ("ftp://x", None),
            ("http://", None),
        ] {
            assert_eq!(authority_of(endpoint).as_deref(), authority, "{endpoint}");
        }
    }

    #[test]
    fn a_grace_that_the_platform_cuts_short_is_told() {
        let on =
            |platform: &'static str| move |name: &str| (name == platform).then(|| "x".to_owned());
        let ecs = on("ECS_CONTAINER_METADATA_URI_V4");
        let kubernetes = on("KUBERNETES_SERVICE_HOST");
        let seconds = Duration::from_secs;
        assert_eq!(stop(seconds(28), ecs).level, Level::Ok);
        assert_eq!(stop(seconds(60), on("other")).level, Level::Ok);
        for (finding, key) in [
            (stop(seconds(30), ecs), "stopTimeout"),
            (
                stop(seconds(60), kubernetes),
                "terminationGracePeriodSeconds",
            ),
        ] {
            assert_eq!(finding.level, Level::Warning);
            assert!(finding.remedy.unwrap().contains(key));
        }
    }
}
