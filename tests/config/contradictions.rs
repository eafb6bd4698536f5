//! Settings that are good alone and do not go together.

use std::path::Path;

use organizer_notifier::config::{Flags, Origin, OwnFlag, Repository};

use crate::{CIS, load_cis_and, load_with, only_problem, with_file, with_overrides};

#[test]
fn a_grace_that_fits_no_send_is_refused() {
    let problem = only_problem(load_cis_and(&[("NOTIFIER_SHUTDOWN__GRACE", "17s")]));
    assert_eq!(problem.key, "shutdown.grace");
    assert_eq!(
        problem.origin,
        Origin::Variable("NOTIFIER_SHUTDOWN__GRACE".to_owned())
    );
    assert!(
        problem.message.starts_with("is 17s, too short for a mail"),
        "{problem}"
    );
    assert!(problem.message.contains("email.timeout (10s)"), "{problem}");
    assert!(
        problem.message.contains("allowed: more than 17s"),
        "{problem}"
    );
}

#[test]
fn a_grace_just_longer_than_a_send_and_the_end_is_taken() {
    load_cis_and(&[("NOTIFIER_SHUTDOWN__GRACE", "17s 1ms")]).unwrap();
    let both = [
        ("NOTIFIER_SHUTDOWN__GRACE", "10s"),
        ("NOTIFIER_EMAIL__TIMEOUT", "2s"),
    ];
    load_cis_and(&both).unwrap();
}

#[test]
fn a_long_send_is_refused_with_the_default_grace() {
    let problem = only_problem(load_cis_and(&[("NOTIFIER_EMAIL__TIMEOUT", "25s")]));
    assert_eq!(problem.key, "shutdown.grace");
    assert_eq!(problem.origin, Origin::Default);
}

#[test]
fn a_lease_in_which_no_send_fits_is_refused() {
    let lease = |length| load_cis_and(&[("NOTIFIER_QUEUE__VISIBILITY_TIMEOUT", length)]);
    let problem = only_problem(lease("12s"));
    assert_eq!(problem.key, "queue.visibility_timeout");
    assert!(
        problem.message.starts_with("is 12s, too short for a send"),
        "{problem}"
    );
    assert!(
        problem
            .message
            .contains("renewing the visibility timeout 2s"),
        "{problem}"
    );
    lease("13s").unwrap();
}

#[test]
fn with_a_table_for_all_tasks_a_claim_has_to_fit_into_the_lease_too() {
    let lease = |length| {
        load_cis_and(&[
            ("NOTIFIER_QUEUE__VISIBILITY_TIMEOUT", length),
            ("NOTIFIER_LEDGER__TABLE", "mails"),
        ])
    };
    let problem = only_problem(lease("13s"));
    assert_eq!(problem.key, "queue.visibility_timeout");
    assert!(
        problem
            .message
            .contains("and a claim in ledger.table 1s; allowed: more than all of them together"),
        "{problem}"
    );
    lease("14s").unwrap();
}

#[test]
fn a_contradiction_with_a_value_that_cannot_be_read_is_not_told() {
    let both = [
        ("NOTIFIER_SHUTDOWN__GRACE", "9s"),
        ("NOTIFIER_EMAIL__TIMEOUT", "soon"),
    ];
    assert_eq!(only_problem(load_cis_and(&both)).key, "email.timeout");
}

#[test]
fn a_template_comes_from_one_place() {
    let variables = [
        ("NOTIFIER_TEMPLATE__FILE", "local.html"),
        ("NOTIFIER_TEMPLATE__REPOSITORY", "templates"),
        ("NOTIFIER_TEMPLATE__PATH", "new_event.html"),
    ];
    let problem = only_problem(load_cis_and(&variables));
    assert_eq!(problem.key, "template.file");
    assert_eq!(
        problem.message,
        "is set together with template.repository (NOTIFIER_TEMPLATE__REPOSITORY) and template.path (NOTIFIER_TEMPLATE__PATH); allowed: a template from a file, or from CodeCommit or S3, not both"
    );
    let flags = with_overrides(&[("template.file", "a"), ("template.path", "b")]);
    let problem = only_problem(load_with(CIS, &[], &flags));
    assert_eq!(problem.key, "template.file");
}

#[test]
fn a_file_from_a_later_source_takes_the_place_of_the_servers_repository() {
    let file = [("a.toml", "template.file = 'local.html'")];
    let both = |by: &str| {
        let replaced = "CODECOMMIT_REPO and NEW_EVENT_NOTIFICATION_EMAIL are overridden by";
        format!("{replaced} {by}")
    };
    for (loaded, by) in [
        (
            load_cis_and(&[("NOTIFIER_TEMPLATE__FILE", "local.html")]),
            "NOTIFIER_TEMPLATE__FILE",
        ),
        (
            load_with(
                CIS,
                &[],
                &with_overrides(&[("template.file", "local.html")]),
            ),
            "--set template.file",
        ),
        (
            load_with(CIS, &file, &with_file("a.toml")),
            "template.file in a.toml:1",
        ),
    ] {
        let loaded = loaded.unwrap();
        assert_eq!(loaded.notes, [both(by)]);
        let template = loaded.settings.template;
        assert_eq!(template.file.as_deref(), Some(Path::new("local.html")));
        assert_eq!(template.path, "");
        let mut origins = loaded.origins.iter();
        let left_out = origins.find(|origin| origin.key == "template.repository");
        assert_eq!(left_out.unwrap().value, None);
    }
}

#[test]
fn a_repository_from_a_later_source_takes_the_place_of_a_file() {
    let files = [("a.toml", "template.file = 'local.html'")];
    let with = |overrides| Flags {
        config: Some("a.toml".into()),
        ..with_overrides(overrides)
    };
    let whole = with(&[("template.repository", "r"), ("template.path", "p")]);
    let loaded = load_with(CIS, &files, &whole).unwrap();
    assert_eq!(loaded.settings.template.file, None);
    assert_eq!(loaded.settings.template.path, "p");
    let note = "template.file in a.toml:1 is overridden by --set template.path";
    assert!(
        loaded.notes.contains(&note.to_owned()),
        "{:?}",
        loaded.notes
    );

    // The rest of the address comes from where it was before.
    let loaded = load_with(CIS, &files, &with(&[("template.path", "p")])).unwrap();
    let repository = Repository::CodeCommit("email-templates".to_owned());
    assert_eq!(loaded.settings.template.repository, repository);
    assert_eq!(loaded.settings.template.file, None);
}

#[test]
fn a_part_of_an_address_does_not_replace_a_file() {
    let text = "template.file = 'a'\nqueue.url = 'http://127.0.0.1:1/q'\nemail.sender = 'a@x.com'\nemail.subject = 's'";
    let flags = Flags {
        config: Some("a.toml".into()),
        ..with_overrides(&[("template.reference", "main")])
    };
    let problem = only_problem(load_with(&[], &[("a.toml", text)], &flags));
    assert_eq!(
        problem.message,
        "is set together with template.reference (--set); allowed: a template from a file, or from CodeCommit or S3, not both"
    );
}

#[test]
fn a_bucket_from_a_later_source_takes_the_place_of_a_reference() {
    let flags = with_overrides(&[("template.repository", "s3://mail-templates")]);
    let variables = [CIS, &[("NOTIFIER_TEMPLATE__REFERENCE", "main")]].concat();
    let mut loaded = load_with(&variables, &[], &flags).unwrap();
    assert_eq!(loaded.settings.template.reference, None);
    loaded.notes.sort();
    assert_eq!(
        loaded.notes,
        [
            "CODECOMMIT_REPO is overridden by --set template.repository",
            "NOTIFIER_TEMPLATE__REFERENCE is overridden by --set template.repository",
        ]
    );
}

#[test]
fn one_queue_for_messages_and_events_is_told_of_the_later_source() {
    let url = "http://127.0.0.1:1/1/feedback";
    let problem = only_problem(load_cis_and(&[
        ("SQS_URL", url),
        ("NOTIFIER_FEEDBACK__QUEUE_URL", url),
    ]));
    assert_eq!(
        problem.to_string(),
        "feedback.queue_url (NOTIFIER_FEEDBACK__QUEUE_URL): is the queue of queue.url (SQS_URL), from which mails are made; allowed: a queue of its own, which SES's events reach"
    );
    let flags = Flags {
        own: vec![OwnFlag {
            flag: "--queue-url",
            key: "queue.url",
            value: format!("{url}/"),
        }],
        ..Flags::default()
    };
    let variables = [CIS, &[("NOTIFIER_FEEDBACK__QUEUE_URL", url)]].concat();
    let problem = only_problem(load_with(&variables, &[], &flags));
    assert_eq!(
        problem.to_string(),
        "--queue-url: is the queue of feedback.queue_url (NOTIFIER_FEEDBACK__QUEUE_URL), which SES's events reach; allowed: a queue of messages"
    );
}

#[test]
fn a_bucket_has_no_branches_tags_and_commits() {
    let reference = ("NOTIFIER_TEMPLATE__REFERENCE", "main");
    load_cis_and(&[reference]).unwrap();
    let variables = [("CODECOMMIT_REPO", "s3://mail-templates"), reference];
    let problem = only_problem(load_cis_and(&variables));
    assert_eq!(problem.key, "template.reference");
    assert_eq!(
        problem.origin,
        Origin::Variable("NOTIFIER_TEMPLATE__REFERENCE".to_owned())
    );
    assert_eq!(
        problem.message,
        "is set together with template.repository (CODECOMMIT_REPO), an S3 bucket, which has no branches, \
         tags and commits: the newest version of the object is the template; allowed: no reference with a \
         bucket"
    );
}
