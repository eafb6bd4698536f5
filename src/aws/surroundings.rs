//! What the SDK reads by itself: the variables that every AWS tool knows, and the profile. It takes them
//! unseen, so that a mistake in one of them would be told at each call, or never; here they are looked at
//! before the first.

use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
};

use aws_config::{
    Region, SdkConfig,
    imds::region::ImdsRegionProvider,
    meta::region::ProvideRegion,
    profile::{self, ProfileFileRegionProvider, ProfileSet},
    provider_config::ProviderConfig,
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::{
    os_shim_internal::{Env, Fs},
    service_config::{LoadServiceConfig, ServiceConfigKey},
};

use super::{Refusal, classify::innermost, http::Http};
use crate::trust;

const PROFILE: &str = "AWS_PROFILE";
const ENDPOINT: &str = "AWS_ENDPOINT_URL";
/// The files of profiles, and the variables that name others.
const FILES: [(&str, &str); 2] = [
    ("AWS_CONFIG_FILE", "~/.aws/config"),
    ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
];
/// The services that are called, as the SDK names them: those of ours, and those that give credentials.
const SERVICES: [&str; 8] = [
    "SQS",
    "SESv2",
    "CodeCommit",
    "S3",
    "DynamoDB",
    "STS",
    "SSO",
    "SSO OIDC",
];

/// Those that every mail needs.
const OURS: [&str; 3] = ["SQS", "SESv2", "CodeCommit"];

/// What is wrong with a value that the variable of a name could hold, too: name first, then value.
pub type SettingFault = fn(&str, &str) -> Option<String>;

/// A value that the SDK takes from one of its own sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The variable, or the profile's key.
    pub source: String,
    /// The value as it stands there.
    pub value: String,
}

/// The profile in use, and what is read of the variables.
pub(super) struct Surroundings {
    profiles: ProfileSet,
}

impl Surroundings {
    /// Reads the files of profiles.
    pub(super) async fn read(fault: SettingFault) -> Result<Self, Refusal> {
        for (variable, _) in FILES {
            let Some(path) = set(variable) else { continue };
            fs::read_to_string(expanded(&path)).map_err(|error| {
                let path = path.escape_debug();
                Refusal::Setting(format!(
                    "{variable} is `{path}`, which cannot be read: {error}"
                ))
            })?;
        }
        let chosen = Self::override_of_profile().map(Cow::Borrowed);
        let profiles = profile::load(&Fs::real(), &Env::real(), &<_>::default(), chosen).await;
        let profiles = profiles.map_err(|error| {
            let files = files_of_profiles();
            let fault = innermost(&error);
            let fault = fault.split_whitespace().collect::<Vec<_>>().join(" ");
            Refusal::Setting(format!(
                "the AWS profiles cannot be read ({files}): {fault}"
            ))
        })?;
        let surroundings = Self { profiles };
        let profiles = &surroundings.profiles;
        surroundings.refuse_settings(fault)?;
        surroundings.refuse_missing_source()?;
        match set(PROFILE) {
            // The one without a name need not be there.
            Some(name) if name != "default" && profiles.get_profile(&name).is_none() => {
                Err(Refusal::Setting(format!(
                    "{PROFILE} is `{}`, and no profile of this name is in {}; name one that is there, or \
                 take {PROFILE} away",
                    name.escape_debug(),
                    files_of_profiles()
                )))
            }
            _ => Ok(surroundings),
        }
    }

    /// The keys of the profile that the SDK would panic over. A variable beats them.
    fn refuse_settings(&self, fault: SettingFault) -> Result<(), Refusal> {
        for (key, variable) in [
            ("retry_mode", "AWS_RETRY_MODE"),
            ("max_attempts", "AWS_MAX_ATTEMPTS"),
        ] {
            if std::env::var_os(variable).is_none()
                && let Some(value) = self.profiles.get(key)
                && let Some(fault) = fault(variable, value)
            {
                let source = self.of_profile(key, value).source;
                return Err(Refusal::Setting(format!("{source} {fault}")));
            }
        }
        Ok(())
    }

    /// A profile that is based on one that is not there. The SDK would look for credentials elsewhere, and
    /// may find somebody else's. Keys in variables beat every profile.
    fn refuse_missing_source(&self) -> Result<(), Refusal> {
        let mut name = self.profiles.selected_profile();
        if set("AWS_ACCESS_KEY_ID").is_some() {
            return Ok(());
        }
        for _ in 0..5 {
            let profile = self.profiles.get_profile(name);
            let Some(source) = profile.and_then(|profile| profile.get("source_profile")) else {
                break;
            };
            if self.profiles.get_profile(source).is_none() {
                return Err(Refusal::Setting(format!(
                    "source_profile of the AWS profile `{}` is `{}`, and no profile of this name is in {}",
                    name.escape_debug(),
                    source.escape_debug(),
                    files_of_profiles()
                )));
            }
            name = source;
        }
        Ok(())
    }

    /// The profile to name to the SDK: it would look for one without a name where the variable is empty.
    pub(super) fn override_of_profile() -> Option<&'static str> {
        let is_empty = std::env::var_os(PROFILE).is_some_and(|name| name.is_empty());
        is_empty.then_some("default")
    }

    /// What renews the session of the profile in use, or of the one that it is based on, where a person
    /// logs in for it.
    pub(super) fn login(&self) -> Option<String> {
        let mut name = self.profiles.selected_profile();
        for _ in 0..5 {
            let profile = self.profiles.get_profile(name)?;
            let has = |key| profile.get(key).is_some();
            let shown = name.escape_debug();
            if has("login_session") {
                return Some(format!("run `aws login --profile {shown}`"));
            }
            if has("sso_session") || has("sso_start_url") {
                return Some(format!("run `aws sso login --profile {shown}`"));
            }
            name = profile.get("source_profile")?;
        }
        None
    }

    /// What the connections trust: the file that a variable or the profile names. Without one it is the
    /// machine's certificates, which may be missing.
    pub(super) fn trust(&self) -> Result<Result<Http, trust::NoRoots>, Refusal> {
        let of_profile = || {
            let file = self.profiles.get("ca_bundle")?;
            (!file.is_empty()).then(|| self.of_profile("ca_bundle", file))
        };
        let of_variable = |value| Given {
            source: "AWS_CA_BUNDLE".to_owned(),
            value,
        };
        let bundle = set("AWS_CA_BUNDLE").map(of_variable).or_else(of_profile);
        let Some(Given { source, value }) = bundle else {
            return Ok(match trust::system() {
                Ok(roots) => Ok(Http::trusting_the_machine(roots)?),
                Err(none) => Err(none),
            });
        };
        let pem = trust::bundle(Path::new(&value)).map_err(|fault| {
            Refusal::Setting(format!(
                "{source} is `{}`, which {fault}; name a file of the CA's certificates in PEM",
                value.escape_debug()
            ))
        })?;
        Ok(Ok(Http::trusting(pem)?))
    }

    /// The region, where a variable, the profile or the instance's metadata gives one. An empty variable
    /// counts as unset.
    pub(super) async fn region(&self, client: &SharedHttpClient) -> Option<Given> {
        for variable in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            if let Some(value) = set(variable) {
                let source = variable.to_owned();
                return Some(Given { source, value });
            }
        }
        let reading = ProviderConfig::default().with_http_client(client.clone());
        let mut of_profile = ProfileFileRegionProvider::builder().configure(&reading);
        if let Some(name) = Self::override_of_profile() {
            of_profile = of_profile.profile_name(name);
        }
        if let Some(region) = of_profile.build().region().await {
            return Some(self.of_profile("region", region.as_ref()));
        }
        let of_instance = ImdsRegionProvider::builder().configure(&reading).build();
        let region: Region = of_instance.region().await?;
        Some(Given {
            source: "the instance's metadata".to_owned(),
            value: region.to_string(),
        })
    }

    /// The endpoints of the services that are called, where one is set. FIPS and dual-stack endpoints are
    /// others, so that the SDK refuses every call with both.
    pub(super) fn endpoints(&self, config: &SdkConfig) -> Result<Vec<Given>, Refusal> {
        let endpoints: Vec<_> = SERVICES
            .into_iter()
            .filter_map(|service| self.endpoint(config, service))
            .collect();
        let mut ours = OURS.into_iter();
        let ours = ours.find_map(|service| self.endpoint(config, service));
        let others = [
            (
                config.use_fips(),
                "AWS_USE_FIPS_ENDPOINT",
                "use_fips_endpoint",
            ),
            (
                config.use_dual_stack(),
                "AWS_USE_DUALSTACK_ENDPOINT",
                "use_dualstack_endpoint",
            ),
        ];
        for (wanted, variable, key) in others {
            if let (Some(true), Some(endpoint)) = (wanted, &ours) {
                let other = match set(variable) {
                    Some(_) => variable.to_owned(),
                    None => self.of_profile(key, "true").source,
                };
                return Err(Refusal::Setting(format!(
                    "{} and {other} are both set, and every call would be refused; unset one \
                     of them",
                    endpoint.source
                )));
            }
        }
        Ok(endpoints)
    }

    fn endpoint(&self, config: &SdkConfig, service: &str) -> Option<Given> {
        let value = endpoint(config, service)?;
        let variable = format!("{ENDPOINT}_{}", service.to_uppercase().replace(' ', "_"));
        let mut variables = [variable, ENDPOINT.to_owned()].into_iter();
        let source = match variables.find(|name| set(name).as_ref() == Some(&value)) {
            Some(variable) => variable,
            None => self.of_profile("endpoint_url", "").source,
        };
        Some(Given { source, value })
    }

    fn of_profile(&self, key: &str, value: &str) -> Given {
        let name = self.profiles.selected_profile().escape_debug();
        Given {
            source: format!("{key} of the AWS profile `{name}`"),
            value: value.to_owned(),
        }
    }
}

/// Whether none of the services that are called is called over TLS.
pub(super) fn all_plain(config: &SdkConfig) -> bool {
    let mut endpoints = SERVICES.iter().map(|service| endpoint(config, service));
    endpoints.all(|url| url.is_some_and(|url| url.starts_with("http://")))
}

/// The endpoint that a variable or the profile sets for a service.
pub(super) fn endpoint(config: &SdkConfig, service: &str) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env(ENDPOINT)
        .profile("endpoint_url")
        .build()
        .ok()?;
    config.service_config()?.load_config(key)
}

/// The SDK's own look at variables and profile, but for empty values, which count as unset.
#[derive(Debug)]
pub(super) struct WithoutEmpty(pub(super) SdkConfig);

impl LoadServiceConfig for WithoutEmpty {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let value = self.0.service_config()?.load_config(key);
        value.filter(|value| !value.is_empty())
    }
}

/// A variable that is set and not empty.
fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn files_of_profiles() -> String {
    FILES
        .map(|(variable, usual)| match set(variable) {
            Some(path) => format!("{} ({variable})", path.escape_debug()),
            None => usual.to_owned(),
        })
        .join(" or ")
}

/// As the SDK does: `~` is the home directory.
fn expanded(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), set("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(path),
    }
}
