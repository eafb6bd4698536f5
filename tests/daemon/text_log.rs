//! The log for people.

use std::time::Duration;

use sandbox::faults::{Fault, Rule};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::daemon::world::World;

/// Runs a daemon that writes text, and stops it behind so many lines with `until`. Returns what it wrote,
/// without the times of day.
async fn text_of(
    world: &World,
    variables: &[(&str, &str)],
    until: &str,
    mut lines_left: usize,
) -> Vec<String> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_organizer-notifier"))
        .env_clear()
        .envs(world.environment())
        .env("NOTIFIER_LOG__FORMAT", "text")
        .envs(variables.iter().copied())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let id = child.id().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut text = Vec::new();
    let mut is_stopping = false;
    let reading = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            lines_left = lines_left.saturating_sub(usize::from(line.contains(until)));
            if lines_left == 0 && !is_stopping {
                is_stopping = true;
                let kill = format!("kill -INT {id}");
                let sent = Command::new("sh").args(["-c", &kill]).status().await;
                assert!(sent.unwrap().success());
            }
            text.push(line);
        }
    };
    let ended = timeout(Duration::from_mins(1), reading).await;
    assert!(ended.is_ok(), "{text:#?}");
    assert!(child.wait().await.unwrap().success(), "{text:#?}");
    assert!(
        text[0].starts_with("-- 20") && text[0].ends_with(" (UTC)"),
        "{text:#?}"
    );
    let behind_time = |line: &String| {
        let (time, rest) = line.split_once(' ').unwrap();
        assert_eq!(time.len(), "16:28:37".len(), "{line}");
        rest.to_owned()
    };
    text.iter().skip(1).map(behind_time).collect()
}

#[tokio::test]
async fn a_mail_is_a_short_sentence_and_the_configuration_is_what_differs_from_the_defaults() {
    let world = World::new().await;
    let message = world.publish_numbered(0).await;
    let text = text_of(&world, &[], "sent to ", 1).await;
    let sent: Vec<_> = text
        .iter()
        .filter(|line| line.starts_with("sent "))
        .collect();
    let [sent] = sent[..] else {
        panic!("{text:#?}")
    };
    assert!(
        sent.starts_with("sent to p***@guests.example in "),
        "{sent}"
    );
    assert!(
        sent.contains(" (receive 1 of 2)  message ") && sent.len() < 110,
        "{sent}"
    );
    assert!(
        !sent.contains(&message),
        "the notification's id is for debug: {sent}"
    );
    let configuration: Vec<_> = text
        .iter()
        .filter_map(|line| line.strip_prefix("configuration: "))
        .collect();
    let has = |start: &str| configuration.iter().any(|line| line.starts_with(start));
    assert!(
        has("queue.url = ") && has("log.format = \"text\" (NOTIFIER_LOG__FORMAT)"),
        "{text:#?}"
    );
    assert!(
        !has("concurrency") && has("all else has its default"),
        "{text:#?}"
    );
}

#[tokio::test]
async fn at_debug_receives_deletes_backoff_and_probes_are_told() {
    let world = World::new().await;
    let failing = |body: &str, count| Rule {
        body_contains: Some(body.to_owned()),
        count: Some(count),
        ..Rule::new(
            "ses:SendEmail",
            Fault::error("InternalServiceErrorException", 500),
        )
    };
    let faults = vec![failing("uid-0001", 2), failing("simulator", 1)];
    world.aws().faults.set(faults);
    world.publish_numbered(0).await;
    world.publish_numbered(1).await;
    let variables = [("LOG_LEVEL", "DEBUG")];
    let text = text_of(&world, &variables, "sent to ", 2).await;
    for told in [
        "debug received 1 in ",
        "debug backoff: attempt 2 follows in ",
        "debug a probe of the mail breaker failed: SendEmail: InternalServiceErrorException: ",
        "; the next is due in ",
        "debug deleted 1 of 1",
    ] {
        let is_told = text.iter().any(|line| line.contains(told));
        assert!(is_told, "{told}: {text:#?}");
    }
}
