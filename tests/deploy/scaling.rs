//! The scaling: the template's own expression, statistics, target, bounds and cooldowns, in a model of target
//! tracking, over loads of every shape. The model follows what AWS says of it: a scale-out needs three minutes over the target, a scale-in
//! fifteen under nine tenths of it, and the new number is the one that would bring the value to the target.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "whole tasks and minutes, in a model that calculates with fractions"
)]

use std::collections::BTreeMap;

use serde_json::Value;

use crate::expression::{Series, evaluate};
use crate::stack::Stack;

/// Minutes over the target before more tasks are started.
const OUT_AFTER: usize = 3;
/// Minutes under nine tenths of the target before tasks are stopped.
const IN_AFTER: usize = 15;
/// How many minutes back target tracking looks.
const WINDOW: usize = 60;
/// Minutes from the wish for a task to its first mail.
const START: usize = 2;

/// What the account and a task can do, as the guide's formulas have it.
#[derive(Clone, Copy)]
struct Account {
    /// Mails a second.
    rate: f64,
    /// Seconds that a send takes.
    send: f64,
    concurrency: f64,
}

impl Account {
    /// `MaxTasks` by the guide's formula.
    fn ceiling(self) -> f64 {
        (self.rate * self.send / self.concurrency).ceil() + 1.0
    }

    /// `BacklogPerTask` by the guide's formula: what a task mails in a minute.
    fn backlog_per_task(self) -> f64 {
        let tasks = self.ceiling() - 1.0;
        60.0 * (self.rate / tasks).min(self.concurrency / self.send)
    }

    /// Mails a minute of so many tasks.
    fn carries(self, tasks: f64) -> f64 {
        60.0 * self.rate.min(tasks * self.concurrency / self.send)
    }
}

/// A load: what comes in, what fails, and how the metrics arrive.
struct Load {
    name: &'static str,
    minutes: usize,
    /// New messages in a minute, as a multiple of what the account can mail in one.
    comes: fn(usize) -> f64,
    /// Whether SES takes mails in this minute.
    mails: fn(usize) -> bool,
    /// Whether tasks live in this minute.
    lives: fn(usize) -> bool,
    /// Minutes that the backlog and the count of tasks are late.
    late: (usize, usize),
    /// Whether the count of tasks has no point for this minute.
    gap: fn(usize) -> bool,
    /// How often the number of tasks may turn from growing to shrinking or back.
    turns: usize,
}

const PLAIN: Load = Load {
    name: "a quiet night",
    minutes: 480,
    comes: |_| 0.0,
    mails: |_| true,
    lives: |_| true,
    late: (1, 2),
    gap: |_| false,
    turns: 0,
};

const LOADS: &[Load] = &[
    PLAIN,
    Load {
        name: "a trickle",
        comes: |_| 0.01,
        ..PLAIN
    },
    Load {
        name: "a flood at once",
        comes: |minute| if minute == 30 { 90.0 } else { 0.02 },
        turns: 1,
        ..PLAIN
    },
    Load {
        name: "a day that swells and ebbs",
        minutes: 1440,
        comes: |minute| 1.3 * f64::from(u32::try_from(720 - minute.abs_diff(720)).unwrap()) / 720.0,
        turns: 1,
        ..PLAIN
    },
    Load {
        name: "an outage of SES with mails still coming",
        comes: |_| 0.5,
        mails: |minute| !(60..150).contains(&minute),
        // At the first mails, too.
        turns: 3,
        ..PLAIN
    },
    Load {
        name: "a flood under metrics that are late",
        comes: |minute| if minute == 30 { 90.0 } else { 0.02 },
        late: (3, 6),
        turns: 1,
        ..PLAIN
    },
    Load {
        name: "a flood, and a count of tasks with gaps",
        comes: |minute| if minute == 30 { 90.0 } else { 0.02 },
        gap: |minute| minute % 3 != 0,
        turns: 1,
        ..PLAIN
    },
    Load {
        name: "no task for twenty minutes",
        comes: |_| 0.2,
        lives: |minute| !(60..80).contains(&minute),
        turns: 1,
        ..PLAIN
    },
    Load {
        name: "no count of tasks at all",
        comes: |minute| if minute == 30 { 90.0 } else { 0.02 },
        gap: |_| true,
        turns: 1,
        ..PLAIN
    },
    Load {
        name: "a batch every hour",
        comes: |minute| if minute % 60 == 10 { 8.0 } else { 0.01 },
        turns: 16,
        ..PLAIN
    },
    Load {
        name: "more than the account may send, for hours",
        comes: |minute| if minute < 240 { 1.2 } else { 0.0 },
        turns: 1,
        ..PLAIN
    },
    Load {
        name: "just what the account may send",
        comes: |_| 0.999,
        ..PLAIN
    },
];

/// What the template says of the scaling.
struct Policy {
    expression: String,
    /// Of each series of the expression: metric and statistic.
    series: BTreeMap<String, (String, String)>,
    target: f64,
    least: f64,
    most: f64,
    out_cooldown: usize,
    in_cooldown: usize,
}

impl Policy {
    /// With the values that the guide's formulas give for an account.
    fn read(account: Account) -> Self {
        let most = account.ceiling().to_string();
        let backlog = account.backlog_per_task().round().to_string();
        let stack = Stack::with(&[
            ("MaxTasks", most.as_str()),
            ("BacklogPerTask", backlog.as_str()),
        ]);
        let number = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
        let bounds = stack.resource("ScalableTarget");
        let policy = stack.resource("ScalingPolicy");
        let tracking = &policy["TargetTrackingScalingPolicyConfiguration"];
        let metrics = &tracking["CustomizedMetricSpecification"]["Metrics"];
        let metrics = metrics.as_array().unwrap();
        let returned = |metric: &&Value| metric["ReturnData"] == true;
        let expression = metrics.iter().find(returned).unwrap()["Expression"].clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let measured = metrics.iter().filter(|one| one["MetricStat"].is_object());
        let series = measured.map(|one| {
            let stat = &one["MetricStat"];
            let about = (text(&stat["Metric"]["MetricName"]), text(&stat["Stat"]));
            (text(&one["Id"]), about)
        });
        let minutes = |key: &str| usize::try_from(tracking[key].as_u64().unwrap()).unwrap() / 60;
        Self {
            expression: text(&expression),
            series: series.collect(),
            target: number(&tracking["TargetValue"]),
            least: number(&bounds["MinCapacity"]),
            most: number(&bounds["MaxCapacity"]),
            out_cooldown: minutes("ScaleOutCooldown"),
            in_cooldown: minutes("ScaleInCooldown"),
        }
    }
}

/// What services measure in a minute: one value or several.
struct Measured {
    waiting: f64,
    new: f64,
    /// Nothing where the count of tasks has no point.
    running: Option<f64>,
}

impl Measured {
    /// A point of a series, as its statistic makes one of the values.
    fn point(&self, metric: &str, statistic: &str) -> Option<f64> {
        let values = match metric {
            "ApproximateNumberOfMessagesVisible" => vec![self.waiting],
            // It comes in parts.
            "NumberOfMessagesSent" => vec![self.new * 0.75, self.new * 0.25],
            // In percent, of each task.
            "CPUUtilization" => vec![7.0; self.running.unwrap_or_default() as usize],
            other => panic!("{other} is not known here"),
        };
        let sum = || values.iter().sum::<f64>();
        (!values.is_empty()).then(|| match statistic {
            "Sum" => sum(),
            "SampleCount" => values.len() as f64,
            "Average" => sum() / values.len() as f64,
            "Maximum" => values.iter().copied().fold(0.0, f64::max),
            other => panic!("{other} is not known here"),
        })
    }

    /// Minutes that a metric is late.
    fn late(metric: &str, load: &Load) -> usize {
        match metric {
            "CPUUtilization" => load.late.1,
            _ => load.late.0,
        }
    }
}

/// How many tasks ran and were wanted, and what waited, minute by minute.
#[derive(Default)]
struct Story {
    wanted: Vec<f64>,
    running: Vec<f64>,
    waiting: Vec<f64>,
}

impl Story {
    /// How often the number of tasks turned.
    fn turns(&self) -> usize {
        let steps: Vec<_> = self
            .wanted
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .collect();
        let steps: Vec<_> = steps.into_iter().filter(|step| *step != 0.0).collect();
        steps
            .windows(2)
            .filter(|pair| pair[0] * pair[1] < 0.0)
            .count()
    }
}

/// The last points of a series that have arrived: those of the newest minutes have not.
fn arrived(series: &[Option<f64>], late: usize) -> Series {
    let known = series.len().saturating_sub(late);
    let known = series.iter().copied().take(known);
    let mut all: Series = known
        .chain(std::iter::repeat_n(None, late.min(series.len())))
        .collect();
    all.split_off(all.len().saturating_sub(WINDOW))
}

/// Whether the newest points, so many, are all so; not where there are fewer.
fn all_newest(points: &[f64], count: usize, is_so: impl Fn(f64) -> bool) -> bool {
    points.len() >= count && points.iter().rev().take(count).all(|point| is_so(*point))
}

fn play(load: &Load, account: Account, policy: &Policy) -> Story {
    let target = policy.target;
    let mut story = Story::default();
    let (mut waiting, mut wanted) = (0.0_f64, policy.least);
    let mut begun: Vec<usize> = vec![0];
    let mut measured: Vec<Measured> = Vec::new();
    let (mut out_at, mut in_at): (Option<usize>, Option<usize>) = (None, None);
    for minute in 0..load.minutes {
        begun.resize(wanted as usize, minute + START);
        let running = if (load.lives)(minute) {
            begun.iter().filter(|from| **from <= minute).count() as f64
        } else {
            0.0
        };
        let new = (load.comes)(minute) * account.carries(f64::INFINITY);
        waiting += new;
        if (load.mails)(minute) {
            waiting = (waiting - account.carries(running)).max(0.0);
        }
        measured.push(Measured {
            waiting,
            new,
            running: (!(load.gap)(minute)).then_some(running),
        });
        let seen = &measured[measured.len().saturating_sub(WINDOW + 10)..];
        let series = policy.series.iter().map(|(id, (metric, statistic))| {
            let points = seen.iter().map(|one| one.point(metric, statistic));
            let late = Measured::late(metric, load);
            (id.as_str(), arrived(&points.collect::<Series>(), late))
        });
        let series: BTreeMap<_, _> = series.collect();
        let points: Vec<f64> = evaluate(&policy.expression, &series)
            .into_iter()
            .flatten()
            .collect();
        let cool = |at: Option<usize>, minutes: usize| at.is_none_or(|at| minute - at >= minutes);
        let fitting = points
            .last()
            .map_or(wanted, |point| (wanted * point / target).ceil());
        if all_newest(&points, OUT_AFTER, |point| point > target) {
            if cool(out_at, policy.out_cooldown) && fitting > wanted {
                wanted = fitting.min(policy.most);
                out_at = Some(minute);
            }
        } else if all_newest(&points, IN_AFTER, |point| point < 0.9 * target)
            && cool(in_at, policy.in_cooldown)
            && cool(out_at, policy.in_cooldown)
            && fitting < wanted
        {
            wanted = fitting.max(policy.least);
            in_at = Some(minute);
        }
        story.wanted.push(wanted);
        story.running.push(running);
        story.waiting.push(waiting);
    }
    story
}

/// The stack's defaults at 14 mails a second, and the largest row of the guide's table.
const ACCOUNTS: [Account; 2] = [
    Account {
        rate: 14.0,
        send: 0.1,
        concurrency: 32.0,
    },
    Account {
        rate: 1157.0,
        send: 0.1,
        concurrency: 32.0,
    },
];

#[test]
fn tasks_follow_every_load_without_turning_back_within_the_stacks_bounds() {
    assert!(LOADS.len() >= 10);
    for account in ACCOUNTS {
        let policy = Policy::read(account);
        // AWS holds to these, whatever the policy wants: `MinTasks`, which is one here, and `MaxTasks`.
        assert_eq!((policy.least, policy.most), (1.0, account.ceiling()));
        for load in LOADS {
            let story = play(load, account, &policy);
            let most = story.wanted.iter().copied().fold(0.0, f64::max);
            let about = format!("{}, {} mails/s: {most} tasks", load.name, account.rate);
            assert!(most <= policy.most, "{about}");
            let least = story.wanted.iter().copied().fold(f64::MAX, f64::min);
            assert!(least >= policy.least, "{about}, {least} at least");
            let turns = story.turns();
            assert!(turns <= load.turns, "{about}, {turns} turns");
            // Where mails come in slower than they can go out, all have gone in the end.
            if (load.comes)(load.minutes - 1) < 0.9 {
                assert!(
                    story.waiting.last().unwrap() <= &account.backlog_per_task(),
                    "{about}"
                );
            }
        }
    }
}

#[test]
fn a_flood_brings_tasks_within_eight_minutes_and_a_quiet_night_none() {
    let flood = LOADS
        .iter()
        .find(|load| load.name == "a flood at once")
        .unwrap();
    for account in ACCOUNTS {
        let policy = Policy::read(account);
        let story = play(flood, account, &policy);
        let more = story
            .running
            .iter()
            .position(|running| *running > 1.0)
            .unwrap();
        assert!(
            (30..=38).contains(&more),
            "the first new task runs in minute {more}"
        );
        let quiet = play(&PLAIN, account, &policy);
        assert!(quiet.wanted.iter().all(|wanted| *wanted == 1.0));
    }
}

#[test]
fn a_count_that_comes_late_is_not_taken_for_none() {
    let expression = Policy::read(ACCOUNTS[0]).expression;
    let of = |tasks: [Option<f64>; 4]| {
        let series = BTreeMap::from([
            ("waiting", vec![Some(3000.0); 4]),
            (
                "coming",
                vec![Some(1000.0), Some(1000.0), Some(1000.0), None],
            ),
            ("tasks", tasks.to_vec()),
        ]);
        evaluate(&expression, &series)
    };
    let late = of([Some(4.0), Some(4.0), None, None]);
    assert_eq!(
        late,
        [Some(1000.0), Some(1000.0), Some(1000.0), Some(750.0)]
    );
    // Where there is no count at all it is one task's.
    assert_eq!(of([None; 4])[0], Some(4000.0));
}

#[test]
fn the_defaults_fit_the_formulas_of_the_guide() {
    let stack = Stack::with(&[]);
    let default = |name: &str| stack.raw()["Parameters"][name]["Default"].as_f64().unwrap();
    let [small, _] = ACCOUNTS;
    assert_eq!(default("MaxTasks"), small.ceiling());
    assert_eq!(default("BacklogPerTask"), small.backlog_per_task());
    assert_eq!(default("Concurrency"), small.concurrency);
}
