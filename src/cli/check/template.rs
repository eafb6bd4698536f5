//! The template: is it there, does it compile, and does it say what was meant?

use std::{collections::BTreeSet, time::SystemTime};

use super::{
    Target,
    finding::{Finding, Level},
};
use crate::{
    aws::classify::refusal_kind,
    cli::{sample, verdict::Verdict},
    config::TemplateLocation,
    notification::{Composer, Placeholder, Placeholders, Template},
    ports::{TemplateFile, inspect::RefusalKind},
    template_store::{self, LoadError},
};

/// How alike two names must be, from 0 to 1, for one to be taken for a misspelling of the other.
const ALIKE: f64 = 0.6;

/// The findings, and the template where it is one.
pub(super) async fn look(
    target: &Target<'_>,
    composer: &Composer,
    placeholders: &Placeholders,
) -> (Vec<Finding>, Option<Template>) {
    const CHECK: &str = "template";
    let location = target.world.templates.location();
    let file = match target.world.templates.fetch().await {
        Ok(file) => file,
        Err(failure) => {
            let missing = refusal_kind(&failure.error) == RefusalKind::NotFound;
            let finding = if missing || target.is_file() {
                let failure = LoadError::from(failure);
                let remedy = if target.is_file() {
                    "check template.file"
                } else {
                    failure.remedy()
                };
                Finding::failed(CHECK, format!("{failure} ({location})")).advising(remedy)
            } else {
                let action = "codecommit:GetFile";
                Finding::refused(Level::Failed, CHECK, action, location, &failure.error)
            };
            return (vec![finding], None);
        }
    };
    let max_bytes = target.settings.template.max_bytes;
    let template = match template_store::compile(&file, placeholders, max_bytes) {
        Ok(loaded) => loaded.template,
        Err(failure) => {
            let finding = Finding::failed(CHECK, format!("{failure} ({location})"));
            return (vec![finding.advising(failure.remedy())], None);
        }
    };
    let found = format!(
        "{location}: {} bytes{}",
        file.bytes.len(),
        target.age(&file).await
    );
    let findings = vec![
        Finding::ok(CHECK, found),
        named(target, &template, &file),
        sample_of(target, composer, &template),
    ];
    (findings, Some(template))
}

impl Target<'_> {
    fn is_file(&self) -> bool {
        matches!(self.settings.template.source, TemplateLocation::File(_))
    }

    /// Commit and age, as far as they can be known: the daemon needs no right to read commits.
    async fn age(&self, file: &TemplateFile) -> String {
        let TemplateLocation::CodeCommit { repository, .. } = &self.settings.template.source else {
            return String::new();
        };
        let commit = &file.version.commit_id;
        let short = commit.get(..8).unwrap_or(commit);
        let told = self.inspector.commit_time(repository, commit).await;
        match told {
            Ok(Some(time)) => {
                let age = SystemTime::now().duration_since(time).unwrap_or_default();
                let days = age.as_secs() / 86_400;
                let ago = match days {
                    0 => "today".to_owned(),
                    1 => "a day ago".to_owned(),
                    days => format!("{days} days ago"),
                };
                format!(", commit {short} of {ago}")
            }
            Ok(None) => format!(", commit {short}"),
            Err(error) if refusal_kind(&error) == RefusalKind::Denied => {
                format!(", commit {short} (its age is unknown without codecommit:GetCommit)")
            }
            Err(_) => format!(", commit {short} (its age could not be read)"),
        }
    }
}

/// Which placeholders it names, and what may have been meant as one.
fn named(target: &Target<'_>, template: &Template, file: &TemplateFile) -> Finding {
    const CHECK: &str = "placeholders";
    let declared: Vec<&str> = target
        .settings
        .message
        .placeholders
        .keys()
        .map(String::as_str)
        .collect();
    let used: Vec<&str> = template.placeholders().collect();
    let source = String::from_utf8_lossy(&file.bytes);
    let typos: Vec<String> = undeclared(&source, &declared)
        .into_iter()
        .chain(undeclared(&target.settings.email.subject, &declared))
        .filter_map(|written| {
            let meant = meant(&written, &declared)?;
            Some(format!("{written} (did you mean {{{meant}}}?)"))
        })
        .collect();
    if !typos.is_empty() {
        return Finding::warning(
            CHECK,
            format!("these stay as they are written: {}", typos.join(", ")),
        )
        .advising("correct them in the template or in email.subject, or declare them under message.placeholders");
    }
    let listed = |names: &[&str]| {
        let braced: Vec<_> = names.iter().map(|name| format!("{{{name}}}")).collect();
        braced.join(", ")
    };
    if used.is_empty() {
        return Finding::warning(CHECK, "the template names none: every mail says the same")
            .advising(format!("write some of {} into it", listed(&declared)));
    }
    let in_subject = |name: &&&str| {
        let subject = &target.settings.email.subject;
        subject.contains(&format!("{{{name}}}"))
    };
    let unused: Vec<&str> = declared
        .iter()
        .filter(|name| !used.contains(name) && !in_subject(name))
        .copied()
        .collect();
    let used = listed(&used);
    match &unused[..] {
        [] => Finding::ok(CHECK, used),
        unused => Finding::ok(CHECK, format!("{used}; not used: {}", listed(unused))),
    }
}

/// Whether the sample event becomes a mail.
fn sample_of(target: &Target<'_>, composer: &Composer, template: &Template) -> Finding {
    const CHECK: &str = "rendering";
    match Verdict::of(&sample::body(target.settings, None), composer, template) {
        Verdict::Mail(mail) => Finding::ok(
            CHECK,
            format!(
                "the sample event becomes {} bytes of HTML and {} of text",
                mail.html.plain().len(),
                mail.text.len()
            ),
        ),
        Verdict::Ignored(reason) | Verdict::Rejected(reason) => {
            Finding::failed(CHECK, format!("the sample event becomes no mail: {reason}"))
                .advising("check message.placeholders and message.recipient")
        }
    }
}

/// What stands in braces like a placeholder and is none, each once, as written.
fn undeclared(source: &str, declared: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in source.match_indices('{') {
        let rest = &source[at + 1..];
        let Some(end) = rest.find(['{', '}', '\n', ';', ':']) else {
            continue;
        };
        let inner = &rest[..end];
        let name = inner.trim_matches([' ', '\t']);
        if rest[end..].starts_with('}')
            && Placeholder::is_name(name)
            && !(inner == name && declared.contains(&name))
        {
            found.insert(format!("{{{inner}}}"));
        }
    }
    found
}

/// The placeholder that was probably meant.
fn meant<'a>(written: &str, declared: &[&'a str]) -> Option<&'a str> {
    let name = written
        .trim_matches(['{', '}', ' ', '\t'])
        .to_ascii_lowercase();
    declared
        .iter()
        .map(|known| {
            let alike = strsim::normalized_damerau_levenshtein(&known.to_ascii_lowercase(), &name);
            (alike, *known)
        })
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECLARED: [&str; 3] = ["mailto", "summary", "uid"];

    #[test]
    fn names_in_braces_that_are_not_declared_are_found_and_css_is_not() {
        let source =
            "p{color:red} .x{margin:0} {summary} { uid } {sumary} {\nuid\n} {unknown} {2x}";
        let found: Vec<_> = undeclared(source, &DECLARED).into_iter().collect();
        assert_eq!(found, ["{ uid }", "{sumary}", "{unknown}"]);
    }

    #[test]
    fn a_misspelling_tells_what_was_meant() {
        for (written, expected) in [
            ("{sumary}", Some("summary")),
            ("{Summary}", Some("summary")),
            ("{ uid }", Some("uid")),
            ("{mail_to}", Some("mailto")),
            ("{unknown}", None),
        ] {
            assert_eq!(meant(written, &DECLARED), expected, "{written}");
        }
    }
}
