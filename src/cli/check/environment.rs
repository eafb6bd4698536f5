//! What the daemon begins with: its configuration, region and credentials.

use std::{collections::BTreeSet, time::SystemTime};

use super::{Target, finding::Finding};
use crate::{
    aws::{Endpoints, is_of_aws},
    config::{Loaded, Origin},
    ports::inspect::Inspect,
    text::format_duration,
};

/// Where the configuration comes from. A bad one ends the command before any check.
pub(super) fn check_configuration(loaded: &Loaded) -> Finding {
    const CHECK: &str = "configuration";
    let sources: BTreeSet<_> = loaded
        .origins
        .iter()
        .filter_map(|key| source(&key.origin))
        .collect();
    let sources: Vec<_> = sources.into_iter().collect();
    let found = format!("from {}", sources.join(", "));
    if loaded.notes.is_empty() {
        return Finding::ok(CHECK, found);
    }
    Finding::note(CHECK, format!("{found}; {}", loaded.notes.join("; ")))
        .advising("`organizer-notifier config` shows where each value comes from")
}

fn source(origin: &Origin) -> Option<String> {
    match origin {
        Origin::Unset | Origin::Default => None,
        Origin::File { path, .. } => Some(path.display().to_string()),
        Origin::Variable(_) => Some("variables".to_owned()),
        Origin::Flag(_) => Some("the command line".to_owned()),
    }
}

/// Whether the region in use is the one that the queue's URL names.
pub(super) fn check_region(target: &Target<'_>) -> Finding {
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

/// Where calls do not go to AWS: usual in tests, and elsewhere what makes every other row worth nothing.
pub(super) fn check_endpoint(endpoints: &Endpoints, queue_url: &str) -> Option<Finding> {
    const CHECK: &str = "endpoint";
    let elsewhere = endpoints.elsewhere();
    if elsewhere.is_none() && endpoints.of("sqs").is_none() && !is_of_aws(queue_url) {
        let found = "queue.url is no queue of AWS's, and calls go to AWS: no endpoint is set";
        let finding = Finding::note(CHECK, found);
        return Some(finding.advising("set AWS_ENDPOINT_URL, if another service is meant"));
    }
    if elsewhere.is_none() && endpoints.of("sqs").is_none() && has_old_host(queue_url) {
        let found = "the old host in queue.url is not asked, but the usual one of the region";
        let finding = Finding::note(CHECK, found);
        return Some(finding.advising("give the URL that the SQS console shows"));
    }
    elsewhere.map(|found| Finding::note(CHECK, found))
}

/// Whether a queue's URL is of the form of old: `https://eu-west-2.queue.amazonaws.com/…`
fn has_old_host(url: &str) -> bool {
    let host = url.split('/').nth(2).unwrap_or_default();
    host == "queue.amazonaws.com" || host.ends_with(".queue.amazonaws.com")
}

/// Whether there are credentials. Without them this check fails.
pub(super) async fn check_credentials(inspector: &dyn Inspect) -> Finding {
    const CHECK: &str = "credentials";
    match inspector.credentials().await {
        Ok(None) => Finding::ok(CHECK, "found, no expiry"),
        Ok(Some(end)) => match end.duration_since(SystemTime::now()) {
            Ok(left) if !left.is_zero() => {
                Finding::ok(CHECK, format!("found, valid for {}", format_duration(left)))
            }
            _ => Finding::warning(CHECK, "found, but expired by the clock of this machine")
                .advising("set the clock right, or check what gives the credentials"),
        },
        Err(error) => Finding::refused(CHECK, CHECK, CHECK, &error),
    }
}

/// The region in a queue's URL; `None` if it is not one of AWS's.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Endpoints;

    #[test]
    fn a_host_of_old_is_said_not_to_be_asked() {
        let told = |url| check_endpoint(&Endpoints::default(), url);
        for old in [
            "https://queue.amazonaws.com/123456789012/q",
            "https://eu-west-2.queue.amazonaws.com/123456789012/q",
        ] {
            assert!(told(old).unwrap().found.contains("is not asked"), "{old}");
        }
        assert_eq!(
            told("https://sqs.eu-west-2.amazonaws.com/123456789012/q"),
            None
        );
    }

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
}
