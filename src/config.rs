//! The configuration: where it comes from, what is allowed in it, and what it says.
//!
//! Later sources win: `config/default.toml`, the Calendar Invite Server's variables, the
//! configuration file, the `NOTIFIER_SECTION__KEY` variables, flags. One table (`keys.rs`) has a
//! row for each key: what the key takes, and the setting that its value goes to. The table drives
//! the reading of every source, the checks and the error texts. figment merges the sources. It
//! would stop at its first error, so the merged values are read key by key here, and all problems
//! are reported at once.

mod aws_variables;
mod contradictions;
mod draft;
mod environment;
mod file;
mod flags;
mod keys;
mod kinds;
mod problem;
mod reader;
mod settings;
mod sources;
mod suggest;
mod texts;
mod verbatim;

use std::{ffi::OsString, fmt, net::SocketAddr};

use self::keys::Required;
pub use self::{
    environment::CONFIG,
    file::DEFAULTS,
    flags::{Flags, OwnFlag},
    keys::Part,
    problem::{Origin, Problem, Problems, SET},
    reader::KeyOrigin,
    settings::{Email, Log, LogFormat, Message, Queue, Repository, Settings, TemplateSettings},
};

/// A configuration that was found good.
#[derive(Clone)]
pub struct Loaded {
    /// What it says.
    pub settings: Settings,
    /// What boot should log once: what is given and not used, and what may not be meant.
    pub notes: Vec<String>,
    /// Every key with its value and where that comes from, in the order of the reference.
    pub origins: Vec<KeyOrigin>,
}

/// Shows no value, since some are addresses.
impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").finish_non_exhaustive()
    }
}

/// Loads the configuration from the defaults, the environment, the configuration file and the
/// flags.
///
/// `spared` are the parts that the daemon requires and the command at work does not need. Their
/// settings are empty where no source gives them. `environment` is all of the process's variables
/// ([`vars_os`](std::env::vars_os)), since misspelt ones are problems too. An empty variable counts
/// as unset.
///
/// # Errors
///
/// Every problem there is, not only the first.
pub fn load(
    spared: &[Part],
    flags: &Flags,
    environment: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
) -> Result<Loaded, Problems> {
    let needed = |required| !matches!(required, Required::Part(part) if spared.contains(&part));
    let read = reader::read(needed, flags, environment);
    if !read.problems.is_empty() {
        return Err(read.problems);
    }
    let settings = read.draft.settings().ok_or_else(Problems::default)?;
    let mut notes = read.notes;
    notes.extend(settings.doubt_of_subject());
    Ok(Loaded {
        settings,
        notes,
        origins: read.origins,
    })
}

/// What is wrong with a region that does not come from the configuration, and what is allowed; a clause
/// that follows its source.
pub fn region_fault(region: &str) -> Option<String> {
    let fault = texts::region(region).err()?;
    Some(format!("{fault}; allowed: {}", texts::REGION))
}

/// What is wrong with a setting of the AWS SDK's that it would panic over, whatever its source; the
/// variable of this name sets it, too.
pub fn sdk_setting_fault(variable: &str, value: &str) -> Option<String> {
    self::aws_variables::refused_by_sdk(variable, value)
}

/// [`region_fault`] for the URL of an endpoint of AWS's.
pub fn endpoint_fault(url: &str) -> Option<String> {
    let fault = texts::endpoint(url).err()?;
    Some(format!("{fault}; allowed: {}", texts::ENDPOINT))
}

/// What there is of a configuration, good or not.
pub struct Survey {
    /// What boot would log once.
    pub notes: Vec<String>,
    /// Every key with its value, where that comes from and what is wrong with it, in the order of
    /// the reference.
    pub origins: Vec<KeyOrigin>,
    /// Everything for which [`load`] would refuse the configuration.
    pub problems: Problems,
}

/// Shows no value, since some are addresses.
impl fmt::Debug for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Survey").finish_non_exhaustive()
    }
}

/// Reads what [`load`] reads for the daemon, and gives what there is even where something is wrong.
pub fn survey(
    flags: &Flags,
    environment: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
) -> Survey {
    let read = reader::read(|_| true, flags, environment);
    Survey {
        notes: read.notes,
        origins: read.origins,
        problems: read.problems,
    }
}

/// Loads where the health endpoints listen, for a command that needs nothing else. All other keys
/// that are given are checked too.
pub fn load_health(
    flags: &Flags,
    environment: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
) -> Result<Option<SocketAddr>, Problems> {
    let needed = |required| required == Required::Placeholder;
    let read = reader::read(needed, flags, environment);
    if read.problems.is_empty() {
        Ok(read.draft.health_listen)
    } else {
        Err(read.problems)
    }
}
