//! What a failed call means to an operator.

use crate::{
    aws::classify::refusal_kind,
    ports::{CallError, inspect::RefusalKind},
};

#[test]
fn a_code_tells_what_to_do() {
    for (code, kind) in [
        ("AccessDenied", RefusalKind::Denied),
        ("AccessDeniedException", RefusalKind::Denied),
        ("http_403", RefusalKind::Denied),
        ("connection", RefusalKind::Unreachable(None)),
        ("timeout", RefusalKind::Unreachable(None)),
        ("KmsAccessDenied", RefusalKind::Encryption),
        ("EncryptionKeyDisabledException", RefusalKind::Encryption),
        (
            "AWS.SimpleQueueService.NonExistentQueue",
            RefusalKind::NotFound,
        ),
        ("RepositoryDoesNotExistException", RefusalKind::NotFound),
        ("NoSuchKey", RefusalKind::NotFound),
        ("ThrottlingException", RefusalKind::Other),
    ] {
        let error = CallError {
            operation: "Op",
            code: code.to_owned(),
            message: String::new(),
            request_id: None,
            obstacle: None,
            source: None,
        };
        assert_eq!(refusal_kind(&error), kind, "{code}");
    }
}
