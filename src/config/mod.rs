//! The configuration: where it comes from, what is allowed in it, and what it
//! says.
//!
//! Later sources win: `config/default.toml`, the Calendar Invite Server's
//! variables, the configuration file, the `NOTIFIER_SECTION__KEY` variables,
//! flags. One table (`keys.rs`) says which keys there are and what each takes;
//! it drives the reading of every source, the checks and the error texts.
//! figment merges the sources. It stops at its first error, so the merged
//! values are read key by key here, and all problems are told at once.

mod assemble;
mod compose;
mod environment;
mod keys;
mod problem;
mod reader;
mod sdk;
mod settings;
mod sources;
mod units;
mod validate;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

pub use self::compose::ComposeError;
pub use self::problem::{Origin, Problem, Problems};
pub use self::settings::{
    Aws, Email, Health, Log, LogFormat, Message, Placeholder, Queue, Retry, SendRate, Settings,
    Shutdown, TemplateLocation, TemplateSettings,
};

/// What the command line says about the configuration.
#[derive(Clone, Default)]
pub struct Flags {
    /// The configuration file of `--config`; it beats `NOTIFIER_CONFIG`.
    pub config: Option<PathBuf>,
    /// Keys and their values, the last of a key winning. Values are taken as
    /// those of variables are: text verbatim, lists with commas.
    pub overrides: Vec<(String, String)>,
}

/// Without the overrides' values, which may be addresses.
impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.overrides.iter().map(|(key, _)| key.as_str()).collect();
        f.debug_struct("Flags")
            .field("config", &self.config)
            .field("overrides", &keys)
            .finish()
    }
}

/// A configuration that was found good.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What it says.
    pub settings: Settings,
    /// What boot should tell once: which variables are given but not used.
    pub notes: Vec<String>,
    /// Every key with its value and where that comes from, in the order of the
    /// reference.
    pub origins: Vec<KeyOrigin>,
}

/// One key of the effective configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyOrigin {
    /// The key, such as `queue.url`.
    pub key: String,
    /// The value as TOML; `None` where an optional key is not set.
    pub value: Option<String>,
    /// The source that gave it.
    pub origin: Origin,
}

/// Without the value, which may be an address.
impl fmt::Debug for KeyOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyOrigin")
            .field("key", &self.key)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// Loads the configuration from the defaults, the environment, the
/// configuration file and the flags.
///
/// `environment` is all of the process's variables
/// ([`vars_os`](std::env::vars_os)), since misspelt ones are problems too. An
/// empty variable counts as unset.
///
/// # Errors
///
/// Every problem there is, not only the first.
pub fn load<N, V>(
    flags: &Flags,
    environment: impl IntoIterator<Item = (N, V)>,
) -> Result<Loaded, Problems>
where
    N: Into<OsString>,
    V: Into<OsString>,
{
    load_without(&[], flags, environment)
}

/// Loads as [`load`] does, for a command that gets by without some of the keys that the daemon
/// requires. Those of `spared` that no source gives are empty in the settings.
pub fn load_without<N, V>(
    spared: &[&str],
    flags: &Flags,
    environment: impl IntoIterator<Item = (N, V)>,
) -> Result<Loaded, Problems>
where
    N: Into<OsString>,
    V: Into<OsString>,
{
    let mut problems = Vec::new();
    let variables = environment::Variables::new(environment, &mut problems);
    let file = sources::file(flags, &variables, &mut problems);
    let layers = vec![
        sources::defaults(&mut problems),
        environment::cis(&variables, &mut problems),
        file.layer,
        environment::own(&variables, &mut problems),
        sources::overrides(flags, &mut problems),
    ];
    let mut notes = file.notes;
    let reader = reader::Reader::new(layers, file.readable, spared);
    let loaded = reader.read(&mut problems);
    match loaded {
        Some((settings, origins, shadowed)) if problems.is_empty() => {
            notes.extend(shadowed);
            Ok(Loaded {
                settings,
                notes,
                origins,
            })
        }
        _ => {
            problems.sort_by_key(|problem| keys::place(&problem.key));
            Err(Problems::new(problems))
        }
    }
}
