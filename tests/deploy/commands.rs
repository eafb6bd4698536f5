//! The guides' commands can be pasted as they stand: what they use is set before, on the same page.

use std::collections::BTreeSet;

use crate::stack::Stack;
use crate::text;

/// The blocks of commands of a page, in order, each with all of the page that stands before it.
fn blocks_after(page: &str) -> Vec<(&str, String)> {
    let mut found: Vec<(&str, String)> = Vec::new();
    let mut inside = false;
    let mut at = 0;
    for line in page.split_inclusive('\n') {
        match line.trim() {
            "```sh" => {
                inside = true;
                found.push((&page[..at], String::new()));
            }
            "```" => inside = false,
            command if inside => {
                let (_, block) = found.last_mut().unwrap();
                block.push_str(command);
                block.push('\n');
            }
            _ => {}
        }
        at += line.len();
    }
    found
}

/// The blocks of commands of a page, in order.
fn blocks(page: &str) -> Vec<String> {
    let all = blocks_after(page).into_iter();
    all.map(|(_, block)| block).collect()
}

fn is_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

/// The variables that commands set, with the functions that they define.
fn set_by(commands: &str) -> BTreeSet<String> {
    let words = commands.split(|char: char| char.is_whitespace() || ";(".contains(char));
    let mut found: BTreeSet<String> = words
        .filter_map(|word| word.split_once('='))
        .filter(|(name, _)| !name.is_empty() && name.chars().all(is_name))
        .map(|(name, _)| name.to_owned())
        .collect();
    for word in commands.split_whitespace().collect::<Vec<_>>().windows(2) {
        if matches!(word[0], "for" | "read") {
            found.insert(word[1].to_owned());
        }
    }
    found
}

/// The variables that commands use. What stands in single quotes is not the shell's, and a number is an argument.
fn used_by(commands: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut in_double = false;
    let mut in_single = false;
    let mut rest = commands.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '"' if !in_single => in_double = !in_double,
            '\'' if !in_double => in_single = !in_single,
            '$' if !in_single => {
                if rest.peek() == Some(&'{') {
                    rest.next();
                }
                let mut name = String::new();
                while let Some(next) = rest.next_if(|next| is_name(*next)) {
                    name.push(next);
                }
                if name.starts_with(|first: char| !first.is_ascii_digit()) {
                    found.insert(name);
                }
            }
            _ => {}
        }
    }
    found
}

#[test]
fn every_command_uses_only_what_was_set_before_it() {
    for page in ["deploy/README.md", "deploy/options.md", "deploy/runbook.md"] {
        let page_text = text(page);
        let mut set = BTreeSet::from(["HOME", "PWD"].map(str::to_owned));
        for (before, block) in blocks_after(&page_text) {
            set.extend(set_by(&block));
            // A value that only the reader knows is a name in backquotes before, with what it is.
            for name in used_by(&block) {
                let told = before.contains(&format!("`{name}`"));
                assert!(
                    set.contains(&name) || told,
                    "{page}: {name} is set nowhere before\n{block}"
                );
            }
        }
    }
}

#[test]
fn the_runbook_begins_with_what_its_commands_need() {
    let page = text("deploy/runbook.md");
    let first = blocks(&page).remove(0);
    for name in ["stack", "cluster", "service", "log", "AWS_REGION"] {
        assert!(set_by(&first).contains(name), "{name}");
    }
    let alarm = page.find("## Alarms of the stack").unwrap();
    assert!(page.find("```sh").unwrap() < alarm);
}

#[test]
fn what_stops_or_removes_can_be_pasted_alone() {
    // Who needs it comes by a link, and has not run the blocks above it.
    let page = text("deploy/README.md");
    let mut seen = 0;
    for block in blocks(&page) {
        let stops = block.contains("--desired-count 0");
        let removes = block.contains("cloudformation delete-stack");
        if !stops && !removes {
            continue;
        }
        seen += 1;
        let set = set_by(&block);
        for name in used_by(&block) {
            assert!(
                set.contains(&name),
                "{name} is set by another block\n{block}"
            );
        }
        for function in ["output", "tasks"] {
            let called = block.contains(&format!("$({function} "))
                || block
                    .lines()
                    .any(|line| line.starts_with(&format!("{function} ")));
            let defined = block.contains(&format!("{function}() {{"));
            assert!(
                !called || defined,
                "{function} is defined by another block\n{block}"
            );
        }
        // A terminal may still have those of another stack.
        for own in ["AWS_REGION", "stack"] {
            assert!(set.contains(own), "{own} is left to chance\n{block}");
        }
        let order: &[&str] = if removes {
            // A task that begins to end goes from the first list to the second.
            &[
                "set -eu",
                "register-scalable-target",
                "--desired-count 0",
                "list RUNNING",
                "list STOPPED",
                "wait tasks-stopped",
                "delete-stack",
            ]
        } else {
            &[
                "ends_with(ParameterKey, 'Tasks')",
                "register-scalable-target",
                "--desired-count 0",
            ]
        };
        let places = order
            .iter()
            .map(|part| block.find(part).unwrap_or_else(|| panic!("{part}")));
        assert!(places.is_sorted(), "{block}");
        if removes {
            // A cluster of the stack's own is deleted, too, which ECS refuses while any task is in it.
            assert!(block.contains(
                "list-tasks --cluster \"$cluster\" ${others:+\"--service-name=$service\"} "
            ));
            assert!(block.contains("\nothers=") && block.contains("ParameterKey=='ClusterName'"));
            // As it is printed it finds no stack.
            assert!(block.contains("\nstack=STACK\n"));
        } else {
            // A template that lies there by chance has no say in an emergency.
            assert!(!block.contains("cloudformation.yaml"), "{block}");
        }
    }
    assert_eq!(seen, 2);
    assert!(text("deploy/runbook.md").contains("(README.md#stop-all-mailing)"));
}

#[test]
fn a_move_by_sqs_names_where_to() {
    // SQS knows where a message came from only where a queue dead-lettered it, and not SNS.
    let mut seen = 0;
    for page in ["deploy/README.md", "deploy/options.md", "deploy/runbook.md"] {
        for rest in text(page).split("start-message-move-task").skip(1) {
            let command: String = rest.chars().take(120).collect();
            assert!(command.contains("--destination-arn"), "{page}: {command}");
            seen += 1;
        }
    }
    assert_eq!(seen, 1);
    assert!(text("deploy/README.md").contains("`sqs:StartMessageMoveTask`"));
}

#[test]
fn the_program_is_told_where_to_get_before_the_runbook_calls_it() {
    let page = text("deploy/runbook.md");
    let told = page.find("(README.md#run-a-command)").unwrap();
    for called in ["\norganizer-notifier ", "`organizer-notifier "] {
        let first = page.find(called).unwrap();
        // The sentence that has the link may name the program itself.
        let before = told.saturating_sub(first);
        assert!(before < 200, "{before} bytes before the link");
    }
}

/// The action that a command of AWS's CLI needs; none where it asks nobody.
fn action(service: &str, operation: &str) -> Option<String> {
    let operation = match (service, operation) {
        ("configure" | "sts", _) => return None,
        ("logs", "tail") => "filter-log-events",
        ("ecs", "wait") => "describe-tasks",
        ("cloudformation", "wait") => "describe-stacks",
        ("ecr", "get-login-password") => "get-authorization-token",
        _ => operation,
    };
    let service = if service == "sesv2" { "ses" } else { service };
    let words = operation.split('-');
    let name = words.map(|word| word[..1].to_uppercase() + &word[1..]);
    Some(format!("{service}:{}", name.collect::<String>()))
}

#[test]
fn who_operates_is_told_the_rights_for_every_command() {
    let guide = text("deploy/README.md");
    let section = |heading: &str, level: &str| {
        let (_, rest) = guide.split_once(heading).unwrap();
        rest.split(level).next().unwrap().to_owned()
    };
    let rights = section("\n### Rights\n", "\n### ");
    let mut commands = text("deploy/runbook.md");
    commands += &section("\n### Run a command\n", "\n## ");
    commands += &section("\n### Stop all mailing\n", "\n## ");
    let mut seen = 0;
    for rest in commands.split("aws ").skip(1) {
        let mut words =
            rest.split(|char: char| !(char.is_ascii_lowercase() || "-2".contains(char)));
        let (service, operation) = (words.next().unwrap(), words.next().unwrap());
        if let Some(action) = action(service, operation) {
            assert!(rights.contains(&format!("`{action}`")), "{action}");
            seen += 1;
        }
    }
    assert!(seen > 30, "this test sees too little");
}

#[test]
fn commands_are_such_as_bash_and_zsh_take_on_linux_and_macos() {
    for page in ["deploy/README.md", "deploy/options.md", "deploy/runbook.md"] {
        for block in blocks(&text(page)) {
            for word in block.split_whitespace() {
                let name = word.strip_prefix('$').unwrap_or_default();
                let is_bare = !name.is_empty() && name.chars().all(is_name);
                assert!(!is_bare, "{page}: zsh makes one word of {word}\n{block}");
            }
            for line in block.lines() {
                assert!(!line.starts_with('#'), "{page}: zsh runs {line}");
            }
            for special in [
                "commands",
                "functions",
                "options",
                "parameters",
                "path",
                "status",
            ] {
                assert!(!set_by(&block).contains(special), "{page}: {special}");
            }
            for only in ["sed -i", "date -", "sha256sum", "readlink", "xargs -r"] {
                assert!(!block.contains(only), "{page}: {only}\n{block}");
            }
        }
    }
}

#[test]
fn a_tag_is_kept_for_a_hundred_pushes() {
    let page = text("deploy/README.md");
    let (_, rest) = page.split_once("\"countNumber\": ").unwrap();
    let images: u32 = rest.split('}').next().unwrap().parse().unwrap();
    assert!(page.contains("counts up to four"));
    assert!(images / 4 >= 100, "{images}");
}

#[test]
fn every_output_that_a_guide_asks_for_exists() {
    let stack = Stack::with(&[]);
    let outputs = stack.raw()["Outputs"].as_object().unwrap();
    let mut asked = 0;
    for page in ["deploy/README.md", "deploy/runbook.md"] {
        for rest in text(page).split("$(output ").skip(1) {
            let name: String = rest.chars().take_while(|char| is_name(*char)).collect();
            assert!(
                outputs.contains_key(&name),
                "{page}: there is no output {name}"
            );
            asked += 1;
        }
    }
    assert!(asked >= 4, "this test sees too little");
}

#[test]
fn what_a_command_sets_and_uses_is_found() {
    let commands = "a=1 b=$(c \"$d\" '$e')\nfor f in x; do g \"${h}i\" $1; done\n";
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(set_by(commands), names(&["a", "b", "f"]));
    assert_eq!(used_by(commands), names(&["d", "h"]));
}
