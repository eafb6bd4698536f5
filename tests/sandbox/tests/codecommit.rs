//! `CodeCommit` through the real SDK, and its ids against Git's.

use aws_sdk_codecommit::Client;
use aws_sdk_codecommit::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_codecommit::error::ProvideErrorMetadata as _;
use aws_sdk_codecommit::operation::put_file::PutFileOutput;
use aws_sdk_codecommit::primitives::Blob;
use sandbox::{Running, Sandbox};

async fn start() -> (Running, Client) {
    let running = Sandbox::start().await;
    let config = aws_sdk_codecommit::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
        .endpoint_url(running.url())
        .build();
    let client = Client::from_conf(config);
    client
        .create_repository()
        .repository_name("templates")
        .send()
        .await
        .unwrap();
    (running, client)
}

async fn put(
    client: &Client,
    path: &str,
    content: &[u8],
    parent: Option<&str>,
) -> Result<PutFileOutput, String> {
    client
        .put_file()
        .repository_name("templates")
        .branch_name("main")
        .file_path(path)
        .file_content(Blob::new(content))
        .set_parent_commit_id(parent.map(str::to_owned))
        .send()
        .await
        .map_err(|error| error.code().unwrap_or_default().to_owned())
}

async fn code_of_get(client: &Client, repository: &str, path: &str, commit: &str) -> String {
    let refused = client
        .get_file()
        .repository_name(repository)
        .file_path(path)
        .commit_specifier(commit)
        .send()
        .await
        .unwrap_err();
    refused.code().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_file_comes_back_byte_for_byte_under_gits_own_ids() {
    let (_running, client) = start().await;
    let first = put(&client, "mail/new.html", b"hello\n", None)
        .await
        .unwrap();
    assert_eq!(first.blob_id(), "ce013625030ba8dba906f756967f9e9ca394464a");
    let file = client
        .get_file()
        .repository_name("templates")
        .file_path("mail/new.html")
        .send()
        .await
        .unwrap();
    assert_eq!(file.file_content().as_ref(), b"hello\n");
    assert_eq!(file.file_size(), 6);
    assert_eq!(file.commit_id(), first.commit_id());
    assert_eq!(file.blob_id(), first.blob_id());
    assert_eq!(file.file_mode().as_str(), "NORMAL");
}

#[tokio::test]
async fn a_later_commit_needs_the_tip_as_its_parent() {
    let (_running, client) = start().await;
    let first = put(&client, "a", b"1", None).await.unwrap();
    let refused = put(&client, "a", b"2", None).await.unwrap_err();
    assert_eq!(refused, "ParentCommitIdRequiredException");
    let second = put(&client, "a", b"2", Some(first.commit_id()))
        .await
        .unwrap();
    let refused = put(&client, "a", b"3", Some(first.commit_id())).await;
    assert_eq!(refused.unwrap_err(), "ParentCommitIdOutdatedException");
    let refused = put(&client, "a", b"2", Some(second.commit_id())).await;
    assert_eq!(refused.unwrap_err(), "SameFileContentException");
}

#[tokio::test]
async fn every_kind_of_specifier_finds_its_commit() {
    let (running, client) = start().await;
    let first = put(&client, "a", b"1", None).await.unwrap();
    let codecommit = &running.sandbox.codecommit;
    codecommit.tag("templates", "v1", "main").unwrap();
    codecommit.put("templates", "main", "a", b"2").unwrap();
    let commit = first.commit_id();
    for (specifier, content) in [
        ("main", b"2"),
        ("refs/heads/main", b"2"),
        ("HEAD", b"2"),
        ("v1", b"1"),
        ("refs/tags/v1", b"1"),
        (commit, b"1"),
    ] {
        let file = client
            .get_file()
            .repository_name("templates")
            .file_path("a")
            .commit_specifier(specifier)
            .send()
            .await
            .unwrap();
        assert_eq!(file.file_content().as_ref(), content, "{specifier}");
    }
}

#[tokio::test]
async fn what_is_not_there_has_its_own_error() {
    let (_running, client) = start().await;
    let first = put(&client, "dir/a", b"1", None).await.unwrap();
    for (repository, path, commit, code) in [
        ("other", "dir/a", "main", "RepositoryDoesNotExistException"),
        ("a b", "dir/a", "main", "InvalidRepositoryNameException"),
        ("templates", "dir/b", "main", "FileDoesNotExistException"),
        ("templates", "dir", "main", "FileDoesNotExistException"),
        ("templates", "../a", "main", "InvalidPathException"),
        (
            "templates",
            "dir/a",
            "develop",
            "CommitDoesNotExistException",
        ),
        (
            "templates",
            "dir/a",
            &first.commit_id()[..10],
            "CommitDoesNotExistException",
        ),
        ("templates", "dir/a", "no branch", "InvalidCommitException"),
    ] {
        let found = code_of_get(&client, repository, path, commit).await;
        assert_eq!(found, code, "{repository} {path} {commit}");
    }
}

#[tokio::test]
async fn a_file_of_more_than_six_megabytes_is_refused() {
    let (_running, client) = start().await;
    let large = vec![b'x'; 6 * 1024 * 1024 + 1];
    let refused = put(&client, "a", &large, None).await.unwrap_err();
    assert_eq!(refused, "FileContentSizeLimitExceededException");
}

#[tokio::test]
async fn an_overwriting_put_makes_what_is_missing() {
    let (running, client) = start().await;
    let codecommit = &running.sandbox.codecommit;
    let first = codecommit.put("fresh", "main", "a", b"1").unwrap();
    assert_eq!(codecommit.put("fresh", "main", "a", b"1").unwrap(), first);
    codecommit.put("fresh", "main", "b", b"2").unwrap();
    codecommit.delete("fresh", "main", "a").unwrap();
    assert_eq!(
        code_of_get(&client, "fresh", "a", "main").await,
        "FileDoesNotExistException"
    );
}

#[tokio::test]
async fn tree_and_commit_ids_are_gits() {
    let (_running, client) = start().await;
    let answer = client
        .create_commit()
        .repository_name("templates")
        .branch_name("main")
        .author_name("Dana")
        .email("dana@example.com")
        .commit_message("First\n")
        .put_files(entry("a-b", "1"))
        .put_files(entry("a/x", "2"))
        .put_files(entry("a.c", "3"))
        .send()
        .await
        .unwrap();
    // What `git write-tree` gives for these three files.
    assert_eq!(
        answer.tree_id(),
        Some("500d672fb49bf7116f3f69ad94108e1b888e527f")
    );
    assert_eq!(answer.files_added().len(), 3);
}

fn entry(path: &str, content: &str) -> aws_sdk_codecommit::types::PutFileEntry {
    aws_sdk_codecommit::types::PutFileEntry::builder()
        .file_path(path)
        .file_content(Blob::new(content))
        .build()
        .unwrap()
}
