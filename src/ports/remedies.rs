//! What an operator can do about each kind of failure. Breakers, boot and `check` all take their
//! words from here, so that one cause has one remedy. Each text is a clause without a full stop.

use super::{
    AccountCause, AccountFailureKind, BucketFailureKind, Failure, QueueFailure, QueueFailureKind,
    SendFailureKind, TemplateFailureKind, inspect::RefusalKind, obstacle::Obstacle,
    table::TableFailureKind,
};

/// A kind of failure that something can be done about.
pub trait Remedy: Copy {
    /// What to do about it.
    fn remedy(self) -> &'static str;
}

impl<K: Remedy> Failure<K> {
    /// What to do about it. An obstacle's remedy is the same whatever was asked for.
    pub fn remedy(&self) -> &'static str {
        let kind = self.kind;
        self.error
            .obstacle
            .map_or_else(|| kind.remedy(), Obstacle::remedy)
    }
}

impl Remedy for QueueFailureKind {
    fn remedy(self) -> &'static str {
        match self {
            Self::NotFound => "check queue.url (SQS_URL) and the region",
            Self::AccessDenied => {
                "give the role what it lacks of sqs:ReceiveMessage, sqs:DeleteMessage, \
                 sqs:ChangeMessageVisibility and sqs:GetQueueAttributes on the queue"
            }
            Self::Encryption => "give the role kms:Decrypt on the queue's key",
            Self::Throttled => {
                "SQS limits how often it is asked: look for other programs that ask much in this account"
            }
            Self::Transient => "check the AWS Health Dashboard and the network to SQS",
        }
    }
}

impl Remedy for SendFailureKind {
    fn remedy(self) -> &'static str {
        match self {
            Self::Throttled => {
                "look for another program that uses up the account's rate, or ask for a higher one in \
                 Service Quotas"
            }
            Self::Transient | Self::OutcomeUnknown => {
                "check the AWS Health Dashboard and the network to SES"
            }
            Self::AccountWide(cause) => cause.remedy(),
            Self::Refused => "read SES's answer",
            Self::RecipientNotVerified => AccountCause::Sandbox.remedy(),
        }
    }
}

impl QueueFailure {
    /// What to do about it where the queue is the feedback queue.
    pub fn feedback_remedy(&self) -> &'static str {
        if self.error.obstacle.is_some() {
            return self.remedy();
        }
        match self.kind {
            QueueFailureKind::NotFound => {
                "check feedback.queue_url (NOTIFIER_FEEDBACK__QUEUE_URL) and the region"
            }
            QueueFailureKind::AccessDenied => {
                "give the role sqs:ReceiveMessage, sqs:DeleteMessage and \
                 sqs:ChangeMessageVisibility on the feedback queue"
            }
            QueueFailureKind::Encryption => "give the role kms:Decrypt on the feedback queue's key",
            QueueFailureKind::Throttled | QueueFailureKind::Transient => self.remedy(),
        }
    }
}

impl Remedy for TableFailureKind {
    fn remedy(self) -> &'static str {
        match self {
            Self::NotFound => {
                "check ledger.table (NOTIFIER_LEDGER__TABLE) and the region, or create the table: \
                 `organizer-notifier check` prints the commands"
            }
            Self::AccessDenied => {
                "give the role dynamodb:GetItem, dynamodb:BatchGetItem, \
                 dynamodb:PutItem, dynamodb:DeleteItem, dynamodb:BatchWriteItem, \
                 dynamodb:DescribeTable and dynamodb:DescribeTimeToLive on the table"
            }
            Self::Encryption => "give the role kms:Decrypt on the table's key",
            Self::Refused => {
                "create a table with the partition key 'id' of type String; \
                              `organizer-notifier check` prints the commands"
            }
            Self::Throttled => {
                "set the table to on-demand capacity, or raise its limit; the daemon tries again \
                 by itself"
            }
            Self::Transient => {
                "check the AWS Health Dashboard and the network to DynamoDB; the daemon tries \
                 again by itself"
            }
        }
    }
}

impl Remedy for TemplateFailureKind {
    fn remedy(self) -> &'static str {
        match self {
            Self::Missing => {
                "check template.repository (CODECOMMIT_REPO), template.path \
                 (NEW_EVENT_NOTIFICATION_EMAIL) and template.reference, or make again what is missing"
            }
            Self::AccessDenied => {
                "give the role codecommit:GetFile on the repository, and kms:Decrypt if the \
                 repository has its own KMS key"
            }
            Self::Transient => "check the AWS Health Dashboard and the network to CodeCommit",
            Self::Credentials => CREDENTIALS,
            Self::LocalFile => "check template.file (--template)",
            Self::Bucket(kind) => kind.remedy(),
        }
    }
}

impl BucketFailureKind {
    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::NoBucket => "check the bucket's name in template.repository (CODECOMMIT_REPO)",
            Self::NoObject => {
                "check template.path, which is the object's whole key, or put the object there"
            }
            Self::OtherRegion => {
                "keep the template in a bucket of the daemon's own region (aws.region, REGION)"
            }
            Self::AccessDenied => {
                "check template.repository and template.path: without s3:ListBucket on the bucket \
                 S3 denies access to an object that is not there, too. Else give the role \
                 s3:GetObject on the object, and allow the role in the bucket's policy if the \
                 bucket is another account's"
            }
            Self::Encryption => {
                "give the role kms:Decrypt on the object's key, and check that the key is enabled; an \
                 object under a key that each request has to bring (SSE-C) cannot be read"
            }
            Self::Archived => "restore the object, or put it into another storage class",
            Self::TooLarge => "shorten the object or raise template.max_bytes",
            Self::Transient => "check the AWS Health Dashboard and the network to S3",
        }
    }
}

impl AccountCause {
    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Suspended => {
                "read the mails of AWS Trust & Safety, answer the case in the Support Center, and \
                 raise the retention of the queue meanwhile: SQS deletes what is older"
            }
            Self::Paused => {
                "find out who paused it and why (reputation dashboard, alarms), then run `aws \
                 sesv2 put-account-sending-attributes --sending-enabled`, or for a configuration \
                 set `aws sesv2 put-configuration-set-sending-options --configuration-set-name \
                 NAME --sending-enabled`"
            }
            Self::DailyQuota => {
                "ask for a higher quota in Service Quotas (SES, sending quota), or wait: each \
                 mail counts for 24 hours"
            }
            Self::MailFromNotVerified => {
                "restore the MX and TXT records of the MAIL FROM domain, or let the identity fall \
                 back to the default MAIL FROM domain"
            }
            Self::SenderNotVerified => {
                "verify the address or its domain in SES in this region, or correct email.sender"
            }
            Self::ConfigurationSetMissing => {
                "create it in this region, or correct email.configuration_set"
            }
            Self::Credentials => CREDENTIALS,
            Self::AccessDenied => {
                "give the role ses:SendEmail on the sender's identity and on the configuration set. \
                 Where email.configuration_set names none, the identity may have one by default: \
                 `aws sesv2 get-email-identity` names it"
            }
            Self::Sandbox => {
                "ask for production access in the SES console, or verify the recipients' addresses"
            }
        }
    }
}

impl Remedy for AccountFailureKind {
    fn remedy(self) -> &'static str {
        match self {
            Self::AccessDenied => {
                "give the role ses:GetAccount, or set email.max_send_rate to a \
                                   number"
            }
            Self::Transient => "it is read again every five minutes",
        }
    }
}

impl RefusalKind {
    /// What to do about a refusal of this IAM action on this resource.
    pub fn remedy(self, action: &str, on: &str) -> String {
        match self {
            Self::Denied => return format!("give the role {action} on {on}"),
            Self::Credentials(obstacle) | Self::Unreachable(Some(obstacle)) => obstacle.remedy(),
            Self::NotFound => "check its name, the account and the region",
            Self::Encryption => {
                "give the role kms:Decrypt on the key, and check that it is enabled"
            }
            Self::Unreachable(None) => {
                "check AWS_ENDPOINT_URL if it is set, the AWS Health Dashboard, and the network from \
                 here to AWS"
            }
            Self::Other => "read what AWS answered",
        }
        .to_owned()
    }
}

const CREDENTIALS: &str = "check the task role and the clock of the task; locally, sign in again";
