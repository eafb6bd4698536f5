//! What keeps every call from being looked at is one cause: it is told once, with its own remedy.

use sandbox::faults::{Fault, Rule};

use crate::daemon::process::Daemon;
use crate::daemon::world::World;

const SKEWED: &str = "Signature expired: 20261127T031000Z is now earlier than 20261127T033000Z \
                      (20261127T033500Z - 5 min.)";

/// Every call is refused like this.
fn refuse_all(world: &World, code: &str, message: &str) {
    let fault = Fault::Error {
        code: code.to_owned(),
        status: 403,
        message: message.to_owned(),
    };
    let all = ["sqs:*", "ses:*", "codecommit:*"];
    let rules = all.map(|calls| Rule::new(calls, fault.clone()));
    world.aws().faults.set(rules.to_vec());
}

#[tokio::test]
async fn what_fails_every_call_at_a_start_is_told_in_one_line_with_its_own_remedy() {
    let world = World::new().await;
    for (code, message, told, remedy) in [
        (
            "ExpiredTokenException",
            "The security token included in the request is expired",
            "the AWS credentials have expired (GetQueueAttributes: ExpiredTokenException: ",
            "for keys in variables, set new ones and restart; for a profile, sign in again",
        ),
        (
            "InvalidSignatureException",
            SKEWED,
            "the clock of this machine is 25 min 0 s behind AWS's (GetQueueAttributes: ",
            "set the clock right: AWS refuses requests from one that is 5 minutes off",
        ),
        (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            "AWS does not know the access key (GetQueueAttributes: ",
            "check AWS_ACCESS_KEY_ID or the profile: ",
        ),
    ] {
        refuse_all(&world, code, message);
        let mut daemon = Daemon::start(&world, &[]);
        let line = daemon.line("not started yet: ").await;
        assert_eq!(line.level(), "ERROR");
        assert!(line.message().contains(told), "{line:?}");
        assert!(line.message().contains(remedy), "{line:?}");
        let before = world.calls("sqs:GetQueueAttributes");
        daemon
            .until("more attempts", || {
                world.calls("sqs:GetQueueAttributes") >= before + 2
            })
            .await;
        world.aws().faults.set(vec![]);
        daemon.line("started: ").await;
        let ended = daemon.stop().await;
        let troubles = ended.lines.iter();
        let troubles = troubles.filter(|line| ["ERROR", "WARN"].contains(&line.level()));
        let of_template = "this template is in use, and may be wrong";
        let troubles = troubles.filter(|line| !line.message().starts_with(of_template));
        assert_eq!(troubles.count(), 1, "{}", ended.stderr);
    }
}

#[tokio::test]
async fn credentials_that_expire_while_it_works_have_one_remedy_in_every_line() {
    let world = World::new().await;
    let mut daemon = Daemon::started(&world, &[]).await;
    refuse_all(&world, "ExpiredTokenException", "The token is expired");
    world.publish_numbered(1).await;
    // Of receiving, or of sending where a receive was under way.
    let line = daemon.line("the AWS credentials have expired (").await;
    assert_eq!(line.level(), "ERROR");
    assert!(
        line.message()
            .contains("); for keys in variables, set new ones and restart; "),
        "{line:?}"
    );
    world.aws().faults.set(vec![]);
    daemon.until("the mail", || world.mails().len() == 1).await;
    let ended = daemon.stop().await;
    for line in &ended.lines {
        assert!(!line.message().contains("give the role"), "{line:?}");
    }
}
