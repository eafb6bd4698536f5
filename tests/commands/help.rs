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
    let version = env!("CARGO_PKG_VERSION");
    let expected = match option_env!("ORGANIZER_NOTIFIER_COMMIT") {
        None | Some("") => format!("organizer-notifier {version}"),
        Some(commit) => format!("organizer-notifier {version} ({commit})"),
    };
    for asked in ["--version", "-V", "-v", "version"] {
        let done = run_bare(&[], &[asked]).await;
        assert_eq!(done.exits(0).out.trim_end(), expected, "{asked}");
    }
}

#[tokio::test]
async fn help_is_a_command_too() {
    for (command, flag) in [
        (&["help"][..], &["--help"][..]),
        (&["help", "check"], &["check", "--help"]),
        (&["help", "triage"], &["triage", "--help"]),
        (&["help", "version"], &["version", "--help"]),
    ] {
        let done = run_bare(&[], command).await;
        assert_eq!(done.exits(0).out, run_bare(&[], flag).await.exits(0).out);
    }
    let done = run_bare(&[], &["help", "chek"]).await;
    assert!(done.exits(64).err.contains("chek"), "{done}");
}

#[tokio::test]
async fn help_is_as_wide_as_the_terminal_and_no_wider_than_a_page() {
    let commands = [
        "run",
        "check",
        "render",
        "triage",
        "config",
        "healthcheck",
        "completions",
        "version",
    ];
    for (columns, widest) in [("50", 50), ("80", 80), ("300", 100)] {
        for command in commands {
            let done = run_bare(&[("COLUMNS", columns)], &["help", command]).await;
            for line in done.exits(0).out.lines() {
                // What has no blank to break at stays whole, and clap wraps no usage.
                let words = line.split_whitespace().count();
                let is_whole = words == 1 || line.starts_with("Usage: ");
                let width = line.chars().count();
                assert!(width <= widest || is_whole, "{command}: {width}: {line}");
            }
        }
    }
}

#[tokio::test]
async fn verbose_is_not_taken_for_version() {
    for arguments in [&["--verbose"][..], &["check", "--verbose"]] {
        let done = run_bare(&[], arguments).await;
        assert!(!done.exits(64).err.contains("--version"), "{done}");
        assert!(done.err.contains("--set log.level=debug"), "{done}");
    }
}

#[tokio::test]
async fn the_configurations_flags_are_offered_where_they_do_something() {
    for command in ["run", "check", "render", "triage", "config", "healthcheck"] {
        let help = run_bare(&[], &[command, "--help"]).await;
        assert!(help.exits(0).out.contains("--set <KEY=VALUE>"), "{help}");
    }
    for command in ["completions", "version"] {
        let help = run_bare(&[], &[command, "--help"]).await;
        assert!(!help.exits(0).out.contains("--set"), "{help}");
    }
    for arguments in [
        &["completions", "bash", "--set", "a=b"][..],
        &["--set", "a=b", "completions", "bash"],
        &["--config", "/nope", "completions", "bash"],
        &["--set", "a=b", "version"],
        &["version", "--config", "/nope"],
    ] {
        let done = run_bare(&[], arguments).await;
        assert_eq!(done.exits(64).out, "");
    }
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
