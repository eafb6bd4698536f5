//! The command line as a source.

use std::{fmt, path::PathBuf};

use super::{
    keys::{self, Found},
    problem::{Origin, SET},
    sources::Sources,
};

/// What the command line says about the configuration.
#[derive(Clone, Default)]
pub struct Flags {
    /// The configuration file of `--config`; it beats `NOTIFIER_CONFIG`.
    pub config: Option<PathBuf>,
    /// Keys and their values, the last of a key winning. Values are taken as those of variables
    /// are: text verbatim, lists with commas.
    pub overrides: Vec<(String, String)>,
    /// Flags of a command's own that give a key, which beat the overrides.
    pub own: Vec<OwnFlag>,
}

/// A flag that gives one key, such as `--queue-url`.
#[derive(Clone)]
pub struct OwnFlag {
    /// The flag as it is typed.
    pub flag: &'static str,
    /// The key that it gives.
    pub key: &'static str,
    /// The value, taken as that of a variable is.
    pub value: String,
}

/// Without the overrides' values, which may be addresses.
impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.overrides.iter().map(|(key, _)| key.as_str()).collect();
        let own: Vec<&str> = self.own.iter().map(|own| own.flag).collect();
        f.debug_struct("Flags")
            .field("config", &self.config)
            .field("overrides", &keys)
            .field("own", &own)
            .finish()
    }
}

/// Adds the keys that the command line gives.
pub(super) fn read(flags: &Flags, sources: &mut Sources) {
    for (name, text) in &flags.overrides {
        let path: Vec<&str> = name.split('.').collect();
        match keys::find(&path) {
            Found::Key(row) => sources.set(name, &(row.from_text)(text), Origin::Flag(SET)),
            Found::Section => {
                let message = "is a section; allowed: one of its keys";
                sources.refuse(name, Origin::Flag(SET), message);
            }
            Found::Nothing => sources.refuse_unknown(&path, Origin::Flag(SET), false),
        }
    }
    for OwnFlag { flag, key, value } in &flags.own {
        sources.set(key, &value.as_str().into(), Origin::Flag(flag));
    }
}
