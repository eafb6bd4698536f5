//! Signatures of AWS's version 4, for the calls that each mail costs.
//!
//! The SDK derives the key anew for each call, which is good for a day, and builds maps of headers to
//! write a dozen lines. Here the key is kept and the lines are written; keys and signatures are computed
//! by the SDK's own library. What is out of the ordinary (a query, a body that is not in memory, options
//! of an operation) goes to the SDK's signer. A test holds our signatures against the SDK's.

use std::{
    fmt::{self, Write as _},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_credential_types::Credentials;
use aws_runtime::{
    auth::{HttpSignatureType, SigV4OperationSigningConfig, sigv4},
    service_clock_skew::DisableClockSkewCorrection,
};
use aws_sdk_sqs::primitives::{DateTime, DateTimeFormat};
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use aws_smithy_async::time::StaticTimeSource;
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        auth::{AuthScheme, AuthSchemeEndpointConfig, AuthSchemeId, Sign},
        identity::{Identity, SharedIdentityResolver},
        orchestrator::HttpRequest,
        runtime_components::{GetIdentityResolver, RuntimeComponents},
    },
};
use aws_smithy_types::{Document, config_bag::ConfigBag};
use aws_types::{SigningName, region::SigningRegion};
use hyper::header::HeaderValue;
use sha2::{Digest, Sha256};

use super::clock::ServiceClock;
use crate::{mutex::Mutex, notification::hex};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: &str = "x-amz-date";
const TOKEN: &str = "x-amz-security-token";
/// Headers that the SDK never signs: they change on the way, or are the signature's own.
const UNSIGNED: [&str; 4] = [
    "authorization",
    "transfer-encoding",
    "user-agent",
    "x-amzn-trace-id",
];
/// Headers of one call, and what they hold.
const HEADERS: usize = 12;
const LINES: usize = 1024;

/// Takes the place of the SDK's scheme of the same name in one client.
#[derive(Debug)]
pub(super) struct Signing {
    signer: Signer,
}

impl Signing {
    /// By this clock.
    pub(super) fn new(clock: ServiceClock) -> Self {
        Self {
            signer: Signer {
                general: sigv4::SigV4Signer::new(),
                clock,
                day: Mutex::default(),
                second: Mutex::default(),
            },
        }
    }
}

impl AuthScheme for Signing {
    fn scheme_id(&self) -> AuthSchemeId {
        sigv4::SCHEME_ID
    }

    fn identity_resolver(
        &self,
        resolvers: &dyn GetIdentityResolver,
    ) -> Option<SharedIdentityResolver> {
        resolvers.identity_resolver(self.scheme_id())
    }

    fn signer(&self) -> &dyn Sign {
        &self.signer
    }
}

struct Signer {
    general: sigv4::SigV4Signer,
    clock: ServiceClock,
    day: Mutex<Option<Day>>,
    second: Mutex<Option<Second>>,
}

/// A key and what it was derived from.
struct Day {
    secret: String,
    /// `20261127/eu-west-1/ses/aws4_request`
    scope: String,
    key: Vec<u8>,
}

/// A moment as signatures write it: `20261127T033000Z`.
#[derive(Clone)]
struct Second {
    since_1970: u64,
    text: String,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It holds a key.
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

impl Sign for Signer {
    fn sign_http_request(
        &self,
        request: &mut HttpRequest,
        identity: &Identity,
        endpoint: AuthSchemeEndpointConfig<'_>,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        let time = self.time(components, config);
        let signed = self.signature(request, identity, &endpoint, time, config)?;
        let Some(Signed {
            date,
            token,
            authorization,
        }) = signed
        else {
            let standing = StaticTimeSource::new(time);
            let components = components.to_builder().with_time_source(Some(standing));
            let (general, components) = (&self.general, components.build()?);
            return general.sign_http_request(request, identity, endpoint, &components, config);
        };
        let headers = request.headers_mut();
        headers.insert(DATE, date);
        for (name, value) in [(TOKEN, token), ("authorization", Some(authorization))] {
            if let Some(value) = value {
                let mut value = HeaderValue::try_from(value)?;
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        Ok(())
    }
}

/// The headers that a signature adds.
struct Signed {
    date: String,
    token: Option<String>,
    authorization: String,
}

impl Signer {
    /// What a signature says of its time: AWS's, unless an operator has our own go uncorrected.
    fn time(&self, components: &RuntimeComponents, config: &ConfigBag) -> SystemTime {
        let now = components.time_source().unwrap_or_default().now();
        let setting = config.load::<DisableClockSkewCorrection>();
        if setting.is_some_and(DisableClockSkewCorrection::is_disabled) {
            return now;
        }
        self.clock.at(now)
    }

    /// `None` where the SDK has to sign.
    fn signature(
        &self,
        request: &HttpRequest,
        identity: &Identity,
        endpoint: &AuthSchemeEndpointConfig<'_>,
        time: SystemTime,
        config: &ConfigBag,
    ) -> Result<Option<Signed>, BoxError> {
        let text = |name| endpoint.get(name).and_then(Document::as_string);
        let region =
            text("signingRegion").or_else(|| config.load::<SigningRegion>().map(AsRef::as_ref));
        let service =
            text("signingName").or_else(|| config.load::<SigningName>().map(AsRef::as_ref));
        let (Some(credentials), Some(region), Some(service), Some(body), Some(target)) = (
            identity.data::<Credentials>(),
            region,
            service,
            request.body().bytes(),
            Target::of(request.uri()),
        ) else {
            return Ok(None);
        };
        if !is_plain(config) {
            return Ok(None);
        }
        let second = self.second(time)?;
        let date = second.text.as_str();
        let token = credentials.session_token();

        let mut headers: Vec<(&str, &str)> = Vec::with_capacity(HEADERS);
        headers.extend(request.headers().iter());
        headers.retain(|(name, _)| !UNSIGNED.contains(name) && *name != "host");
        headers.extend([("host", target.host), (DATE, date)]);
        headers.extend(token.map(|token| (TOKEN, token)));
        headers.sort_unstable();
        let is_plain = |value: &str| value.trim() == value && !value.contains("  ");
        let is_twice = |pair: &[(&str, &str)]| pair[0].0 == pair[1].0;
        if !headers.iter().all(|(_, value)| is_plain(value)) || headers.windows(2).any(is_twice) {
            return Ok(None);
        }
        let mut names = String::with_capacity(LINES / 4);
        for (name, _) in &headers {
            let before = if names.is_empty() { "" } else { ";" };
            names.extend([before, name]);
        }

        let mut lines = String::with_capacity(LINES);
        lines.extend([request.method(), "\n", target.path, "\n\n"]);
        for (name, value) in &headers {
            lines.extend([name, ":", value, "\n"]);
        }
        let hash = hex(&Sha256::digest(body));
        lines.extend(["\n", &names, "\n", &hash]);
        let hash = hex(&Sha256::digest(&lines));

        let mut day = self.day.lock();
        let secret = credentials.secret_access_key();
        let is_of = |scope: &str| {
            let mut parts = scope.split('/');
            parts.next() == date.get(..8)
                && parts.next() == Some(region)
                && parts.next() == Some(service)
        };
        let kept = day.take();
        let kept = kept.filter(|day| day.secret == secret && is_of(&day.scope));
        let day = day.insert(kept.unwrap_or_else(|| {
            let time = UNIX_EPOCH + Duration::from_secs(second.since_1970);
            let key = generate_signing_key(secret, time, region, service);
            Day {
                secret: secret.to_owned(),
                scope: format!("{}/{region}/{service}/aws4_request", &date[..8]),
                key: key.as_ref().to_vec(),
            }
        }));
        lines.clear();
        lines.extend([ALGORITHM, "\n", date, "\n", &day.scope, "\n", &hash]);
        let signature = calculate_signature(&day.key, lines.as_bytes());
        let mut authorization = String::with_capacity(LINES / 2);
        write!(
            authorization,
            "{ALGORITHM} Credential={}/{}, SignedHeaders={names}, Signature={signature}",
            credentials.access_key_id(),
            day.scope,
        )?;
        Ok(Some(Signed {
            date: date.to_owned(),
            token: token.map(str::to_owned),
            authorization,
        }))
    }

    fn second(&self, time: SystemTime) -> Result<Second, BoxError> {
        let since_1970 = time.duration_since(UNIX_EPOCH)?.as_secs();
        let mut kept = self.second.lock();
        if let Some(second) = kept.as_ref().filter(|kept| kept.since_1970 == since_1970) {
            return Ok(second.clone());
        }
        let time = DateTime::from_secs(i64::try_from(since_1970)?);
        let mut text = time.fmt(DateTimeFormat::DateTime)?;
        text.retain(|letter| !matches!(letter, '-' | ':'));
        Ok(kept.insert(Second { since_1970, text }).clone())
    }
}

/// Whether an operation wants no other than the usual signature.
fn is_plain(config: &ConfigBag) -> bool {
    let Some(operation) = config.load::<SigV4OperationSigningConfig>() else {
        return false;
    };
    let options = &operation.signing_options;
    operation.region.is_none()
        && operation.name.is_none()
        && options.signature_type == HttpSignatureType::HttpRequestHeaders
        && !options.content_sha256_header
        && options.payload_override.is_none()
}

/// Where a request goes.
struct Target<'a> {
    host: &'a str,
    path: &'a str,
}

impl<'a> Target<'a> {
    /// `None` where it has a query, or a path that is written otherwise in a signature.
    fn of(uri: &'a str) -> Option<Self> {
        let (scheme, rest) = uri.split_once("://")?;
        let (host, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        let usual = if scheme == "https" { ":443" } else { ":80" };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_".contains(&byte);
        let is_written_so = path.bytes().all(is_plain) && !path.contains("//");
        let is_host = !host.is_empty() && !host.contains(['@', '?', '#']);
        (is_written_so && is_host).then(|| Self {
            host: host.strip_suffix(usual).unwrap_or(host),
            path,
        })
    }
}

#[cfg(test)]
mod tests;
