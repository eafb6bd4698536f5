//! The environment's variables as sources: those of the Calendar Invite Server (CIS), and ours.

use std::{collections::BTreeMap, ffi::OsString};

use super::{
    aws_variables::problems_of_aws,
    keys::{self, Found},
    problem::{Origin, Problem},
    sources::Sources,
    suggest, verbatim,
};

/// The variable that names the configuration file. It belongs to no key.
pub const CONFIG: &str = "NOTIFIER_CONFIG";

/// The variables that are set and not empty, of those that may be ours.
pub(super) type Variables = BTreeMap<String, String>;

/// Picks them out of the environment. What is not UTF-8 is a problem.
pub(super) fn variables(
    environment: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
    sources: &mut Sources,
) -> Variables {
    let mut variables = Variables::new();
    let mut of_aws = Variables::new();
    for (name, value) in environment {
        let Ok(name) = name.into().into_string() else {
            continue;
        };
        let value = value.into();
        // The SDK treats a value that is not UTF-8 as unset.
        sources.doubts.extend(doubt_of_proxy(&name, &value));
        if (name.starts_with("AWS_") || name == "SECRET_ACCESS_KEY")
            && let Some(value) = value.to_str()
        {
            of_aws.insert(name, value.to_owned());
            continue;
        }
        let is_cis = || keys::rows().any(|row| row.cis.contains(&name.as_str()));
        if !(name.starts_with(keys::PREFIX) || is_cis()) {
            continue;
        }
        match value.into_string() {
            Ok(value) if value.is_empty() => {}
            Ok(value) => {
                variables.insert(name, value);
            }
            Err(_) => {
                let origin = Origin::Variable(name.clone());
                sources.refuse(&name, origin, "is not UTF-8; allowed: text in UTF-8");
            }
        }
    }
    sources.problems.extend(problems_of_aws(&of_aws));
    variables
}

/// What keeps a proxy from being used that a variable names.
fn doubt_of_proxy(name: &str, value: &OsString) -> Option<String> {
    let names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    let is_proxy = names.iter().any(|known| name.eq_ignore_ascii_case(known));
    let value = value
        .to_str()
        .filter(|value| is_proxy && !value.is_empty())?;
    let origin = Origin::Variable(name.to_owned());
    let wrong = match (
        verbatim::wrapping(&value.into(), &origin),
        value.split_once("://"),
    ) {
        (Some(wrong), _) => wrong,
        (None, Some((scheme, _))) if !["http", "https"].contains(&&*scheme.to_lowercase()) => {
            "names a proxy that is none of http:// or https://".to_owned()
        }
        _ => return None,
    };
    Some(format!("{name} {wrong}: it does not work as a proxy"))
}

/// Adds what CIS's variables give. Returns the keys that they give, with the variable of each, and what is
/// wrong where two variables give one key: nothing is, if a later source gives it.
pub(super) fn read_cis(
    variables: &Variables,
    sources: &mut Sources,
) -> (BTreeMap<&'static str, &'static str>, Option<Problem>) {
    let mut given = BTreeMap::new();
    let mut several = None;
    for row in keys::rows() {
        let names = row.cis.iter().copied();
        let set: Vec<&str> = names.filter(|name| variables.contains_key(*name)).collect();
        if let [_, second, ..] = set[..] {
            let message = format!(
                "{} are set together, and each names a template; allowed: one of them",
                set.join(" and ")
            );
            let origin = Origin::Variable(second.to_owned());
            several = Some(Problem::new(&row.name, origin, message));
        }
        // Where two variables give a key, the first one counts, so that the key is not missed too.
        if let Some(name) = set.first()
            && let Some(text) = variables.get(*name)
        {
            let value = (row.from_text)((row.cis_word)(text));
            sources.set(&row.name, &value, Origin::Variable((*name).to_owned()));
            given.insert(row.name.as_str(), *name);
        }
    }
    (given, several)
}

/// Adds what our variables give.
pub(super) fn read_own(variables: &Variables, sources: &mut Sources) {
    for (name, text) in variables {
        let Some(rest) = name.strip_prefix(keys::PREFIX).filter(|_| name != CONFIG) else {
            continue;
        };
        let key = rest.replace("__", ".").to_lowercase();
        let path: Vec<&str> = key.split('.').collect();
        match keys::find(&path) {
            Found::Key(row) if keys::variable(&key) == *name => {
                let origin = Origin::Variable(name.clone());
                sources.set(&key, &(row.from_text)(text), origin);
            }
            Found::Key(_) => refuse_unknown(name, Some(keys::variable(&key)), sources),
            Found::Section | Found::Nothing => refuse_unknown(name, meant(&path), sources),
        }
    }
}

/// The variable that somebody probably meant by a path that names no key.
fn meant(path: &[&str]) -> Option<String> {
    if path == ["config"] || strsim::damerau_levenshtein(&path.join("."), "config") == 1 {
        return Some(CONFIG.to_owned());
    }
    suggest::suggest(path, false).map(|key| keys::variable(&key))
}

fn refuse_unknown(name: &str, meant: Option<String>, sources: &mut Sources) {
    let message = match meant {
        Some(meant) => format!("is an unknown variable; did you mean {meant}?"),
        None => format!(
            "is an unknown variable; allowed: {}SECTION__KEY in capitals, such as {}",
            keys::PREFIX,
            keys::variable("queue.url")
        ),
    };
    // A name can hold anything but `=`.
    let name = name.escape_debug().to_string();
    sources.refuse(&name, Origin::Variable(name.clone()), message);
}
