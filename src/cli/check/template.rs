//! The template: is it there, does it compile, and does it say what was meant?

use std::{collections::BTreeSet, time::SystemTime};

use super::{Target, finding::Finding};
use crate::{
    aws::classify::refusal_kind,
    cli::{sample, verdict::Verdict},
    config::Repository,
    notification::{Composer, Template},
    ports::{
        BucketFailureKind, TemplateFailure, TemplateFailureKind, TemplateFile, inspect::RefusalKind,
    },
    template_store::{self, LoadError},
    text::misspelt,
};

const TEMPLATE: &str = "template";

/// The findings, and the template if there is a usable one.
pub(super) async fn check_template(
    target: &Target<'_>,
    composer: &Composer,
) -> (Vec<Finding>, Option<Template>) {
    let location = target.world.templates.location();
    let file = match target.world.templates.fetch().await {
        Ok(file) => file,
        Err(failure) => return (vec![not_fetched(target, failure)], None),
    };
    let max_bytes = target.settings.template.max_bytes;
    let placeholders = &target.settings.message.placeholders;
    let template = match template_store::compile(&file, placeholders, max_bytes, None) {
        Ok(loaded) => loaded.template,
        Err(failure) => {
            let finding = Finding::failed(TEMPLATE, format!("{failure} ({location})"));
            return (vec![finding.advising(failure.remedy())], None);
        }
    };
    let age = age(target, &file).await;
    let found = format!("{location}: {} bytes{age}", file.bytes.len());
    let findings = vec![
        Finding::ok(TEMPLATE, found),
        check_placeholders(target, &template, &file),
        check_rendering(target, composer, &template),
    ];
    (findings, Some(template))
}

fn not_fetched(target: &Target<'_>, failure: TemplateFailure) -> Finding {
    const ACTION: &str = "codecommit:GetFile";
    let location = target.world.templates.location();
    if let TemplateFailureKind::Bucket(kind) = failure.kind {
        return not_fetched_from_bucket(location, kind, &failure);
    }
    let is_call = !matches!(
        failure.kind,
        TemplateFailureKind::LocalFile | TemplateFailureKind::Missing
    );
    if is_call {
        return Finding::failed_call(TEMPLATE, ACTION, location, &failure);
    }
    let failure = LoadError::from(failure);
    let remedy = failure.remedy();
    Finding::failed(TEMPLATE, format!("{failure} ({location})")).advising(remedy)
}

/// A bucket's remedies say more than those of a refused call.
fn not_fetched_from_bucket(
    location: &str,
    kind: BucketFailureKind,
    failure: &TemplateFailure,
) -> Finding {
    const ACTION: &str = "s3:GetObject";
    if matches!(refusal_kind(&failure.error), RefusalKind::Unreachable(_)) {
        return Finding::failed_call(TEMPLATE, ACTION, location, failure);
    }
    let found = match kind {
        BucketFailureKind::AccessDenied => format!("{ACTION} is not allowed: {failure}"),
        _ => failure.to_string(),
    };
    Finding::failed(TEMPLATE, format!("{found} ({location})")).advising(kind.remedy())
}

/// Commit and age as far as they can be known: the daemon needs no right to read commits.
async fn age(target: &Target<'_>, file: &TemplateFile) -> String {
    if target.settings.template.file.is_some() {
        return String::new();
    }
    let commit = &file.version.commit_id;
    let repository = match &target.settings.template.repository {
        Repository::CodeCommit(repository) => repository,
        Repository::Bucket(_) => {
            let version = match commit.as_str() {
                "" => format!("ETag {}", file.version.blob_id),
                version => format!("version {version}"),
            };
            return format!(", {version}{}", file.modified.map_or_else(String::new, ago));
        }
    };
    let short = commit.get(..8).unwrap_or(commit);
    let age = match target.inspector.commit_time(repository, commit).await {
        Ok(Some(time)) => ago(time),
        Ok(None) => String::new(),
        Err(error) if refusal_kind(&error) == RefusalKind::Denied => {
            " (its age is unknown without codecommit:GetCommit)".to_owned()
        }
        Err(_) => " (its age could not be read)".to_owned(),
    };
    format!(", commit {short}{age}")
}

fn ago(time: SystemTime) -> String {
    let age = SystemTime::now().duration_since(time).unwrap_or_default();
    match age.as_secs() / 86_400 {
        0 => " of today".to_owned(),
        1 => " of a day ago".to_owned(),
        days => format!(" of {days} days ago"),
    }
}

/// Which placeholders the template names, and which texts in braces may be meant as placeholders.
fn check_placeholders(target: &Target<'_>, template: &Template, file: &TemplateFile) -> Finding {
    const CHECK: &str = "placeholders";
    let subject = &target.settings.email.subject;
    let source = String::from_utf8_lossy(&file.bytes);
    let declared = target.settings.message.placeholders.iter();
    let declared: Vec<&str> = declared.map(|one| one.name.as_str()).collect();
    let placeholders = &target.settings.message.placeholders;
    let in_braces_only = [&*source, subject].map(|text| misspelt(text, placeholders));
    let in_braces_only: Vec<_> = in_braces_only.iter().flatten().collect();
    let listed: BTreeSet<_> = in_braces_only.iter().map(ToString::to_string).collect();
    let listed: Vec<_> = listed.into_iter().collect();
    let listed = listed.join(", ");
    // One that resembles none may be meant as it is: CIS's own template holds one.
    if in_braces_only.iter().any(|found| found.meant.is_some()) {
        let found = format!("these are no placeholders and are mailed as written: {listed}");
        return Finding::warning(CHECK, found).advising(
            "correct them in the template or in email.subject, or declare them under \
             message.placeholders",
        );
    }
    let used: Vec<&str> = template.placeholders().collect();
    if used.is_empty() {
        return Finding::warning(CHECK, "the template names none: every mail says the same")
            .advising(format!("write some of {} into it", in_braces(&declared)));
    }
    let is_used = |name: &str| used.contains(&name) || subject.contains(&in_braces(&[name]));
    let unused: Vec<&str> = declared.into_iter().filter(|name| !is_used(name)).collect();
    let mut found = in_braces(&used);
    if !unused.is_empty() {
        found = format!("{found}; not used: {}", in_braces(&unused));
    }
    if !listed.is_empty() {
        found = format!("{found}; mailed as written, since they are no placeholders: {listed}");
    }
    Finding::ok(CHECK, found)
}

fn in_braces(names: &[&str]) -> String {
    let braced: Vec<_> = names.iter().map(|name| format!("{{{name}}}")).collect();
    braced.join(", ")
}

/// Whether the sample event becomes a mail.
fn check_rendering(target: &Target<'_>, composer: &Composer, template: &Template) -> Finding {
    const CHECK: &str = "rendering";
    match Verdict::of(&sample::body(target.settings, None), composer, template) {
        Verdict::Mail(mail) => Finding::ok(
            CHECK,
            format!(
                "the sample event becomes {} bytes of HTML and {} of text",
                mail.html.to_string().len(),
                mail.text.len()
            ),
        ),
        Verdict::Ignored(reason) | Verdict::Rejected(reason) => {
            Finding::failed(CHECK, format!("the sample event becomes no mail: {reason}"))
                .advising("check message.placeholders and message.recipient")
        }
    }
}
