//! Whether the platform waits as long as a stop may take.

use std::time::Duration;

use super::finding::Finding;
use crate::text::format_duration;

/// The time between the signal and the kill on Fargate, ECS and Kubernetes, unless they are
/// configured otherwise.
const DEFAULT_STOP_TIME: Duration = Duration::from_secs(30);

/// `is_set` says whether an environment variable is there.
pub(super) fn check_stop_time(grace: Duration, is_set: impl Fn(&str) -> bool) -> Finding {
    const CHECK: &str = "stop";
    let needed = format!("shutdown.grace is {}", format_duration(grace));
    let (platform, key) = if is_set("ECS_CONTAINER_METADATA_URI_V4") {
        ("ECS", "stopTimeout")
    } else if is_set("KUBERNETES_SERVICE_HOST") {
        ("Kubernetes", "terminationGracePeriodSeconds")
    } else {
        let found = format!("{needed}, which the platform has to allow");
        return Finding::ok(CHECK, found);
    };
    let usual = format_duration(DEFAULT_STOP_TIME);
    if grace < DEFAULT_STOP_TIME {
        return Finding::ok(CHECK, format!("{needed}, and {platform} allows {usual}"));
    }
    let found = format!("{needed}, and {platform} kills after {usual} unless {key} says otherwise");
    Finding::warning(CHECK, found)
        .advising(format!("set {key} above it, or shorten shutdown.grace"))
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Level, *};

    #[test]
    fn a_grace_that_the_platform_cuts_short_is_told() {
        let on = |platform: &'static str| move |name: &str| name == platform;
        let ecs = on("ECS_CONTAINER_METADATA_URI_V4");
        let kubernetes = on("KUBERNETES_SERVICE_HOST");
        let seconds = Duration::from_secs;
        assert_eq!(check_stop_time(seconds(28), ecs).level, Level::Ok);
        assert_eq!(check_stop_time(seconds(60), on("other")).level, Level::Ok);
        for (finding, key) in [
            (check_stop_time(seconds(30), ecs), "stopTimeout"),
            (
                check_stop_time(seconds(60), kubernetes),
                "terminationGracePeriodSeconds",
            ),
        ] {
            assert_eq!(finding.level, Level::Warning);
            assert!(finding.remedy.unwrap().contains(key));
        }
    }
}
