//! Help, version, completions and what is said to mistakes on the command line.

use crate::commands::stage::run_bare;

#[tokio::test]
async fn every_command_is_helped_with_examples() {
    let done = run_bare(&[], &["--help"]).await;
    done.exits(0);
    for command in [
        "run",
        "check",
        "render",
        "triage",
        "config",
        "healthcheck",
        "completions",
    ] {
        assert!(done.out.contains(&format!("\n  {command} ")), "{done}");
        let help = run_bare(&[], &[command, "--help"]).await;
        help.exits(0);
        assert!(!help.out.contains('\u{1b}'), "{help}");
        assert!(help.out.contains("Examples:"), "{help}");
        if command != "completions" {
            assert!(help.out.contains("Exit codes: 0 "), "{help}");
        }
    }
    assert!(done.out.contains("Examples:"), "{done}");
    assert!(done.out.contains("Exit codes: 0 "), "{done}");
    assert_eq!(done.err, "");
}

#[tokio::test]
async fn the_version_is_told() {
    let done = run_bare(&[], &["--version"]).await;
    let version = env!("CARGO_PKG_VERSION");
    let expected = match option_env!("ORGANIZER_NOTIFIER_COMMIT") {
        None | Some("") => format!("organizer-notifier {version}"),
        Some(commit) => format!("organizer-notifier {version} ({commit})"),
    };
    assert_eq!(done.exits(0).out.trim_end(), expected);
}

#[tokio::test]
async fn mistakes_exit_64_and_tell_what_was_meant() {
    for (arguments, told) in [
        (&["chek"][..], "check"),
        (&["check", "--jason"], "--json"),
        (&["triage"], "--queue-url"),
        (&["triage", "--queue-url", "x", "--limit", "0"], "100000"),
        (&["--set", "concurrency"], "KEY=VALUE"),
        (&["completions", "cmd"], "bash"),
    ] {
        let done = run_bare(&[], arguments).await;
        done.exits(64);
        assert!(done.err.contains(told), "{done}");
        assert_eq!(done.out, "");
    }
}

#[tokio::test]
async fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let done = run_bare(&[], &["completions", shell]).await;
        done.exits(0);
        assert!(done.out.contains("healthcheck"), "{shell}");
    }
}
