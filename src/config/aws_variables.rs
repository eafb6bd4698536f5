//! The variables of the AWS SDK that make it panic where they hold nonsense. The SDK reads them
//! itself; we only check them before.

use std::ffi::OsString;

use super::problem::{Origin, Problem};

/// What is wrong with a variable that the SDK would not start with.
pub(super) fn refused_by_sdk(name: &str, value: &OsString) -> Option<Problem> {
    // The SDK treats a value that is not UTF-8 as unset.
    let value = value.to_str()?;
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
        _ => return None,
    };
    let message = format!("is {value:?}, which the AWS SDK refuses; allowed: {allowed}, or unset");
    Some(Problem::new(
        name,
        Origin::Variable(name.to_owned()),
        message,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_sdk_would_panic_over_is_named_with_what_is_allowed() {
        for (name, value, allowed) in [
            ("AWS_MAX_ATTEMPTS", "0", "a whole number from 1"),
            ("AWS_MAX_ATTEMPTS", "", "a whole number from 1"),
            ("AWS_MAX_ATTEMPTS", "three", "a whole number from 1"),
            ("AWS_MAX_ATTEMPTS", "-1", "a whole number from 1"),
            ("AWS_RETRY_MODE", "legacy", "standard or adaptive"),
            ("AWS_RETRY_MODE", "", "standard or adaptive"),
        ] {
            let problem = refused_by_sdk(name, &value.into()).unwrap().to_string();
            assert!(problem.starts_with(name), "{problem}");
            assert!(problem.contains(allowed), "{problem}");
        }
        for (name, value) in [
            ("AWS_MAX_ATTEMPTS", "1"),
            ("AWS_MAX_ATTEMPTS", "5"),
            ("AWS_RETRY_MODE", "standard"),
            ("AWS_RETRY_MODE", "Adaptive"),
            ("AWS_REGION", ""),
        ] {
            assert_eq!(refused_by_sdk(name, &value.into()), None);
        }
    }
}
