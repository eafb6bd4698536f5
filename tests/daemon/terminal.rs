//! A daemon that a person starts at a terminal.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use sandbox::faults::{Fault, Rule};
use tokio::process::{Child, Command};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::daemon::world::World;

/// The person's end of a terminal, which is closed when this is dropped.
struct Terminal(BufReader<File>);

impl Terminal {
    /// Starts a daemon whose terminal this is, as a shell in a new window does.
    fn start(world: &World) -> (Self, Child) {
        // A child that held the person's end too would keep the terminal open.
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let person = openpt(flags).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let terminal = File::options()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap();
        let end = || terminal.try_clone().unwrap();
        let child = Command::new("setsid")
            .args(["--ctty", env!("CARGO_BIN_EXE_organizer-notifier")])
            .env_clear()
            .envs(world.environment())
            .env("TERM", "xterm")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        (Self(BufReader::new(File::from(person))), child)
    }

    /// Reads until a line with this text comes, and returns the line.
    async fn line(mut self, text: &'static str) -> (Self, String) {
        let reading = spawn_blocking(move || {
            let mut all = String::new();
            loop {
                let before = all.len();
                assert!(self.0.read_line(&mut all).unwrap() > 0, "{all}");
                if all[before..].contains(text) {
                    return (self, all[before..].to_owned());
                }
            }
        });
        timeout(Duration::from_mins(1), reading)
            .await
            .unwrap()
            .unwrap()
    }
}

async fn signal(child: &Child, name: &str) {
    let kill = format!("kill -{name} {}", child.id().unwrap());
    let sent = Command::new("sh").args(["-c", &kill]).status().await;
    assert!(sent.unwrap().success(), "{kill}");
}

async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_mins(1), waiting).await.unwrap();
}

#[tokio::test]
async fn a_terminal_that_closes_stops_the_daemon_in_good_order_and_hurries_nothing() {
    let world = World::new().await;
    world.publish_numbered(0).await;
    let (terminal, mut child) = Terminal::start(&world);
    let (terminal, sent) = terminal.line("sent to ").await;
    assert!(
        sent.contains(" (receive 1 of 2)\u{1b}[2m  message "),
        "{sent:?}"
    );
    // While the terminal is there, the signal is about the template.
    signal(&child, "HUP").await;
    let (terminal, _) = terminal.line("template unchanged: ").await;
    world.set_fault(Rule::new(
        "ses:SendEmail",
        Fault::Latency {
            min_ms: 4000,
            max_ms: 4000,
        },
    ));
    world.publish_numbered(1).await;
    until(|| world.calls("ses:SendEmail") >= 3).await;
    drop(terminal);
    // As a shell and the end of a session do it, which learn of it too.
    signal(&child, "HUP").await;
    signal(&child, "TERM").await;
    let ended = timeout(Duration::from_secs(30), child.wait()).await;
    assert_eq!(ended.unwrap().unwrap().code(), Some(0));
    // A stop that was hurried gives a send two seconds.
    assert_eq!(world.mails().len(), 2);
    assert!(world.queued().is_empty(), "{:?}", world.queued());
}
