//! Errors of CodeCommit.

use crate::{
    aws::{CodeCommitTemplate, TemplateAddress},
    ports::{TemplateFailure, TemplateFailureKind, TemplateSource},
    testing::canned::{Answer, Canned},
};

async fn fetch(answer: Answer) -> TemplateFailure {
    let address = TemplateAddress {
        repository: "email-templates".to_owned(),
        path: "new_event.html".to_owned(),
        reference: None,
    };
    let source = CodeCommitTemplate::new(&Canned::new(answer).aws, address);
    source.fetch().await.err().unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_code_of_codecommit_says_what_became_of_the_fetch() {
    use TemplateFailureKind::{AccessDenied, Credentials, Missing, Transient};
    for (status, code, kind) in [
        (400, "RepositoryNameRequiredException", Missing),
        (400, "InvalidRepositoryNameException", Missing),
        (400, "RepositoryDoesNotExistException", Missing),
        (400, "InvalidCommitException", Missing),
        (400, "CommitDoesNotExistException", Missing),
        (400, "CommitIdDoesNotExistException", Missing),
        (400, "PathRequiredException", Missing),
        (400, "InvalidPathException", Missing),
        (400, "FileDoesNotExistException", Missing),
        (400, "FileTooLargeException", Missing),
        (400, "EncryptionKeyAccessDeniedException", AccessDenied),
        (400, "EncryptionKeyDisabledException", AccessDenied),
        (400, "EncryptionKeyNotFoundException", AccessDenied),
        (400, "AccessDeniedException", AccessDenied),
        (400, "ExpiredTokenException", Credentials),
        (400, "UnrecognizedClientException", Credentials),
        (400, "InvalidSignatureException", Credentials),
        (400, "EncryptionKeyUnavailableException", Transient),
        (500, "EncryptionIntegrityChecksFailedException", Transient),
        (400, "ThrottlingException", Transient),
        (400, "BrandNewException", Transient),
        (500, "InternalFailure", Transient),
        (503, "ServiceUnavailable", Transient),
    ] {
        let failure = fetch(Answer::codecommit(status, code, "Because.")).await;
        assert_eq!(failure.kind, kind, "{code}");
        assert_eq!(failure.error.code, code);
        assert_eq!(failure.error.said(), format!("GetFile: {code}: Because."));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_codecommit_without_a_code_is_read_by_its_status() {
    for (status, code, kind) in [
        (403, "http_403", TemplateFailureKind::AccessDenied),
        (404, "http_404", TemplateFailureKind::Transient),
        (502, "http_502", TemplateFailureKind::Transient),
        (200, "response", TemplateFailureKind::Transient),
    ] {
        let failure = fetch(Answer::new(status, "text/html", "<html>")).await;
        assert_eq!(failure.kind, kind, "{status}");
        assert_eq!(failure.error.code, code);
    }
}
