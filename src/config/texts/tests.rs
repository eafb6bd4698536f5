//! What each text of the configuration may be.

use super::{Repository, pointer, queue_url, region, repository, sender};

#[test]
fn a_queues_url_has_a_scheme_a_host_and_a_name() {
    for good in [
        "https://sqs.eu-central-1.amazonaws.com/123456789012/my-queue_1",
        "http://127.0.0.1:9324/000000000000/q",
        "http://localhost:9324/q",
        "http://sqs.us-east-1.localhost.localstack.cloud:4566/000000000000/q",
        "https://queue.amazonaws.com/123456789012/q",
        "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q",
    ] {
        assert!(queue_url(good).is_ok(), "{good}");
    }
    for (bad, reason) in [
        ("", "is empty"),
        ("my-queue", "does not begin with `https://`"),
        (
            "arn:aws:sqs:eu-central-1:123456789012:q",
            "ARN and not its URL",
        ),
        ("https://", "has no host"),
        ("https:///q", "has no host"),
        (
            "https://sqs.example.com",
            "does not end with a queue's name",
        ),
        (
            "https://sqs.example.com/1//",
            "does not end with a queue's name",
        ),
        ("https://sqs.example.com/1/q q", "contains a space"),
        ("https://sqs.example.com/1/q.x", "is not a queue's name"),
        ("https://sqs.example.com/1/q?x=1", "has a `?`"),
    ] {
        let refusal = queue_url(bad).unwrap_err();
        assert!(refusal.contains(reason), "{bad}: {refusal}");
    }
}

#[test]
fn a_queue_on_awss_hosts_has_an_account() {
    for bad in [
        "https://sqs.us-east-1.amazonaws.com/organizer",
        "https://sqs.us-east-1.amazonaws.com:443/organizer",
        "https://SQS.us-east-1.amazonaws.com/organizer/",
        "https://sqs.us-east-1.amazonaws.com/1234567/organizer",
        "https://sqs.us-east-1.amazonaws.com/123456789012/x/organizer",
        "https://sqs.eu-west-1.api.aws/organizer",
        "https://vpce-1-2.sqs.eu-west-1.vpce.amazonaws.com/organizer",
    ] {
        let refusal = queue_url(bad).unwrap_err();
        assert_eq!(
            refusal,
            format!(
                "is `{}`, which has no account id before the queue's name: `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`",
                if bad.len() > 60 {
                    format!("{}…", &bad[..60])
                } else {
                    bad.to_owned()
                }
            )
        );
    }
}

#[test]
fn a_slash_at_the_end_of_a_queues_url_is_taken_off() {
    let url = queue_url("https://sqs.eu-west-1.amazonaws.com/123456789012/q/");
    assert_eq!(
        url.unwrap(),
        "https://sqs.eu-west-1.amazonaws.com/123456789012/q"
    );
    assert!(queue_url("https://sqs.example.com/").is_err());
}

#[test]
fn a_fifo_queue_is_refused_with_the_reason() {
    let refusal = queue_url("https://sqs.example.com/1/q.fifo").unwrap_err();
    assert!(
        refusal.contains("a FIFO queue, which this service does not support"),
        "{refusal}"
    );
}

#[test]
fn a_password_in_a_queues_url_is_not_shown() {
    let refusal = queue_url("https://user:hunter2@sqs.example.com/1/q").unwrap_err();
    assert!(!refusal.contains("hunter2"), "{refusal}");
}

#[test]
fn a_template_is_kept_in_a_repository_or_in_a_bucket() {
    let named = |name: &str| Ok(Repository::CodeCommit(name.to_owned()));
    for name in ["Email_templates-1.0", "s3", "s3.bucket"] {
        assert_eq!(repository(name), named(name));
    }
    let bucket = |name: &str| Ok(Repository::Bucket(name.to_owned()));
    let longest = "b".repeat(63);
    for name in ["bucket", "my.bucket-1", "3-b", &longest] {
        for scheme in ["s3://", "S3://"] {
            assert_eq!(repository(&format!("{scheme}{name}")), bucket(name));
        }
    }
}

#[test]
fn what_is_neither_a_repository_nor_a_bucket_is_refused_with_the_reason() {
    let too_long = format!("s3://{}", "b".repeat(64));
    for (bad, reason) in [
        (
            "https://git.example.com/x",
            "is `https://git.example.com/x`",
        ),
        ("s3:/bucket", "is `s3:/bucket`"),
        ("s3://", "which has no bucket's name"),
        (
            "s3:///new_event.html",
            "folders and the file's name belong into template.path",
        ),
        (
            "s3://bucket/",
            "folders and the file's name belong into template.path",
        ),
        (
            "s3://bucket/mails",
            "folders and the file's name belong into template.path",
        ),
        ("s3://ab", "3 to 63 lower-case letters"),
        (&too_long, "3 to 63 lower-case letters"),
        ("s3://Bucket", "3 to 63 lower-case letters"),
        ("s3://my_bucket", "3 to 63 lower-case letters"),
        ("s3://-bucket", "begins and ends with a letter or a digit"),
        ("s3://bucket.", "begins and ends with a letter or a digit"),
        ("s3://my..bucket", "3 to 63"),
        ("s3://192.168.5.4", "no IP address"),
        ("s3://arn:aws:s3:::bucket", "3 to 63"),
        ("s3://büro-mails", "3 to 63"),
    ] {
        let refusal = repository(bad).unwrap_err();
        assert!(refusal.contains(reason), "{bad}: {refusal}");
    }
}

#[test]
fn a_sender_is_one_address_with_a_name_or_without() {
    for good in [
        "a@x.com",
        "Events <a@x.com>",
        "\"Doe, Jane\" <jane@x.com>",
        "Büro & Co <a@x.com>",
        "=?UTF-8?B?QsO8cm8=?= <a@x.com>",
        "a@bücher.example",
    ] {
        assert!(sender(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        " ",
        "events",
        "@x.com",
        "a@",
        "a@b@c",
        "a b@x.com",
        "a@x.com,b@x.com",
        "Events <a@x.com",
        "a@x.com\r\nBcc: b@x.com",
        "<>",
        "Events <>",
        "\"Events <a@x.com>",
        "Ev\u{7}ents <a@x.com>",
        "büro@x.com",
        "Events <a@x.com> and more",
    ] {
        assert!(sender(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn an_address_that_is_refused_is_not_shown() {
    for bad in [
        "dana smith@example.com",
        "dana@example.com, jane@example.com",
        "Dana <dana@example.com",
        "\"Dana <dana@example.com>",
        "dana@home@example.com",
        "dänä@example.com",
    ] {
        let refusal = sender(bad).unwrap_err();
        for private in ["dana", "Dana", "dänä", "example"] {
            assert!(!refusal.contains(private), "{refusal}");
        }
    }
}

#[test]
fn a_json_pointer_begins_with_a_slash() {
    for good in ["/", "/a/b", "/a~0b~1c"] {
        assert!(pointer(good).is_ok(), "{good}");
    }
    for bad in ["", "a", "a/b", "/a~", "/a~2"] {
        assert!(pointer(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_region_is_lower_case_letters_digits_and_dashes() {
    assert!(region("us-gov-west-1").is_ok());
    for bad in ["", "EU", "eu central 1"] {
        assert!(region(bad).is_err(), "{bad}");
    }
}
