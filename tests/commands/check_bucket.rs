//! What `check` and `render` find out about a template in a bucket.

use sandbox::faults::{Fault, Rule};

use crate::commands::stage::{SAMPLES, Stage, TEMPLATE, directory, path};

const BUCKET: &str = "mail-templates";
const KEY: &str = "new-event.html";
const PLACE: &str = "(bucket mail-templates, key new-event.html)";

/// What goes wrong.
type Change<'a> = &'a dyn Fn(&Stage);

/// A right set-up whose template is in a bucket alone.
async fn stage() -> Stage {
    let mut stage = Stage::right().await;
    stage.set("CODECOMMIT_REPO", "s3://mail-templates");
    stage.aws.sandbox.codecommit.reset();
    stage.aws.sandbox.s3.put(BUCKET, KEY, TEMPLATE).unwrap();
    stage
}

#[tokio::test]
async fn the_object_is_told_with_its_size_version_and_age() {
    let stage = stage().await;
    let done = stage.run(&["check", "--strict"]).await;
    done.exits(0);
    let size = TEMPLATE.len();
    let etag = stage.aws.sandbox.s3.put(BUCKET, KEY, TEMPLATE).unwrap();
    assert_eq!(
        done.finding("template"),
        format!("template ok bucket {BUCKET}, key {KEY}: {size} bytes, ETag {etag} of today")
    );
    stage.aws.sandbox.s3.keep_versions(BUCKET, true).unwrap();
    stage.aws.sandbox.s3.put(BUCKET, KEY, TEMPLATE).unwrap();
    let done = stage.run(&["check"]).await;
    let found = done.finding("template");
    assert!(found.contains(&format!("{size} bytes, version ")), "{done}");
    assert!(found.ends_with(" of today"), "{done}");
}

#[tokio::test]
async fn what_keeps_the_object_away_is_told_with_what_to_do() {
    let region = |stage: &Stage| {
        stage.aws.sandbox.s3.reset();
        stage.aws.sandbox.s3.create(BUCKET, "eu-west-1").unwrap();
    };
    let archived = |stage: &Stage| {
        let fault = Fault::error("InvalidObjectState", 403);
        let faults = &stage.aws.sandbox.faults;
        faults.add(Rule::new("s3:GetObject", fault));
    };
    let key = |stage: &Stage| {
        let text = "User: arn:aws:sts::111111111111:assumed-role/task/1 is not authorized to perform: \
                    kms:Decrypt on resource: arn:aws:kms:us-east-1:111111111111:key/1";
        let fault = Fault::Error {
            code: "AccessDenied".to_owned(),
            status: 403,
            message: text.to_owned(),
        };
        let faults = &stage.aws.sandbox.faults;
        faults.add(Rule::new("s3:GetObject", fault));
    };
    let cases: [(Change<'_>, &str, &str); 7] = [
        (
            &|stage| stage.aws.sandbox.s3.reset(),
            "GetObject: NoSuchBucket: The specified bucket does not exist",
            "check the bucket's name in template.repository (CODECOMMIT_REPO)",
        ),
        (
            &|stage| stage.aws.sandbox.s3.delete(BUCKET, KEY).unwrap(),
            "GetObject: NoSuchKey: The specified key does not exist.",
            "check template.path, which is the object's whole key",
        ),
        (
            &|stage| stage.aws.sandbox.s3.give_away(BUCKET).unwrap(),
            "s3:GetObject is not allowed: GetObject: AccessDenied: Access Denied",
            "check template.repository and template.path: without s3:ListBucket",
        ),
        (
            &|stage| {
                stage.aws.sandbox.s3.delete(BUCKET, KEY).unwrap();
                stage.aws.sandbox.s3.forbid_listing(BUCKET).unwrap();
            },
            "s3:GetObject is not allowed: GetObject: AccessDenied: Access Denied",
            "check template.repository and template.path: without s3:ListBucket",
        ),
        (
            &region,
            "GetObject: PermanentRedirect: the bucket is in eu-west-1",
            "keep the template in a bucket of the daemon's own region",
        ),
        (
            &archived,
            "GetObject: InvalidObjectState: Injected by the sandbox.",
            "restore the object, or put it into another storage class",
        ),
        (
            &key,
            "GetObject: AccessDenied: User: arn:aws:sts::111111111111:assumed-role/task/1",
            "give the role kms:Decrypt on the object's key",
        ),
    ];
    for (change, found, remedy) in cases {
        let stage = stage().await;
        change(&stage);
        let done = stage.run(&["check"]).await;
        done.exits(1);
        let finding = done.finding("template");
        let begins = format!("template failed {found}");
        assert!(finding.starts_with(&begins), "{done}");
        assert!(finding.contains(PLACE), "{done}");
        assert!(finding.contains(&format!("→ {remedy}")), "{done}");
    }
}

#[tokio::test]
async fn an_object_that_is_too_large_or_no_template_is_told() {
    for (content, found, remedy) in [
        (
            &[b'x'; 2048][..],
            "GetObject: too_large: the object has 2048 bytes, and template.max_bytes allows 1024",
            "→ shorten the object or raise template.max_bytes",
        ),
        (
            b"<p></p>",
            "the template has no visible text",
            "→ commit or upload a template",
        ),
    ] {
        let stage = stage().await;
        stage.aws.sandbox.s3.put(BUCKET, KEY, content).unwrap();
        stage.template_fails(found, remedy).await;
    }
}

#[tokio::test]
async fn render_takes_the_template_from_the_bucket() {
    let stage = stage().await;
    let (name, body) = SAMPLES[0];
    let directory = directory(&[(name, body)]);
    let message = path(&directory, name);
    let done = stage.run(&["render", "--message", &message]).await;
    done.exits(0);
    assert!(done.out.contains("Subject: Registered: "), "{done}");
    stage.aws.sandbox.s3.reset();
    let done = stage.run(&["render", "--message", &message]).await;
    done.exits(1);
    let told = format!(
        "no template: GetObject: NoSuchBucket: The specified bucket does not exist {PLACE}; "
    );
    assert!(done.err.contains(&told), "{done}");
}

/// As in a network of containers, where the local AWS has a name and its buckets have none.
#[tokio::test]
async fn the_endpoint_may_be_for_s3_alone_and_have_a_name() {
    let mut stage = stage().await;
    let url = stage.aws.url().replace("127.0.0.1", "localhost");
    stage.set("AWS_ENDPOINT_URL_S3", &url);
    stage.set("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    stage.run(&["render"]).await.exits(0);
}
