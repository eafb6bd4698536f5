//! The sandbox as a program: what it says at its start, and where it listens.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};

struct Program {
    child: Child,
    /// What it said, up to the commands that end every fault.
    said: String,
}

impl Program {
    fn start(listen: &str) -> Self {
        let mut child = command(listen).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = String::new();
        for line in lines.by_ref() {
            let line = line.unwrap();
            said.push_str(&line);
            said.push('\n');
            if line.starts_with("curl -X DELETE") {
                break;
            }
        }
        Self { child, said }
    }

    fn address(&self) -> &str {
        let first = self.said.lines().next().unwrap();
        first.strip_prefix("listening on http://").unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn command(listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox"));
    command
        .args(["--listen", listen])
        .env("RUST_BACKTRACE", "1");
    command
}

fn refused(listen: &str) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command(listen).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn the_start_names_every_address_after_the_line_that_scripts_read() {
    let program = Program::start("127.0.0.1:0");
    let address = program.address();
    assert!(
        address.starts_with("127.0.0.1:") && !address.ends_with(":0"),
        "{address}"
    );
    for path in [
        "/outbox ",
        "/faults     none in force",
        "/events ",
        "/reset ",
    ] {
        assert!(
            program.said.contains(&format!("http://{address}{path}")),
            "{path}: {}",
            program.said
        );
    }
}

#[test]
fn the_exports_can_be_pasted_into_a_shell() {
    let program = Program::start("0");
    let exports: Vec<_> = program
        .said
        .lines()
        .filter(|line| line.starts_with("export "))
        .collect();
    let script = format!("set -eu\n{}\nenv", exports.join("\n"));
    let shell = Command::new("sh")
        .args(["-c", &script])
        .env_clear()
        .output()
        .unwrap();
    assert!(shell.status.success());
    let env = String::from_utf8(shell.stdout).unwrap();
    let address = program.address();
    for line in [
        format!("AWS_ENDPOINT_URL=http://{address}"),
        "AWS_ACCESS_KEY_ID=local".to_owned(),
        "AWS_SECRET_ACCESS_KEY=local".to_owned(),
        "AWS_REGION=us-east-1".to_owned(),
        "REGION=us-east-1".to_owned(),
        format!("SQS_URL=http://{address}/000000000000/organizer"),
        "CODECOMMIT_REPO=templates".to_owned(),
        "NEW_EVENT_NOTIFICATION_EMAIL=new_event.html".to_owned(),
        "SENDER=Events <events@example.com>".to_owned(),
        "SUBJECT=Registered: {summary}".to_owned(),
    ] {
        assert!(env.lines().any(|one| one == line), "{line}: {env}");
    }
}

#[tokio::test]
async fn the_fault_that_it_tells_of_can_be_set_as_told() {
    let program = Program::start("0");
    let said = &program.said;
    let from = said.find("-d '").unwrap() + "-d '".len();
    let body = &said[from..from + said[from..].find('\'').unwrap()];
    let faults = sandbox::faults::Faults::new();
    faults.set_json(body.as_bytes()).unwrap();
    let plan = faults.plan("ses:SendEmail", b"");
    let refusal = sandbox::faults::Fault::error("AccountSuspendedException", 400);
    assert_eq!(plan.fault, Some(refusal));
}

#[test]
fn a_port_alone_is_one_of_this_machine() {
    let program = Program::start("0");
    assert!(
        program.address().starts_with("127.0.0.1:"),
        "{}",
        program.said
    );
}

#[test]
fn a_server_for_every_address_tells_programs_here_to_use_this_machines() {
    let program = Program::start("0.0.0.0:0");
    let port = program.address().strip_prefix("0.0.0.0:").unwrap();
    let endpoint = format!("export AWS_ENDPOINT_URL=http://127.0.0.1:{port} ");
    assert!(program.said.contains(&endpoint), "{}", program.said);
}

#[test]
fn a_port_in_use_is_told_in_one_line() {
    let program = Program::start("0");
    let (code, said) = refused(program.address());
    assert_eq!(code, Some(1));
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.starts_with(&format!("{} is in use", program.address())),
        "{said}"
    );
    assert!(said.contains("--listen"), "{said}");
}

#[test]
fn what_is_no_address_is_told_with_what_is() {
    let (code, said) = refused("localhost");
    assert_eq!(code, Some(2));
    assert!(said.contains("'localhost'"), "{said}");
    assert!(said.contains("such as 127.0.0.1:4566"), "{said}");
    let (code, said) = refused("192.0.2.1:80");
    assert_eq!(code, Some(1));
    assert!(
        said.starts_with("cannot listen on 192.0.2.1:80: "),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}
