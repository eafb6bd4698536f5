//! The configuration from files, variables and flags, through the public door.
//! A binary of its own, since it changes the process's environment.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of tests fail as the tests themselves do"
)]
#![expect(
    clippy::result_large_err,
    reason = "figment's own error in the closures of its `Jail`"
)]

mod compose;
mod contradictions;
mod mistakes;
mod sources;
mod variables;

use organizer_notifier::{
    config::{Flags, Loaded, Origin, Problem, Problems, Settings, Survey, load, survey},
    notification::{Placeholder, Sender},
};

/// What CIS's function is given.
pub(crate) const CIS: &[(&str, &str)] = &[
    ("REGION", "eu-central-1"),
    (
        "SQS_URL",
        "https://sqs.eu-central-1.amazonaws.com/123456789012/created",
    ),
    ("CODECOMMIT_REPO", "email-templates"),
    ("NEW_EVENT_NOTIFICATION_EMAIL", "new_event.html"),
    ("SENDER", "events@example.com"),
    ("SUBJECT", "Your event {summary}"),
    ("LOG_LEVEL", "INFO"),
];

/// Loads in an empty directory with only these variables and files.
pub(crate) fn load_with(
    variables: &[(&str, &str)],
    files: &[(&str, &str)],
    flags: &Flags,
) -> Result<Loaded, Problems> {
    let mut result = None;
    figment::Jail::expect_with(|jail| {
        jail.clear_env();
        for (name, value) in variables {
            jail.set_env(name, value);
        }
        for (path, text) in files {
            jail.create_file(path, text)?;
        }
        result = Some(load(&[], flags, std::env::vars_os()));
        Ok(())
    });
    result.unwrap()
}

/// What there is of a configuration, of these variables and this file `a.toml`.
pub(crate) fn survey_of(variables: &[(&str, &str)], text: &str) -> Survey {
    let mut result = None;
    figment::Jail::expect_with(|jail| {
        jail.create_file("a.toml", text)?;
        let variables = variables.iter().copied();
        result = Some(survey(&with_file("a.toml"), variables));
        Ok(())
    });
    result.unwrap()
}

/// Loads from CIS's variables and these, which come later and so win.
pub(crate) fn load_cis_and(variables: &[(&str, &str)]) -> Result<Loaded, Problems> {
    load_with(&[CIS, variables].concat(), &[], &Flags::default())
}

/// Loads a file as the whole configuration.
pub(crate) fn load_file(text: &str) -> Result<Loaded, Problems> {
    load_with(&[], &[("notifier.toml", text)], &with_file("notifier.toml"))
}

pub(crate) fn with_file(path: &str) -> Flags {
    Flags {
        config: Some(path.into()),
        ..Flags::default()
    }
}

pub(crate) fn with_overrides(overrides: &[(&str, &str)]) -> Flags {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    Flags {
        overrides: overrides.iter().map(owned).collect(),
        ..Flags::default()
    }
}

pub(crate) fn file_line(path: &str, line: usize) -> Origin {
    Origin::File {
        path: path.into(),
        line: Some(line),
    }
}

/// The only problem there is.
pub(crate) fn only_problem(result: Result<Loaded, Problems>) -> Problem {
    let problems = result.unwrap_err();
    let mut all = problems.iter();
    match (all.next(), all.next()) {
        (Some(only), None) => only.clone(),
        _ => panic!("{problems}"),
    }
}

/// The declared placeholder of this name.
pub(crate) fn placeholder<'a>(settings: &'a Settings, name: &str) -> &'a Placeholder {
    let mut declared = settings.message.placeholders.iter();
    declared
        .find(|placeholder| placeholder.name == name)
        .unwrap()
}

/// Mailboxes as a mail's header has them.
pub(crate) fn headers(mailboxes: &[Sender]) -> Vec<String> {
    mailboxes.iter().map(Sender::header).collect()
}
