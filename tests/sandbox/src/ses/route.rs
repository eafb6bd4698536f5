//! SES v2's paths: which operation a request means, and what its path and query say.

use serde_json::{Map, Value};

const PREFIX: &str = "/v2/email/";

/// The operation of a request, with the parameters that its path and query hold.
///
/// `None` where the path is not SES's. `PUT /ses/account` is ours: it sets what the real
/// account's owner could only wait for.
pub fn route(method: &str, path: &str, query: &str) -> Option<(&'static str, Map<String, Value>)> {
    if (method, path) == ("PUT", "/ses/account") {
        return Some(("PutSandboxAccount", Map::new()));
    }
    let segments: Vec<&str> = path.strip_prefix(PREFIX)?.split('/').collect();
    let mut second = None;
    let (operation, named) = match (method, segments.as_slice()) {
        ("POST", ["outbound-emails"]) => ("SendEmail", None),
        ("GET", ["account"]) => ("GetAccount", None),
        ("PUT", ["account", "sending"]) => ("PutAccountSendingAttributes", None),
        ("PUT", ["account", "suppression"]) => ("PutAccountSuppressionAttributes", None),
        ("POST", ["identities"]) => ("CreateEmailIdentity", None),
        // Newer SDKs list by POST.
        ("GET", ["identities"]) | ("POST", ["list-identities"]) => ("ListEmailIdentities", None),
        ("GET", ["identities", name]) => ("GetEmailIdentity", Some(("EmailIdentity", name))),
        ("DELETE", ["identities", name]) => ("DeleteEmailIdentity", Some(("EmailIdentity", name))),
        ("POST", ["configuration-sets"]) => ("CreateConfigurationSet", None),
        ("GET", ["configuration-sets"]) | ("POST", ["list-configuration-sets"]) => {
            ("ListConfigurationSets", None)
        }
        ("GET", ["configuration-sets", name]) => {
            ("GetConfigurationSet", Some(("ConfigurationSetName", name)))
        }
        ("DELETE", ["configuration-sets", name]) => (
            "DeleteConfigurationSet",
            Some(("ConfigurationSetName", name)),
        ),
        ("PUT", ["configuration-sets", name, "sending"]) => (
            "PutConfigurationSetSendingOptions",
            Some(("ConfigurationSetName", name)),
        ),
        ("GET", ["configuration-sets", name, "event-destinations"]) => (
            "GetConfigurationSetEventDestinations",
            Some(("ConfigurationSetName", name)),
        ),
        ("POST", ["configuration-sets", name, "event-destinations"]) => (
            "CreateConfigurationSetEventDestination",
            Some(("ConfigurationSetName", name)),
        ),
        (method, ["configuration-sets", set, "event-destinations", name]) => {
            second = Some(("EventDestinationName", name));
            let operation = match method {
                "PUT" => "UpdateConfigurationSetEventDestination",
                "DELETE" => "DeleteConfigurationSetEventDestination",
                _ => return None,
            };
            (operation, Some(("ConfigurationSetName", set)))
        }
        ("PUT", ["identities", name, what]) => {
            let operation = match *what {
                "configuration-set" => "PutEmailIdentityConfigurationSetAttributes",
                "feedback" => "PutEmailIdentityFeedbackAttributes",
                "mail-from" => "PutEmailIdentityMailFromAttributes",
                "dkim" => "PutEmailIdentityDkimAttributes",
                _ => return None,
            };
            (operation, Some(("EmailIdentity", name)))
        }
        ("PUT", ["suppression", "addresses"]) => ("PutSuppressedDestination", None),
        ("GET", ["suppression", "addresses"]) => ("ListSuppressedDestinations", None),
        ("GET", ["suppression", "addresses", address]) => {
            ("GetSuppressedDestination", Some(("EmailAddress", address)))
        }
        ("DELETE", ["suppression", "addresses", address]) => (
            "DeleteSuppressedDestination",
            Some(("EmailAddress", address)),
        ),
        _ => return None,
    };
    let mut parameters: Map<String, Value> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
        .collect();
    for (field, value) in named.into_iter().chain(second) {
        parameters.insert(field.to_owned(), Value::String(percent_decode(value)));
    }
    Some((operation, parameters))
}

/// A path segment decoded; in a path a plus sign is a plus sign.
fn percent_decode(segment: &str) -> String {
    let kept = segment.replace('+', "%2B");
    form_urlencoded::parse(kept.as_bytes())
        .next()
        .map(|(decoded, _)| decoded.into_owned())
        .unwrap_or_default()
}
