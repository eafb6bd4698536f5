//! Fetching, keeping and replacing the template.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;

use super::*;
use crate::{
    notification::{JsonPointer, Placeholder},
    ports::{CallError, TemplateFailureKind, TemplateFile},
};

const TTL: Duration = Duration::from_mins(5);

/// What a fetch brings: bytes at this version, or a failure.
#[derive(Clone, Copy)]
enum Brings {
    File(&'static str, &'static [u8]),
    Fails(TemplateFailureKind),
}

struct Scripted {
    brings: Mutex<Brings>,
    fetches: AtomicUsize,
}

#[async_trait]
impl TemplateSource for Scripted {
    async fn fetch(&self) -> Result<TemplateFile, TemplateFailure> {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        let brings = *self.brings.lock().unwrap();
        match brings {
            Brings::File(blob_id, bytes) => Ok(TemplateFile {
                bytes: bytes.to_vec(),
                version: TemplateVersion {
                    commit_id: "c".to_owned(),
                    blob_id: blob_id.to_owned(),
                },
                modified: None,
            }),
            Brings::Fails(kind) => Err(TemplateFailure {
                kind,
                error: Box::new(CallError {
                    operation: "GetFile",
                    code: "Scripted".to_owned(),
                    message: "as told".to_owned(),
                    request_id: None,
                    obstacle: None,
                    source: None,
                }),
            }),
        }
    }

    fn location(&self) -> &'static str {
        "repository r, path p, at main"
    }
}

struct Rig {
    source: Arc<Scripted>,
    store: Arc<TemplateStore>,
    stop: CancellationToken,
}

fn rig(brings: Brings) -> Rig {
    let source = Arc::new(Scripted {
        brings: Mutex::new(brings),
        fetches: AtomicUsize::new(0),
    });
    let uid = Placeholder {
        name: "uid".to_owned(),
        field: JsonPointer::parse("/uid").unwrap(),
        fallback: None,
        default: None,
    };
    let placeholders = Placeholders::new(vec![uid]);
    let store = TemplateStore::new(
        Arc::clone(&source) as Arc<dyn TemplateSource>,
        placeholders,
        TTL,
        100,
    );
    let store = Arc::new(store);
    let stop = CancellationToken::new();
    let (running, stopped) = (Arc::clone(&store), stop.clone());
    tokio::spawn(async move { running.run(stopped).await });
    Rig {
        source,
        store,
        stop,
    }
}

impl Rig {
    fn bring(&self, brings: Brings) {
        *self.source.brings.lock().unwrap() = brings;
    }

    fn fetches(&self) -> usize {
        self.source.fetches.load(Ordering::Relaxed)
    }

    /// The blob id of the template in force.
    fn in_force(&self) -> Option<String> {
        self.store.in_force().map(|now| now.version.blob_id.clone())
    }

    async fn after(&self, pause: Duration) {
        sleep(pause).await;
    }
}

const GOOD: Brings = Brings::File("1", b"<p>{uid}</p>");
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_template_is_fetched_at_once_and_then_whenever_it_has_grown_old() {
    let rig = rig(GOOD);
    rig.after(SECOND).await;
    assert_eq!((rig.in_force().as_deref(), rig.fetches()), (Some("1"), 1));
    rig.after(TTL * 3).await;
    assert_eq!(rig.fetches(), 4);
}

#[tokio::test(start_paused = true)]
async fn however_many_ask_there_is_one_fetch() {
    let rig = rig(GOOD);
    rig.after(SECOND).await;
    for _ in 0..100 {
        rig.store.refresh();
        assert!(rig.store.in_force().is_some());
    }
    rig.after(SECOND).await;
    assert_eq!(rig.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn only_a_good_version_replaces_the_one_in_force() {
    let bad = [
        Brings::File("blank", b" \n <!-- nothing --> "),
        Brings::File("no utf-8", b"<p>\xff</p>"),
        Brings::File("too large", &[b'x'; 101]),
        Brings::File("names nothing", b"<p>hello</p>"),
        Brings::Fails(TemplateFailureKind::Missing),
        Brings::Fails(TemplateFailureKind::Transient),
    ];
    let rig = rig(GOOD);
    rig.after(SECOND).await;
    for brings in bad {
        rig.bring(brings);
        rig.store.refresh();
        rig.after(SECOND).await;
        assert_eq!(rig.in_force().as_deref(), Some("1"));
        assert!(rig.store.watch().borrow().failure.is_some());
    }
    rig.bring(Brings::File("2", b"<p>better {uid}</p>"));
    rig.store.refresh();
    rig.after(SECOND).await;
    assert_eq!(rig.in_force().as_deref(), Some("2"));
    assert!(rig.store.watch().borrow().failure.is_none());
}

#[tokio::test(start_paused = true)]
async fn at_the_start_and_after_one_without_placeholders_none_is_missed() {
    let rig = rig(Brings::File("1", b"<p>hello</p>"));
    rig.after(SECOND).await;
    rig.bring(Brings::File("2", b"<p>bye</p>"));
    rig.store.refresh();
    rig.after(SECOND).await;
    let now = rig.store.in_force().unwrap();
    assert_eq!(now.version.blob_id, "2");
    assert_eq!(
        now.doubts,
        ["it names no placeholder: every mail says the same"]
    );
    let label = rig.source.label(&now.version);
    assert_eq!(
        now.describe(&label),
        "10 bytes, commit c, names no placeholder"
    );
}

#[tokio::test(start_paused = true)]
async fn a_version_is_no_measure_for_the_next_while_messages_lack_what_it_names() {
    let rig = rig(GOOD);
    rig.after(SECOND).await;
    let version = rig.store.in_force().unwrap().version.clone();
    rig.store.distrust(&version);
    // A mail shows that the messages were at fault.
    rig.store.trust(&version);
    rig.bring(Brings::File("2", b"<p>names nothing</p>"));
    rig.store.refresh();
    rig.after(SECOND).await;
    assert_eq!(rig.in_force().as_deref(), Some("1"));
    rig.store.distrust(&version);
    rig.store.refresh();
    rig.after(SECOND).await;
    assert_eq!(rig.in_force().as_deref(), Some("2"));
}

#[test]
fn a_version_is_held_against_the_one_before_it() {
    let placeholders = ["uid", "summary"].map(|name| Placeholder {
        name: name.to_owned(),
        field: JsonPointer::parse("/field").unwrap(),
        fallback: None,
        default: None,
    });
    let placeholders = Placeholders::new(placeholders.into());
    let compiled = |text: &str, before: Option<&TemplateInForce>| {
        let file = TemplateFile {
            bytes: text.as_bytes().to_vec(),
            version: TemplateVersion {
                commit_id: String::new(),
                blob_id: String::new(),
            },
            modified: None,
        };
        compile(&file, &placeholders, 1000, before)
    };
    let before = compiled("<p>{uid}, {summary}</p>", None).unwrap();
    for (text, doubts) in [
        ("<p>{summary} and {uid}</p>", &[][..]),
        (
            "<p>{summary}, {UID}</p>",
            &[
                "these are no known placeholders and are mailed as written: {UID} (did you mean {uid}?)",
                "it no longer contains {uid}, which the version before it did",
            ],
        ),
        (
            "<p>{uid} {summary} it is longer, but not so much</p>",
            &["it has 52 bytes, and the version before it had 23"],
        ),
        ("<p>{uid}, {summary} of 45 bytes, which is</p>", &[]),
    ] {
        assert_eq!(
            compiled(text, Some(&before)).unwrap().doubts,
            doubts,
            "{text}"
        );
    }
    let lost = compiled("<p>{UID}</p>", Some(&before)).map(drop);
    let expected =
        "the new version names none of the placeholders of the last good one ({uid}, {summary})";
    assert_eq!(lost.unwrap_err().to_string(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_failed_fetch_is_tried_again_with_growing_pauses_of_at_most_a_minute() {
    let rig = rig(Brings::Fails(TemplateFailureKind::Transient));
    rig.after(SECOND * 10).await;
    let early = rig.fetches();
    assert!((3..=5).contains(&early), "{early} fetches in 10 s");
    rig.after(Duration::from_mins(30)).await;
    let late = rig.fetches() - early;
    assert!((20..=50).contains(&late), "{late} fetches in half an hour");
    rig.bring(GOOD);
    rig.after(Duration::from_secs(76)).await;
    assert_eq!(rig.in_force().as_deref(), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn another_commit_with_the_same_content_is_not_compiled_again() {
    let rig = rig(GOOD);
    rig.after(SECOND).await;
    let before = rig.store.in_force().unwrap();
    rig.store.refresh();
    rig.after(SECOND).await;
    let after = rig.store.in_force().unwrap();
    assert!(Arc::ptr_eq(&before, &after));
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_stopped() {
    let rig = rig(GOOD);
    rig.after(SECOND).await;
    rig.stop.cancel();
    rig.after(TTL * 2).await;
    assert_eq!(rig.fetches(), 1);
}

#[test]
fn what_only_a_person_can_mend_is_definite_and_says_how() {
    let fetch = |kind| {
        let error = CallError {
            operation: "GetFile",
            code: "X".to_owned(),
            message: String::new(),
            request_id: None,
            obstacle: None,
            source: None,
        };
        LoadError::Fetch(TemplateFailure {
            kind,
            error: Box::new(error),
        })
    };
    assert!(fetch(TemplateFailureKind::Missing).is_definite());
    assert!(fetch(TemplateFailureKind::AccessDenied).is_definite());
    assert!(!fetch(TemplateFailureKind::Transient).is_definite());
    assert!(LoadError::Compile(TemplateError::Blank).is_definite());
    let too_large = LoadError::TooLarge {
        bytes: 2,
        max_bytes: 1,
    };
    assert!(too_large.is_definite());
    assert!(too_large.remedy().contains("template.max_bytes"));
}
