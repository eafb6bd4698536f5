//! Faults injected per operation: errors, delays, silence, resets, batch entries that fail or are left, and
//! duplicates, decided by rules that can change while the sandbox runs.

mod script;

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

pub use self::script::EXAMPLES;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::history::History;
use super::lock;
use super::operations::{DELIVERY, matches};

/// One rule. Of several that match a request, delays add up and the first other fault wins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// `ses:SendEmail`, or with a `*` at the end, which stands for anything: `sqs:*`, `sqs:Get*`, `*`.
    pub operation: String,
    /// What goes wrong.
    pub fault: Fault,
    /// The share of matching requests that it hits, 0 to 1.
    #[serde(default = "whole")]
    pub share: f64,
    /// How often it strikes at most; without it, for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// When it is in force; without it, always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Only requests whose body, as on the wire, holds this text. For entries of batches it is the
    /// entry's JSON that is looked at, for duplicates the message's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_contains: Option<String>,
}

/// A span of time, in milliseconds from when the rule was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The first millisecond of it.
    #[serde(default)]
    pub from_ms: u64,
    /// Excluded.
    pub until_ms: u64,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The service refuses; nothing takes effect.
    Error {
        /// The error code as clients see it.
        code: String,
        /// The HTTP status.
        #[serde(default = "bad_request")]
        status: u16,
        /// The text beside the code.
        #[serde(default = "injected")]
        message: String,
    },
    /// The request waits this long, drawn evenly, before it is looked at.
    Latency {
        /// The least, in milliseconds.
        min_ms: u64,
        /// The most, in milliseconds.
        max_ms: u64,
    },
    /// No answer ever comes and nothing takes effect.
    Hang,
    /// The connection is reset before anything takes effect.
    ResetBefore,
    /// The request takes effect, then the connection is reset.
    ResetAfter,
    /// The request takes effect at once, and is answered this much later.
    AnswerLate {
        /// Milliseconds until the answer.
        after_ms: u64,
    },
    /// Entries of a batch fail one by one, with this code; the others take effect.
    EntryError {
        /// The entry's error code.
        code: String,
        /// The text beside the code.
        #[serde(default = "injected")]
        message: String,
    },
    /// Entries of a `DynamoDB` batch come back unprocessed, one by one; the others take effect. Where all of
    /// them do, the call is refused, as by AWS.
    Unprocessed,
    /// A message arrives twice: at once or later, under the same SQS message id or a new one.
    /// Its operation is `sqs:Deliver`.
    Duplicate {
        /// Milliseconds between the two.
        #[serde(default)]
        after_ms: u64,
        /// Whether the second one has a message id of its own.
        #[serde(default)]
        new_id: bool,
    },
}

impl Rule {
    /// A rule that always strikes, to be narrowed by setting its fields.
    pub fn new(operation: &str, fault: Fault) -> Self {
        Self {
            operation: operation.to_owned(),
            fault,
            share: 1.0,
            count: None,
            window: None,
            body_contains: None,
        }
    }
}

impl Fault {
    /// An error with a code and an HTTP status.
    pub fn error(code: &str, status: u16) -> Self {
        Self::Error {
            code: code.to_owned(),
            status,
            message: injected(),
        }
    }
}

/// The rules in force.
#[derive(Debug)]
pub struct Faults {
    state: Mutex<Armed>,
    history: OnceLock<Arc<History>>,
}

#[derive(Debug)]
struct Armed {
    seed: u64,
    rules: Vec<ArmedRule>,
}

#[derive(Debug)]
struct ArmedRule {
    rule: Rule,
    since: Instant,
    struck: u64,
    /// Each rule draws for itself: whether it strikes depends on the requests that match it alone.
    random: StdRng,
}

/// What becomes of one request.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    /// How long the request waits first.
    pub delay: Duration,
    /// An error, silence or a reset; `None` where the request is answered.
    pub fault: Option<Fault>,
}

/// How a message is doubled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duplicate {
    /// Milliseconds between the two.
    pub after_ms: u64,
    /// Whether the second one has a message id of its own.
    pub new_id: bool,
}

impl Default for Faults {
    fn default() -> Self {
        Self::new()
    }
}

impl Faults {
    /// Nothing goes wrong.
    pub fn new() -> Self {
        Self {
            state: Mutex::new(Armed {
                seed: 0,
                rules: Vec::new(),
            }),
            history: OnceLock::new(),
        }
    }

    /// Writes changes of the rules down from now on.
    pub fn record(&self, history: Arc<History>) {
        self.history.get_or_init(|| history);
    }

    /// Replaces all rules; counts and windows begin anew.
    pub fn set(&self, rules: Vec<Rule>) {
        let mut state = lock(&self.state);
        self.tell("set", &rules);
        state.rules.clear();
        for rule in rules {
            state.arm(rule);
        }
    }

    /// Adds a rule to those in force.
    pub fn add(&self, rule: Rule) {
        let mut state = lock(&self.state);
        self.tell("added", std::slice::from_ref(&rule));
        state.arm(rule);
    }

    /// Ends every rule.
    pub fn clear(&self) {
        let mut state = lock(&self.state);
        self.tell("cleared", &[]);
        state.rules.clear();
    }

    fn tell(&self, change: &str, rules: &[Rule]) {
        if let Some(history) = self.history.get() {
            history.note("faults", || json!({ "change": change, "rules": rules }));
        }
    }

    /// Whether no rule is in force.
    pub fn is_empty(&self) -> bool {
        lock(&self.state).rules.is_empty()
    }

    /// The seed of rules set from now on; the same seed, rules and requests strike the same.
    pub fn seed(&self, seed: u64) {
        lock(&self.state).seed = seed;
    }

    /// The rules that can still strike, with how often each has.
    pub fn in_force(&self) -> Vec<(Rule, u64)> {
        let state = lock(&self.state);
        let in_force = state.rules.iter().filter(|armed| !armed.is_over());
        in_force
            .map(|armed| (armed.rule.clone(), armed.struck))
            .collect()
    }

    /// The rules with how often each has struck.
    pub fn json(&self) -> Value {
        let state = lock(&self.state);
        let rules: Vec<_> = state
            .rules
            .iter()
            .map(|armed| {
                let mut rule = json!(armed.rule);
                rule["struck"] = json!(armed.struck);
                rule
            })
            .collect();
        json!({ "seed": state.seed, "rules": rules })
    }

    /// Decides about one request; `operation` is `service:Operation`.
    pub fn plan(&self, operation: &str, body: &[u8]) -> Plan {
        let mut plan = Plan {
            delay: Duration::ZERO,
            fault: None,
        };
        for armed in &mut lock(&self.state).rules {
            let concerned = match armed.rule.fault {
                Fault::Latency { .. } => true,
                Fault::EntryError { .. } | Fault::Unprocessed | Fault::Duplicate { .. } => false,
                _ => plan.fault.is_none(),
            };
            if !concerned || !armed.strikes(operation, body) {
                continue;
            }
            if let Fault::Latency { min_ms, max_ms } = armed.rule.fault {
                let span = min_ms..=max_ms.max(min_ms);
                plan.delay += Duration::from_millis(armed.random.random_range(span));
            } else {
                plan.fault = Some(armed.rule.fault.clone());
            }
        }
        plan
    }

    /// The code and message with which one entry of a batch fails, if it does.
    pub fn entry_error(&self, operation: &str, entry: &[u8]) -> Option<(String, String)> {
        lock(&self.state)
            .rules
            .iter_mut()
            .find_map(|armed| match &armed.rule.fault {
                Fault::EntryError { code, message } => {
                    let failure = (code.clone(), message.clone());
                    armed.strikes(operation, entry).then_some(failure)
                }
                _ => None,
            })
    }

    /// Whether one entry of a batch comes back unprocessed.
    pub fn unprocessed(&self, operation: &str, entry: &[u8]) -> bool {
        lock(&self.state)
            .rules
            .iter_mut()
            .any(|armed| armed.rule.fault == Fault::Unprocessed && armed.strikes(operation, entry))
    }

    /// Whether a message that arrives in a queue arrives twice.
    pub fn duplicate(&self, body: &str) -> Option<Duplicate> {
        lock(&self.state)
            .rules
            .iter_mut()
            .find_map(|armed| match armed.rule.fault {
                Fault::Duplicate { after_ms, new_id } => armed
                    .strikes(DELIVERY, body.as_bytes())
                    .then_some(Duplicate { after_ms, new_id }),
                _ => None,
            })
    }
}

impl Armed {
    fn arm(&mut self, rule: Rule) {
        let stream = u64::try_from(self.rules.len()).unwrap_or_default();
        self.rules.push(ArmedRule {
            rule,
            since: Instant::now(),
            struck: 0,
            random: StdRng::seed_from_u64(self.seed.rotate_left(32) ^ stream),
        });
    }
}

impl ArmedRule {
    /// Whether its count is used up or its window has passed.
    fn is_over(&self) -> bool {
        let past = |window: Window| self.since.elapsed() >= Duration::from_millis(window.until_ms);
        self.rule.count.is_some_and(|count| self.struck >= count)
            || self.rule.window.is_some_and(past)
    }

    fn strikes(&mut self, operation: &str, body: &[u8]) -> bool {
        let rule = &self.rule;
        let matches = matches(&rule.operation, operation)
            && rule
                .body_contains
                .as_ref()
                .is_none_or(|text| contains(body, text.as_bytes()))
            && rule.window.is_none_or(|window| {
                let age = self.since.elapsed().as_millis();
                (u128::from(window.from_ms)..u128::from(window.until_ms)).contains(&age)
            })
            && rule.count.is_none_or(|count| self.struck < count);
        let strikes = matches && self.random.random_bool(rule.share.clamp(0.0, 1.0));
        self.struck += u64::from(strikes);
        strikes
    }
}

fn contains(body: &[u8], text: &[u8]) -> bool {
    text.is_empty() || body.windows(text.len()).any(|window| window == text)
}

fn whole() -> f64 {
    1.0
}

fn bad_request() -> u16 {
    400
}

fn injected() -> String {
    "Injected by the sandbox.".to_owned()
}
