//! Why a breaker is open, in words for the person whom the alarm wakes.

use std::borrow::Cow;

use crate::ports::{
    AccountCause, BucketFailureKind, CallError, Failure, Remedy, SendFailureKind,
    TemplateFailureKind, obstacle::Obstacle,
};

/// Why a breaker is open.
pub trait Cause {
    /// Its name in metrics, from a bounded set.
    fn name(&self) -> &'static str;

    /// What is wrong, as a clause.
    fn describe(&self) -> Cow<'static, str>;

    /// What to do about it, as a clause.
    fn remedy(&self) -> Cow<'static, str>;

    /// Both, in the words of what kept the calls from being looked at, where it was that: the same cause
    /// has the same words wherever it shows.
    fn words(&self, said: Option<&Said>) -> (Cow<'static, str>, Cow<'static, str>) {
        match said.and_then(|said| said.obstacle) {
            Some(obstacle) => (obstacle.describe(), Cow::Borrowed(obstacle.remedy())),
            None => (self.describe(), self.remedy()),
        }
    }

    /// Whether it is no trouble at all but how every start looks.
    fn is_start(&self) -> bool {
        false
    }
}

/// Why no mail can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MailCause {
    /// No mail was sent yet: the first witness is still to come.
    Starting,
    /// The mail service refuses every mail of ours.
    Account(AccountCause),
    /// The mail service refuses every mail of ours, with a code that does not say why.
    Refused,
    /// The sends of several messages in a row failed or were not answered.
    Failing,
}

/// What a service said when it refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its code, fit for `error.type`.
    pub code: String,
    /// Operation, code and text, with masked addresses.
    pub text: String,
    /// What kept the call from being looked at, where it was that.
    pub obstacle: Option<Obstacle>,
    /// What to do about it, as a clause, where there is a word for it.
    pub remedy: Option<Cow<'static, str>>,
}

impl Said {
    /// What this failure said.
    pub fn of<K: Remedy>(failure: &Failure<K>) -> Self {
        Self {
            remedy: Some(Cow::Borrowed(failure.remedy())),
            ..Self::of_call(&failure.error)
        }
    }

    /// What this call failed with.
    pub fn of_call(error: &CallError) -> Self {
        Self {
            code: error.code.clone(),
            text: error.said(),
            obstacle: error.obstacle,
            remedy: error.obstacle.map(|it| Cow::Borrowed(it.remedy())),
        }
    }
}

/// Why no mail can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateCause {
    /// The template has not been fetched yet.
    NotFetched,
    /// It cannot be fetched, and no earlier version is there to serve.
    Fetch {
        /// What that means.
        kind: TemplateFailureKind,
        /// What kept the fetch from being looked at, where it was that.
        obstacle: Option<Obstacle>,
    },
    /// It was fetched, but is not a template, and no earlier version is there to serve.
    Unusable,
    /// Several messages in a row lack the field of a placeholder that the template names.
    FieldMissing {
        /// The placeholder's name, as configured.
        placeholder: String,
    },
}

impl Cause for MailCause {
    fn is_start(&self) -> bool {
        *self == Self::Starting
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Refused => "refused",
            Self::Failing => "failing",
            Self::Account(AccountCause::Sandbox) => "sandbox",
            Self::Account(AccountCause::Suspended) => "suspended",
            Self::Account(AccountCause::Paused) => "paused",
            Self::Account(AccountCause::DailyQuota) => "daily_quota",
            Self::Account(AccountCause::MailFromNotVerified) => "mail_from_not_verified",
            Self::Account(AccountCause::SenderNotVerified) => "sender_not_verified",
            Self::Account(AccountCause::ConfigurationSetMissing) => "configuration_set_missing",
            Self::Account(AccountCause::Credentials) => "credentials",
            Self::Account(AccountCause::AccessDenied) => "access_denied",
        }
    }

    fn describe(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Starting => "no mail has been sent yet",
            Self::Refused => "SES refuses every mail",
            Self::Failing => "SES fails or does not answer",
            Self::Account(AccountCause::Sandbox) => {
                "the account is in the SES sandbox, and the recipients are not verified"
            }
            Self::Account(AccountCause::Suspended) => "SES has suspended the account",
            Self::Account(AccountCause::Paused) => {
                "sending is paused for the account or for the configuration set"
            }
            Self::Account(AccountCause::DailyQuota) => "the sending quota of 24 hours is used up",
            Self::Account(AccountCause::MailFromNotVerified) => {
                "the MAIL FROM domain of the sender is not verified"
            }
            Self::Account(AccountCause::SenderNotVerified) => {
                "the sender's address or domain is not verified"
            }
            Self::Account(AccountCause::ConfigurationSetMissing) => {
                "the configuration set does not exist"
            }
            Self::Account(AccountCause::Credentials) => {
                "the AWS credentials are missing, expired or wrong"
            }
            Self::Account(AccountCause::AccessDenied) => "the role is not allowed to send mail",
        })
    }

    fn remedy(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Starting => "wait for the first one",
            Self::Refused => {
                "read SES's answer in this line and correct the sender, the configuration set, \
                 the account or the template"
            }
            Self::Failing => SendFailureKind::Transient.remedy(),
            Self::Account(cause) => cause.remedy(),
        })
    }
}

impl Cause for TemplateCause {
    fn is_start(&self) -> bool {
        *self == Self::NotFetched
    }

    fn name(&self) -> &'static str {
        match self {
            Self::NotFetched => "not_fetched",
            Self::Fetch { kind, .. } => match kind {
                TemplateFailureKind::Missing => "missing",
                TemplateFailureKind::AccessDenied => "access_denied",
                TemplateFailureKind::Credentials => "credentials",
                TemplateFailureKind::Transient => "failing",
                TemplateFailureKind::LocalFile => "file_unreadable",
                TemplateFailureKind::Bucket(kind) => match kind {
                    BucketFailureKind::NoBucket => "bucket_missing",
                    BucketFailureKind::NoObject => "object_missing",
                    BucketFailureKind::OtherRegion => "bucket_in_other_region",
                    BucketFailureKind::AccessDenied => "object_access_denied",
                    BucketFailureKind::Encryption => "object_encryption",
                    BucketFailureKind::Archived => "object_archived",
                    BucketFailureKind::TooLarge => "object_too_large",
                    BucketFailureKind::Transient => "bucket_failing",
                },
            },
            Self::Unusable => "unusable",
            Self::FieldMissing { .. } => "field_missing",
        }
    }

    fn describe(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::NotFetched => "the template has not been fetched yet",
            Self::Fetch {
                obstacle: Some(obstacle),
                ..
            } => return obstacle.describe(),
            Self::Fetch { kind, .. } => match kind {
                TemplateFailureKind::Missing => {
                    "the template's repository, reference or file does not exist, or the file is \
                     too large"
                }
                TemplateFailureKind::AccessDenied => {
                    "the role is not allowed to read the \
                                                      template"
                }
                TemplateFailureKind::Credentials => {
                    "AWS does not accept the credentials for the template"
                }
                TemplateFailureKind::Transient => {
                    "the template's repository fails or does not answer"
                }
                TemplateFailureKind::LocalFile => "the template's file cannot be read",
                TemplateFailureKind::Bucket(kind) => match kind {
                    BucketFailureKind::NoBucket => "the template's bucket does not exist",
                    BucketFailureKind::NoObject => "the template is not in its bucket",
                    BucketFailureKind::OtherRegion => "the template's bucket is in another region",
                    BucketFailureKind::AccessDenied => {
                        "the role is not allowed to read the template in its bucket"
                    }
                    BucketFailureKind::Encryption => {
                        "the encryption key of the template's object cannot be used"
                    }
                    BucketFailureKind::Archived => {
                        "the template's object is in an archive \
                                                    storage class"
                    }
                    BucketFailureKind::TooLarge => "the template's object is too large",
                    BucketFailureKind::Transient => "the template's bucket does not answer",
                },
            },
            Self::Unusable => "the file that was fetched is not a usable template",
            Self::FieldMissing { placeholder } => {
                return Cow::Owned(format!(
                    "the template contains {{{placeholder}}}, and the messages lack its field"
                ));
            }
        })
    }

    fn remedy(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::NotFetched => "wait for the first fetch",
            Self::Fetch { kind, obstacle } => {
                obstacle.map_or_else(|| kind.remedy(), Obstacle::remedy)
            }
            Self::Unusable => {
                "commit or upload a template that `organizer-notifier render` accepts; it is \
                 fetched within template.ttl, at once on SIGHUP"
            }
            Self::FieldMissing { placeholder } => {
                return Cow::Owned(format!(
                    "commit or upload a template without {{{placeholder}}}, or give the \
                     placeholder a default and restart, or let the publisher send the field"
                ));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn mail() -> Vec<Box<dyn Cause>> {
        let accounts = [
            AccountCause::Suspended,
            AccountCause::Paused,
            AccountCause::DailyQuota,
            AccountCause::MailFromNotVerified,
            AccountCause::SenderNotVerified,
            AccountCause::ConfigurationSetMissing,
            AccountCause::Credentials,
            AccountCause::AccessDenied,
            AccountCause::Sandbox,
        ];
        let mut causes: Vec<Box<dyn Cause>> = vec![
            Box::new(MailCause::Starting),
            Box::new(MailCause::Refused),
            Box::new(MailCause::Failing),
        ];
        for account in accounts {
            causes.push(Box::new(MailCause::Account(account)));
        }
        causes
    }

    fn template() -> Vec<Box<dyn Cause>> {
        let kinds = [
            TemplateFailureKind::Missing,
            TemplateFailureKind::AccessDenied,
            TemplateFailureKind::Credentials,
            TemplateFailureKind::Transient,
            TemplateFailureKind::LocalFile,
            TemplateFailureKind::Bucket(BucketFailureKind::NoBucket),
            TemplateFailureKind::Bucket(BucketFailureKind::NoObject),
            TemplateFailureKind::Bucket(BucketFailureKind::OtherRegion),
            TemplateFailureKind::Bucket(BucketFailureKind::AccessDenied),
            TemplateFailureKind::Bucket(BucketFailureKind::Encryption),
            TemplateFailureKind::Bucket(BucketFailureKind::Archived),
            TemplateFailureKind::Bucket(BucketFailureKind::TooLarge),
            TemplateFailureKind::Bucket(BucketFailureKind::Transient),
        ];
        let mut causes: Vec<Box<dyn Cause>> = vec![
            Box::new(TemplateCause::NotFetched),
            Box::new(TemplateCause::Unusable),
        ];
        for kind in kinds {
            let obstacle = None;
            causes.push(Box::new(TemplateCause::Fetch { kind, obstacle }));
        }
        causes
    }

    #[test]
    fn each_cause_has_texts_of_its_own() {
        for causes in [mail(), template()] {
            let names: HashSet<_> = causes.iter().map(|cause| cause.name()).collect();
            let descriptions: HashSet<_> = causes.iter().map(|cause| cause.describe()).collect();
            let remedies: HashSet<_> = causes.iter().map(|cause| cause.remedy()).collect();
            assert_eq!(names.len(), causes.len());
            assert_eq!(descriptions.len(), causes.len());
            assert_eq!(remedies.len(), causes.len());
            for cause in causes {
                assert!(!cause.describe().ends_with('.'), "a clause");
                assert!(!cause.remedy().ends_with('.'), "a clause");
                assert!(!cause.remedy().contains("  "), "one line");
            }
        }
    }

    #[test]
    fn what_kept_a_call_from_being_looked_at_has_its_own_words_at_every_breaker() {
        let cause = MailCause::Account(AccountCause::Credentials);
        let mut said = Said {
            code: "Expired".to_owned(),
            text: "SendEmail: Expired: the token has expired".to_owned(),
            obstacle: Some(Obstacle::Expired),
            remedy: None,
        };
        let (wrong, remedy) = cause.words(Some(&said));
        assert_eq!(wrong, Obstacle::Expired.describe());
        assert_eq!(remedy, Obstacle::Expired.remedy());
        said.obstacle = None;
        for said in [None, Some(&said)] {
            assert_eq!(cause.words(said), (cause.describe(), cause.remedy()));
        }
    }

    #[test]
    fn a_missing_field_is_named_as_the_template_names_it() {
        let cause = TemplateCause::FieldMissing {
            placeholder: "uid".to_owned(),
        };
        assert!(cause.describe().contains("{uid}"));
        assert!(cause.remedy().contains("{uid}"));
        assert_eq!(cause.name(), "field_missing");
    }
}
