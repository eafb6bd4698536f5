//! What keeps a call from being looked at: by its code where a service answered, by the error's own
//! types where none did.

use std::{
    error::Error as StdError,
    io,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sqs::primitives::{DateTime, DateTimeFormat};

use super::chain;
use crate::ports::obstacle::{ClockDifference, Obstacle};

/// What the SDK says, in a private type, where nothing was set up that could give credentials.
const NO_PROVIDER: &str = "failed to select an auth scheme";
/// So the TLS library begins what it says of a certificate.
const CERTIFICATE: &str = "invalid peer certificate";
/// So hyper begins what it says of a proxy that was asked for a tunnel.
const TUNNEL: &str = "tunnel error";
/// A clock that is off by less is not what AWS refuses.
const CLOCK_NOTABLE: Duration = Duration::from_secs(30);

/// What a service's code says of us. The text and the answer's date tell how far our clock is off.
pub(super) fn of_answer(code: &str, message: &str, date: Option<&str>) -> Option<Obstacle> {
    Some(match code {
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => Obstacle::Expired,
        "InvalidAccessKeyId" | "InvalidClientTokenId" | "UnrecognizedClientException" => {
            Obstacle::UnknownKey
        }
        "RequestExpired" | "RequestTimeTooSkewed" => clock(message, date),
        "InvalidSignatureException" | "SignatureDoesNotMatch" if is_of_time(message) => {
            clock(message, date)
        }
        "InvalidSignatureException" | "SignatureDoesNotMatch" => Obstacle::WrongSecret,
        "IncompleteSignature"
        | "IncompleteSignatureException"
        | "InvalidSecurity"
        | "InvalidToken"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" => Obstacle::NotAccepted,
        _ => return None,
    })
}

/// Why there were no credentials for a call, if that is what failed.
pub(super) fn of_missing_credentials(error: &(dyn StdError + 'static)) -> Option<Obstacle> {
    let source = chain(error).filter_map(|cause| cause.downcast_ref()).last();
    match source {
        Some(CredentialsError::CredentialsNotLoaded(_)) => Some(Obstacle::NoCredentials),
        Some(CredentialsError::InvalidConfiguration(_)) => Some(Obstacle::Misconfigured),
        Some(_) => Some(Obstacle::CredentialsSource),
        None => chain(error)
            .any(|cause| cause.to_string().starts_with(NO_PROVIDER))
            .then_some(Obstacle::NoCredentials),
    }
}

/// Why there was no connection, where that can be told.
pub(super) fn of_connection(error: &(dyn StdError + 'static)) -> Option<Obstacle> {
    chain(error).find_map(|cause| {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            match io.kind() {
                io::ErrorKind::ConnectionRefused => return Some(Obstacle::Refused),
                io::ErrorKind::TimedOut
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable => return Some(Obstacle::NoConnection),
                _ => {}
            }
        }
        let text = cause.to_string();
        if let Some(fault) = text.strip_prefix(CERTIFICATE) {
            Some(match fault.to_ascii_lowercase().replace(' ', "") {
                fault if fault.contains("notvalidfor") => Obstacle::OtherHost,
                fault if fault.contains("expired") || fault.contains("notvalidyet") => {
                    Obstacle::OutOfDate
                }
                _ => Obstacle::Untrusted,
            })
        } else if text.contains("corrupt message") {
            Some(Obstacle::NoTls)
        } else if text.starts_with(TUNNEL) {
            Some(Obstacle::Proxy)
        } else if text.starts_with("dns error") {
            Some(Obstacle::Unresolved)
        } else if text.contains("connect timeout") {
            Some(Obstacle::NoConnection)
        } else {
            None
        }
    })
}

/// Whether a signature was refused for its time.
fn is_of_time(message: &str) -> bool {
    ["Signature expired", "Signature not yet current"]
        .iter()
        .any(|start| message.starts_with(start))
}

/// `Signature expired: 20261127T031000Z is now earlier than 20261127T033000Z (20261127T033500Z - 5 min.)`:
/// our time first, AWS's last. Without these two the answer's date is AWS's time.
fn clock(message: &str, date: Option<&str>) -> Obstacle {
    let times: Vec<_> = message
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter_map(time)
        .collect();
    let told = match times[..] {
        [ours, _, theirs] => Some((ours, theirs)),
        _ => date.and_then(http_date).and_then(|theirs| {
            let ours = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
            Some((ours, theirs))
        }),
    };
    let difference = told.map(|(ours, theirs)| ClockDifference::between(ours, theirs));
    Obstacle::Clock(difference.filter(|difference| difference.size() >= CLOCK_NOTABLE))
}

/// A time as signatures write it: `20261127T033000Z`.
fn time(text: &str) -> Option<Duration> {
    let part = |range| text.get(range);
    if text.len() != 16 || part(8..9) != Some("T") || part(15..16) != Some("Z") {
        return None;
    }
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0..4)?,
        part(4..6)?,
        part(6..8)?,
        part(9..11)?,
        part(11..13)?,
        part(13..15)?
    );
    since_1970(DateTime::from_str(&text, DateTimeFormat::DateTime).ok()?)
}

fn http_date(text: &str) -> Option<Duration> {
    since_1970(DateTime::from_str(text, DateTimeFormat::HttpDate).ok()?)
}

fn since_1970(time: DateTime) -> Option<Duration> {
    u64::try_from(time.secs()).ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codes_obstacle_is_what_the_operator_has_to_change() {
        for (code, obstacle) in [
            ("ExpiredTokenException", Obstacle::Expired),
            ("ExpiredToken", Obstacle::Expired),
            ("InvalidClientTokenId", Obstacle::UnknownKey),
            ("UnrecognizedClientException", Obstacle::UnknownKey),
            ("InvalidAccessKeyId", Obstacle::UnknownKey),
            ("SignatureDoesNotMatch", Obstacle::WrongSecret),
            ("InvalidSignatureException", Obstacle::WrongSecret),
            ("MissingAuthenticationTokenException", Obstacle::NotAccepted),
            ("IncompleteSignature", Obstacle::NotAccepted),
            ("InvalidToken", Obstacle::NotAccepted),
            ("RequestTimeTooSkewed", Obstacle::Clock(None)),
        ] {
            assert_eq!(of_answer(code, "No.", None), Some(obstacle), "{code}");
        }
        assert_eq!(of_answer("AccessDenied", "No.", None), None);
    }

    #[test]
    fn a_wrong_clock_is_told_with_its_minutes() {
        let minutes = Duration::from_mins;
        let behind = "Signature expired: 20261127T031000Z is now earlier than 20261127T033000Z \
                      (20261127T033500Z - 5 min.)";
        let ahead = "Signature not yet current: 20261127T040000Z is still later than \
                     20261127T034000Z (20261127T033500Z + 5 min.)";
        for (code, text, difference) in [
            (
                "InvalidSignatureException",
                behind,
                ClockDifference::Behind(minutes(25)),
            ),
            (
                "SignatureDoesNotMatch",
                ahead,
                ClockDifference::Ahead(minutes(25)),
            ),
        ] {
            let obstacle = Obstacle::Clock(Some(difference));
            assert_eq!(of_answer(code, text, None), Some(obstacle), "{text}");
        }
        let said = of_answer("InvalidSignatureException", behind, None).unwrap();
        assert_eq!(
            said.describe(),
            "the clock of this machine is 25 min 0 s behind AWS's"
        );
    }

    #[test]
    fn where_the_text_tells_no_time_the_answers_date_does() {
        let date = Some("Tue, 29 Apr 2014 18:30:38 GMT");
        let said = of_answer("RequestTimeTooSkewed", "The difference is too large.", date);
        let Some(Obstacle::Clock(Some(ClockDifference::Ahead(by)))) = said else {
            panic!("{said:?}");
        };
        assert!(by > Duration::from_hours(24), "{by:?}");
        // A clock that agrees with the answer's is not what was meant.
        let now = DateTime::from(SystemTime::now());
        let date = now.fmt(DateTimeFormat::HttpDate).unwrap();
        assert_eq!(
            of_answer("RequestTimeTooSkewed", "", Some(&date)),
            Some(Obstacle::Clock(None))
        );
    }

    /// The SDK's errors around what the TLS library says.
    fn failed(text: &'static str) -> Option<Obstacle> {
        of_connection(&io::Error::other(text))
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_told_apart() {
        for (text, obstacle) in [
            (
                "invalid peer certificate: UnknownIssuer",
                Obstacle::Untrusted,
            ),
            (
                "invalid peer certificate: certificate not valid for name \"localhost\"",
                Obstacle::OtherHost,
            ),
            (
                "invalid peer certificate: certificate expired: verification time 1",
                Obstacle::OutOfDate,
            ),
            (
                "invalid peer certificate: certificate not valid yet: verification time 1",
                Obstacle::OutOfDate,
            ),
            (
                "received corrupt message of type InvalidContentType",
                Obstacle::NoTls,
            ),
        ] {
            assert_eq!(failed(text), Some(obstacle), "{text}");
        }
        assert_eq!(failed("something else"), None);
    }

    #[test]
    fn each_obstacle_has_words_of_its_own() {
        let all = [
            Obstacle::NoCredentials,
            Obstacle::Misconfigured,
            Obstacle::CredentialsSource,
            Obstacle::Expired,
            Obstacle::UnknownKey,
            Obstacle::WrongSecret,
            Obstacle::NotAccepted,
            Obstacle::Clock(None),
            Obstacle::Refused,
            Obstacle::Unresolved,
            Obstacle::NoConnection,
            Obstacle::Untrusted,
            Obstacle::OtherHost,
            Obstacle::OutOfDate,
            Obstacle::NoTls,
            Obstacle::Proxy,
        ];
        for (place, obstacle) in all.iter().enumerate() {
            for text in [&*obstacle.describe(), obstacle.remedy()] {
                assert!(!text.ends_with('.') && !text.contains("  "), "{text}");
            }
            for other in &all[..place] {
                assert_ne!(obstacle.describe(), other.describe());
                assert_ne!(obstacle.remedy(), other.remedy());
            }
        }
    }
}
