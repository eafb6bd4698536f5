//! The operations that rules of faults may name: every call that the services answer, and a queue's own deliveries.

/// The operation that a message's arrival in a queue counts as. It is no call of AWS's.
pub const DELIVERY: &str = "sqs:Deliver";

/// How alike two names must be, from 0 to 1, for one to be offered for the other.
const LIKENESS_MIN: f64 = 0.6;
/// More names would hide what is wrong.
const MOST_LISTED: usize = 6;

/// Each service with its calls, in the alphabet's order.
const CALLS: &[(&str, &[&str])] = &[
    (
        "codecommit",
        &[
            "CreateBranch",
            "CreateCommit",
            "CreateRepository",
            "DeleteFile",
            "DeleteRepository",
            "GetBlob",
            "GetBranch",
            "GetCommit",
            "GetFile",
            "GetFolder",
            "GetRepository",
            "ListBranches",
            "ListRepositories",
            "PutFile",
            "UpdateDefaultBranch",
        ],
    ),
    (
        "dynamodb",
        &[
            "BatchGetItem",
            "BatchWriteItem",
            "CreateTable",
            "DeleteItem",
            "DeleteTable",
            "DescribeTable",
            "DescribeTimeToLive",
            "GetItem",
            "ListTables",
            "ListTagsOfResource",
            "PutItem",
            "Scan",
            "UpdateTimeToLive",
        ],
    ),
    (
        "s3",
        &[
            "CreateBucket",
            "DeleteObject",
            "GetBucketVersioning",
            "GetObject",
            "HeadBucket",
            "HeadObject",
            "PutBucketVersioning",
            "PutObject",
        ],
    ),
    (
        "ses",
        &[
            "CreateConfigurationSet",
            "CreateConfigurationSetEventDestination",
            "CreateEmailIdentity",
            "DeleteConfigurationSet",
            "DeleteConfigurationSetEventDestination",
            "DeleteEmailIdentity",
            "DeleteSuppressedDestination",
            "GetAccount",
            "GetConfigurationSet",
            "GetConfigurationSetEventDestinations",
            "GetEmailIdentity",
            "GetSuppressedDestination",
            "ListConfigurationSets",
            "ListEmailIdentities",
            "ListSuppressedDestinations",
            "PutAccountSendingAttributes",
            "PutAccountSuppressionAttributes",
            "PutConfigurationSetSendingOptions",
            "PutEmailIdentityConfigurationSetAttributes",
            "PutEmailIdentityDkimAttributes",
            "PutEmailIdentityFeedbackAttributes",
            "PutEmailIdentityMailFromAttributes",
            "PutSuppressedDestination",
            "SendEmail",
            "UpdateConfigurationSetEventDestination",
        ],
    ),
    (
        "sns",
        &[
            "CreateTopic",
            "DeleteTopic",
            "GetSubscriptionAttributes",
            "GetTopicAttributes",
            "ListSubscriptions",
            "ListSubscriptionsByTopic",
            "ListTopics",
            "Publish",
            "PublishBatch",
            "SetSubscriptionAttributes",
            "SetTopicAttributes",
            "Subscribe",
            "Unsubscribe",
        ],
    ),
    (
        "sqs",
        &[
            "ChangeMessageVisibility",
            "ChangeMessageVisibilityBatch",
            "CreateQueue",
            "DeleteMessage",
            "DeleteMessageBatch",
            "DeleteQueue",
            "GetQueueAttributes",
            "GetQueueUrl",
            "ListDeadLetterSourceQueues",
            "ListQueueTags",
            "ListQueues",
            "PurgeQueue",
            "ReceiveMessage",
            "SendMessage",
            "SendMessageBatch",
            "SetQueueAttributes",
            "TagQueue",
            "UntagQueue",
        ],
    ),
];

/// Every call, as `service:Operation`.
pub fn calls() -> impl Iterator<Item = String> {
    CALLS
        .iter()
        .flat_map(|(service, names)| names.iter().map(move |name| format!("{service}:{name}")))
}

/// Whether a pattern means an operation; a `*` at its end stands for anything.
pub(crate) fn matches(pattern: &str, operation: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => operation.starts_with(prefix),
        None => pattern == operation,
    }
}

/// Whether a pattern means any of these operations.
///
/// # Errors
///
/// What is wrong with it, with what was probably meant, or else all that it could be.
pub(crate) fn check(pattern: &str, known: &[String]) -> Result<(), String> {
    if known.iter().any(|operation| matches(pattern, operation)) {
        return Ok(());
    }
    let (service, _) = pattern.split_once(':').unwrap_or_default();
    let of_service = |operation: &&String| {
        let name = operation.strip_prefix(service);
        name.is_some_and(|name| name.starts_with(':'))
    };
    let of_service: Vec<String> = known.iter().filter(of_service).cloned().collect();
    let could_be = match nearest(pattern, known) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None if of_service.is_empty() => format!("known are {}", listed(known)),
        None => format!("known are {}", of_service.join(", ")),
    };
    Err(format!("no such operation: {pattern:?}; {could_be}"))
}

/// The operation that a pattern probably stands for. Of one with a star the part before it counts.
fn nearest<'a>(pattern: &str, known: &'a [String]) -> Option<&'a String> {
    let wanted = pattern.trim_end_matches('*').to_lowercase();
    let is_whole = wanted.len() == pattern.len();
    let likeness = |known: &String| {
        let known = known.to_lowercase();
        let most = if is_whole {
            usize::MAX
        } else {
            wanted.chars().count()
        };
        let known: String = known.chars().take(most).collect();
        strsim::normalized_damerau_levenshtein(&known, &wanted)
    };
    let all = known.iter().map(|known| (likeness(known), known));
    let alike = all.filter(|(likeness, _)| *likeness >= LIKENESS_MIN);
    let nearest = alike.max_by(|(one, _), (other, _)| one.total_cmp(other));
    nearest.map(|(_, known)| known)
}

/// The operations in words.
pub(crate) fn listed(known: &[String]) -> String {
    if known.len() <= MOST_LISTED {
        return known.join(", ");
    }
    let services = known.iter().filter_map(|known| known.split_once(':'));
    let mut services: Vec<_> = services.map(|(service, _)| service).collect();
    services.dedup();
    let services = services.join(", ");
    format!("calls of {services}, such as ses:SendEmail, ses:* or *")
}
