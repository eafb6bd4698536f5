//! Settings that are good alone and do not go together.

use organizer_notifier::config::Origin;

use crate::{load_cis_and, only_problem};

#[test]
fn a_grace_that_fits_no_send_is_refused() {
    let problem = only_problem(load_cis_and(&[("NOTIFIER_SHUTDOWN__GRACE", "17s")]));
    assert_eq!(problem.key, "shutdown.grace");
    assert_eq!(
        problem.origin,
        Origin::Variable("NOTIFIER_SHUTDOWN__GRACE".to_owned())
    );
    assert!(
        problem
            .message
            .starts_with("is 17s, in which no mail can be sent"),
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
        problem.message.starts_with("is 12s, in which no send fits"),
        "{problem}"
    );
    assert!(
        problem
            .message
            .contains("renewing the lease can take 2s of it"),
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
    let problem = only_problem(load_cis_and(&[("NOTIFIER_TEMPLATE__FILE", "local.html")]));
    assert_eq!(problem.key, "template.file");
    assert_eq!(
        problem.message,
        "is set together with template.repository (CODECOMMIT_REPO) and template.path (NEW_EVENT_NOTIFICATION_EMAIL); allowed: a template from a file, or from CodeCommit or S3, not both"
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
         tags and commits: the newest version of the object is the template; allowed: no reference beside a \
         bucket"
    );
}
