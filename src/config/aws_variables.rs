//! The variables of the AWS SDK that make it panic, or fail at each call, where they hold nonsense. The
//! SDK reads them itself; we only check them before.

use std::collections::BTreeMap;

use super::{
    problem::{Origin, Problem, shown_text},
    texts, verbatim,
};

const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
/// The name that the SDK takes as well.
const SECRET_ALSO: &str = "SECRET_ACCESS_KEY";
/// What a request is signed with stands in headers, and what no header holds makes the SDK panic.
const KEYS: [&str; 3] = [KEY_ID, SECRET, "AWS_SESSION_TOKEN"];
/// Those that hold a name, whose quotes would be a part of it.
const NAMES: [&str; 4] = [
    "AWS_PROFILE",
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
];
const ENDPOINT: &str = "AWS_ENDPOINT_URL";
/// The services that are called, as the names of their variables end: ours, and those that give credentials.
const CALLED: [&str; 8] = [
    "_SQS",
    "_SESV2",
    "_CODECOMMIT",
    "_S3",
    "_DYNAMODB",
    "_STS",
    "_SSO",
    "_SSO_OIDC",
];

/// What is wrong with these variables, whose names begin with `AWS_`.
pub(super) fn problems_of_aws(variables: &BTreeMap<String, String>) -> Vec<Problem> {
    let is_true = |name: &str| {
        let value = variables.get(name);
        value.is_some_and(|value| value.eq_ignore_ascii_case("true"))
    };
    let ignored = is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    let single = variables.iter().filter_map(|(name, value)| {
        let message = match name.strip_prefix(ENDPOINT) {
            Some(service) if !ignored && (service.is_empty() || CALLED.contains(&service)) => {
                wrong_endpoint(value)
            }
            _ if NAMES.contains(&name.as_str()) => wrapped(value),
            _ if KEYS.contains(&name.as_str()) => wrong_key(value),
            _ => refused_by_sdk(name, value),
        };
        Some(problem(name, message?))
    });
    single.chain(half_a_pair(variables)).collect()
}

fn problem(name: &str, message: String) -> Problem {
    Problem::new(name, Origin::Variable(name.to_owned()), message)
}

fn wrong_endpoint(value: &str) -> Option<String> {
    if value.is_empty() {
        return None;
    }
    let fault = texts::endpoint(value).err()?;
    let fault = wrapped(value).unwrap_or(fault);
    Some(format!("{fault}; allowed: {}", texts::ENDPOINT))
}

/// The quotes or blanks around a value.
fn wrapped(value: &str) -> Option<String> {
    verbatim::wrapping(&value.into(), &Origin::Variable(String::new()))
}

/// Never shows the value.
fn wrong_key(value: &str) -> Option<String> {
    let is_bad = |char: char| char.is_whitespace() || char.is_control() || "\"'".contains(char);
    (!value.trim().is_empty() && value.contains(is_bad)).then(|| {
        "contains a space, a line end or a quote; allowed: the value alone, as AWS gives it"
            .to_owned()
    })
}

/// What is wrong with a variable that the SDK would not start with, or that it would pass over.
pub(super) fn refused_by_sdk(name: &str, value: &str) -> Option<String> {
    let allowed = match name {
        "AWS_MAX_ATTEMPTS" => match value.parse::<u32>() {
            Ok(1..) => return None,
            Ok(0) | Err(_) => "a whole number from 1",
        },
        "AWS_RETRY_MODE" => {
            let value = value.trim();
            if ["standard", "adaptive"].map(|mode| value.eq_ignore_ascii_case(mode)) != [false; 2] {
                return None;
            }
            "standard or adaptive"
        }
        "AWS_USE_FIPS_ENDPOINT" | "AWS_USE_DUALSTACK_ENDPOINT" => {
            if value.is_empty()
                || ["true", "false"].map(|bool| value.eq_ignore_ascii_case(bool)) != [false; 2]
            {
                return None;
            }
            "true or false"
        }
        _ => return None,
    };
    let value = shown_text(value);
    Some(format!(
        "is {value}, which the AWS SDK refuses; allowed: {allowed}, or unset"
    ))
}

/// Half a pair of keys can only be a mistake, and the SDK would look for credentials elsewhere.
fn half_a_pair(variables: &BTreeMap<String, String>) -> Option<Problem> {
    let set = |name| {
        let value: Option<&String> = variables.get(name);
        value.is_some_and(|value| !value.trim().is_empty())
    };
    let (missing, given) = match (set(KEY_ID), set(SECRET) || set(SECRET_ALSO)) {
        (true, false) => (SECRET, KEY_ID),
        (false, true) => (KEY_ID, SECRET),
        _ => return None,
    };
    let message = format!("is not set, and {given} is; allowed: both, or neither");
    Some(Problem::new(
        missing,
        Origin::Variable(missing.to_owned()),
        message,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(variables: &[(&str, &str)]) -> Vec<String> {
        let variables = variables.iter();
        let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let problems = problems_of_aws(&variables.collect());
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_sdk_would_panic_over_is_named_with_what_is_allowed() {
        for (name, value, allowed) in [
            ("AWS_MAX_ATTEMPTS", "0", "a whole number from 1"),
            ("AWS_MAX_ATTEMPTS", "", "a whole number from 1"),
            ("AWS_MAX_ATTEMPTS", "three", "a whole number from 1"),
            ("AWS_MAX_ATTEMPTS", "-1", "a whole number from 1"),
            ("AWS_RETRY_MODE", "legacy", "standard or adaptive"),
            ("AWS_RETRY_MODE", "", "standard or adaptive"),
            ("AWS_USE_FIPS_ENDPOINT", "yes", "true or false"),
            ("AWS_USE_DUALSTACK_ENDPOINT", "1", "true or false"),
        ] {
            let problems = told(&[(name, value)]);
            assert_eq!(problems.len(), 1, "{name}={value}: {problems:?}");
            assert!(problems[0].starts_with(name), "{problems:?}");
            assert!(problems[0].contains(allowed), "{problems:?}");
        }
        for (name, value) in [
            ("AWS_MAX_ATTEMPTS", "1"),
            ("AWS_MAX_ATTEMPTS", "5"),
            ("AWS_RETRY_MODE", "standard"),
            ("AWS_RETRY_MODE", "Adaptive"),
            ("AWS_USE_FIPS_ENDPOINT", "True"),
            ("AWS_USE_FIPS_ENDPOINT", ""),
            ("AWS_REGION", ""),
        ] {
            assert!(told(&[(name, value)]).is_empty(), "{name}={value}");
        }
    }

    #[test]
    fn an_endpoint_that_is_no_url_is_named_with_what_is_allowed() {
        for (value, wrong) in [
            ("127.0.0.1:4566", "does not begin with `https://`"),
            ("\"http://127.0.0.1:4566\"", "is in quotes"),
            ("ftp://127.0.0.1", "does not begin with `https://`"),
            ("http://127.0.0.1:4566 ", "ends with a blank"),
            ("http://127.0.0.1:4566\n", "ends with a line break"),
            ("http://'127.0.0.1'", "is not a URL of a host"),
            ("http://127.0.0.1:port", "is not a URL of a host"),
            ("http://", "names no host"),
            ("https://:443/", "names no host"),
        ] {
            for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS"] {
                let problems = told(&[(name, value)]);
                assert_eq!(problems.len(), 1, "{name}={value}: {problems:?}");
                assert!(problems[0].starts_with(name), "{problems:?}");
                assert!(problems[0].contains(wrong), "{value}: {problems:?}");
                assert!(problems[0].contains("allowed: "), "{problems:?}");
            }
        }
        for (name, value) in [
            ("AWS_ENDPOINT_URL", ""),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
            ("AWS_ENDPOINT_URL", "http://[::1]:4566/path"),
            (
                "AWS_ENDPOINT_URL_SESV2",
                "https://email.eu-central-1.amazonaws.com",
            ),
            ("AWS_ENDPOINT_URL_EC2", "of no service that is called"),
        ] {
            assert!(told(&[(name, value)]).is_empty(), "{name}={value}");
        }
        let ignored = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
        assert!(told(&[ignored, ("AWS_ENDPOINT_URL", "nowhere")]).is_empty());
    }

    #[test]
    fn half_a_pair_of_keys_is_refused_with_the_missing_one() {
        for (given, missing) in [(KEY_ID, SECRET), (SECRET, KEY_ID)] {
            let message =
                format!("{missing}: is not set, and {given} is; allowed: both, or neither");
            for half in [&[(given, "x")][..], &[(given, "x"), (missing, " ")]] {
                assert_eq!(told(half), [message.as_str()]);
            }
        }
        assert!(told(&[(KEY_ID, "x"), (SECRET, "y")]).is_empty());
        assert!(told(&[(KEY_ID, ""), (SECRET, "")]).is_empty());
    }
}
