//! Where calls go, if not to AWS itself.

use super::{AwsConfig, surroundings::endpoint};

/// The services that are called: in the names of IAM's actions, for people, and in the SDK's settings.
const SERVICES: [(&str, &str, &str); 5] = [
    ("sqs", "SQS", "SQS"),
    ("ses", "SES", "SESv2"),
    ("codecommit", "CodeCommit", "CodeCommit"),
    ("s3", "S3", "S3"),
    ("dynamodb", "DynamoDB", "DynamoDB"),
];

const VARIABLE: &str = "AWS_ENDPOINT_URL";

/// The endpoints that the environment or the profile sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    all: Option<Endpoint>,
    /// Those of one service, by its name in IAM's actions.
    own: Vec<(&'static str, Endpoint)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Endpoint {
    url: String,
    set_by: String,
}

impl AwsConfig {
    /// The endpoints that are set, for all services or for one.
    pub fn endpoints(&self) -> Endpoints {
        let all = self.config.endpoint_url().filter(|url| !url.is_empty());
        let set = |url: &str| {
            let (_, given) = self.given();
            let given = given.iter().find(|given| given.value == url);
            Endpoint {
                url: url.to_owned(),
                set_by: given.map_or_else(|| VARIABLE.to_owned(), |given| given.source.clone()),
            }
        };
        let own = SERVICES.iter().filter_map(|(service, _, id)| {
            let url = endpoint(&self.config, id)?;
            (Some(url.as_str()) != all).then(|| (*service, set(&url)))
        });
        Endpoints {
            own: own.collect(),
            all: all.map(set),
        }
    }
}

impl Endpoints {
    /// Where the calls of this service go; `None` is AWS's own endpoint. The service has its name in
    /// IAM's actions.
    pub fn of(&self, service: &str) -> Option<&str> {
        let own = self.own.iter().find(|(name, _)| *name == service);
        let endpoint = own.map(|(_, endpoint)| endpoint).or(self.all.as_ref());
        endpoint.map(|endpoint| endpoint.url.as_str())
    }

    /// What to know where calls do not go to AWS, as a clause.
    pub fn elsewhere(&self) -> Option<String> {
        let all = self.all.as_ref().filter(|all| !is_of_aws(&all.url));
        let own = self.own.iter().filter(|(_, own)| {
            // Beside one for all services, one of AWS's own is an exception that is worth a word.
            all.is_some() || !is_of_aws(&own.url)
        });
        let own = own.map(|(service, own)| {
            let name = SERVICES.iter().find(|(action, ..)| action == service);
            let name = name.map_or(*service, |(_, name, _)| name);
            sends(own, &format!("the calls to {name}"))
        });
        let told: Vec<_> = all
            .map(|all| sends(all, "every call"))
            .into_iter()
            .chain(own)
            .collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

fn sends(endpoint: &Endpoint, what: &str) -> String {
    let Endpoint { url, set_by } = endpoint;
    let not_aws = if is_of_aws(url) { "" } else { ", not to AWS" };
    format!("{set_by} sends {what} to {}{not_aws}", without_secrets(url))
}

/// An endpoint as it may be shown: without a name and a password, and without what follows the host.
fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if scheme.is_empty() {
        host.to_owned()
    } else {
        format!("{scheme}://{host}")
    }
}

/// Whether an endpoint or another URL is one of AWS's own, such as a VPC's.
pub fn is_of_aws(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', ':']).next().unwrap_or_default();
    host.contains(".amazonaws.") || host == "queue.amazonaws.com" || host.ends_with(".api.aws")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str, set_by: &str) -> Endpoint {
        Endpoint {
            url: url.to_owned(),
            set_by: set_by.to_owned(),
        }
    }

    #[test]
    fn an_endpoint_that_is_not_awss_is_told_with_what_sets_it() {
        let mut endpoints = Endpoints::default();
        assert_eq!(endpoints.elsewhere(), None);
        let private = endpoint("https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com", VARIABLE);
        endpoints.own.push(("sqs", private));
        assert_eq!(endpoints.elsewhere(), None, "a VPC's endpoint is AWS's");
        let other = endpoint("http://me:secret@127.0.0.1:1/x", "AWS_ENDPOINT_URL_SESV2");
        endpoints.own = vec![("ses", other)];
        let told =
            "AWS_ENDPOINT_URL_SESV2 sends the calls to SES to http://127.0.0.1:1, not to AWS";
        assert_eq!(endpoints.elsewhere().as_deref(), Some(told));
        endpoints.all = Some(endpoint("http://localhost:4566", VARIABLE));
        let all = "AWS_ENDPOINT_URL sends every call to http://localhost:4566, not to AWS";
        assert_eq!(endpoints.elsewhere(), Some(format!("{all}; {told}")));
        assert_eq!(endpoints.of("sqs"), Some("http://localhost:4566"));
        assert_eq!(endpoints.of("ses"), Some("http://me:secret@127.0.0.1:1/x"));
    }
}
