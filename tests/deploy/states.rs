//! Which alarms ring in what happens: the template's own thresholds and periods, evaluated minute by minute as
//! `CloudWatch` does.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "small whole numbers of a template"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::Value;

use crate::expression::{Series, evaluate};
use crate::stack::Stack;
use crate::text;

/// The two queues beside the one that the daemon works for, as the series of their metrics are told apart.
const DEAD_LETTERS: &str = "the dead-letter queue";
const FEEDBACK: &str = "the feedback queue";

/// What metrics say in each minute, by name and by whose they are: one of those queues, or the values of the
/// dimensions but the first. Of what an alarm counts the samples of, it is their number.
struct World {
    minutes: usize,
    series: BTreeMap<(String, String), Series>,
}

impl World {
    /// One task without work: what is there in any quiet minute.
    fn quiet(minutes: usize) -> Self {
        let mut world = Self {
            minutes,
            series: BTreeMap::new(),
        };
        world.set("CPUUtilization", "", 0..minutes, 1.0);
        world.set("notifier.messages.held", "", 0..minutes, 1.0);
        world.set("notifier.breaker.open", "", 0..minutes, 0.0);
        world.set("notifier.feedback.deaf", "", 0..minutes, 0.0);
        world.set("notifier.template.age", "", 0..minutes, 150.0);
        world.set("ApproximateAgeOfOldestMessage", "", 0..minutes, 0.0);
        world
    }

    fn set(&mut self, metric: &str, of: &str, minutes: std::ops::Range<usize>, value: f64) {
        let series = self.points(metric, of);
        for minute in minutes {
            series[minute] = Some(value);
        }
    }

    fn unset(&mut self, metric: &str, minutes: std::ops::Range<usize>) {
        for minute in minutes {
            self.points(metric, "")[minute] = None;
        }
    }

    /// Nothing comes of what the daemon measures.
    fn measures_nothing(&mut self, minutes: std::ops::Range<usize>) {
        let own = self.series.keys().map(|(metric, _)| metric);
        let own: Vec<_> = own.filter(|name| name.starts_with("notifier.")).collect();
        for metric in own.into_iter().cloned().collect::<Vec<_>>() {
            self.unset(&metric, minutes.clone());
        }
    }

    fn points(&mut self, metric: &str, of: &str) -> &mut Series {
        let key = (metric.to_owned(), of.to_owned());
        self.series
            .entry(key)
            .or_insert_with(|| vec![None; self.minutes])
    }

    fn of(&self, metric: &Value) -> Series {
        let name = metric["MetricName"]
            .as_str()
            .unwrap()
            .replace("notifier.error_lines", "error_lines");
        let dimensions = metric["Dimensions"].as_array().into_iter().flatten();
        let others =
            dimensions.filter(|one| one["Name"].as_str().unwrap().starts_with("notifier."));
        // The feedback and the dead-letter queue have the same metrics as the queue.
        let of = match metric["Dimensions"][0]["Value"].as_str() {
            Some("<FeedbackQueue.QueueName>") => FEEDBACK.to_owned(),
            Some("<DeadLetterQueue.QueueName>") => DEAD_LETTERS.to_owned(),
            _ => others.map(|one| one["Value"].as_str().unwrap()).collect(),
        };
        let found = self.series.get(&(name, of));
        found.cloned().unwrap_or_else(|| vec![None; self.minutes])
    }
}

/// One value a period out of one a minute.
fn per_period(series: &Series, period: usize, statistic: &str) -> Series {
    let of = |chunk: &[Option<f64>]| {
        let known: Vec<f64> = chunk.iter().copied().flatten().collect();
        let count = known.len() as f64;
        (!known.is_empty()).then(|| match statistic {
            "Sum" | "SampleCount" => known.iter().sum(),
            "Average" => known.iter().sum::<f64>() / count,
            "Maximum" => known.iter().copied().fold(f64::MIN, f64::max),
            "Minimum" => known.iter().copied().fold(f64::MAX, f64::min),
            other => panic!("{other} is not known here"),
        })
    };
    series.chunks(period).map(of).collect()
}

/// The minutes in which an alarm is on.
fn rings(alarm: &Value, world: &World) -> Vec<usize> {
    let number = |key: &str| alarm[key].as_f64();
    let (points, period) = if let Some(metrics) = alarm["Metrics"].as_array() {
        let mut series = BTreeMap::new();
        let mut expression = "";
        let mut period = 0;
        for metric in metrics {
            if let Some(found) = metric["Expression"].as_str() {
                expression = found;
                continue;
            }
            let stat = &metric["MetricStat"];
            period = usize::try_from(stat["Period"].as_u64().unwrap()).unwrap() / 60;
            let own = world.of(&stat["Metric"]);
            let own = per_period(&own, period, stat["Stat"].as_str().unwrap());
            series.insert(metric["Id"].as_str().unwrap(), own);
        }
        (evaluate(expression, &series), period)
    } else {
        let period = usize::try_from(alarm["Period"].as_u64().unwrap()).unwrap() / 60;
        let own = per_period(
            &world.of(alarm),
            period,
            alarm["Statistic"].as_str().unwrap(),
        );
        (own, period)
    };
    let threshold: f64 = match &alarm["Threshold"] {
        Value::String(text) => text.parse().unwrap(),
        other => other.as_f64().unwrap(),
    };
    let breaches = |value: f64| match alarm["ComparisonOperator"].as_str().unwrap() {
        "GreaterThanThreshold" => value > threshold,
        "LessThanThreshold" => value < threshold,
        other => panic!("{other} is not known here"),
    };
    let looked_at = number("EvaluationPeriods").unwrap() as usize;
    let needed = number("DatapointsToAlarm").map_or(looked_at, |number| number as usize);
    let (mut on, mut found) = (false, Vec::new());
    for end in looked_at..=points.len() {
        let window = &points[end - looked_at..end];
        let known = window.iter().flatten();
        let mut bad = known.filter(|value| breaches(**value)).count();
        let missing = window.iter().filter(|value| value.is_none()).count();
        // Alarms on DynamoDB's own metrics ignore what is missing, whatever they are told.
        let of_dynamodb = alarm["Namespace"] == "AWS/DynamoDB";
        let told = alarm["TreatMissingData"].as_str().unwrap();
        match if of_dynamodb { "ignore" } else { told } {
            "breaching" => bad += missing,
            // The state stays where what is missing could decide.
            "ignore" if bad < needed && bad + missing >= needed => {
                bad = if on { needed } else { 0 };
            }
            "notBreaching" | "ignore" => {}
            other => panic!("{other} is not known here"),
        }
        on = bad >= needed;
        if on {
            found.push(end * period - 1);
        }
    }
    found
}

/// The alarms of a stack, by name.
static ALARMS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let stack = Stack::with(&[("LedgerTable", "create"), ("Feedback", "on")]);
    let all = stack.resources().into_iter();
    let alarms = all.filter(|(_, (kind, _))| kind == "AWS::CloudWatch::Alarm");
    alarms.map(|(name, (_, alarm))| (name, alarm)).collect()
});

/// The alarms that are on in any minute from this one on.
fn ringing(world: &World, from: usize) -> BTreeSet<String> {
    let all = ALARMS.iter();
    let on = all.filter(|(_, alarm)| rings(alarm, world).iter().any(|minute| *minute >= from));
    on.map(|(name, _)| name.clone()).collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_quiet_night_and_a_busy_hour_ring_nothing() {
    let mut world = World::quiet(600);
    assert_eq!(ringing(&world, 0), names(&[]));
    world.set("notifier.outcomes", "", 60..120, 500.0);
    world.set("notifier.outcomes", "rejected", 60..120, 2.0);
    // A task that stood still once.
    world.set("notifier.outcomes", "lost", 70..72, 1.0);
    world.set("notifier.queue.lag", "", 60..120, 3.0);
    world.set("ApproximateAgeOfOldestMessage", FEEDBACK, 60..120, 20.0);
    world.set("ApproximateAgeOfOldestMessage", "", 60..120, 12.0);
    world.set("notifier.ledger.without_table", "", 60..120, 0.0);
    assert_eq!(ringing(&world, 0), names(&[]));
}

#[test]
fn a_loop_of_tasks_that_cannot_start_is_told_although_a_task_is_always_there() {
    let mut world = World::quiet(120);
    // Each lives for three minutes, and the next one is there half a minute later.
    world.set("error_lines", "", 30..120, 1.0);
    world.measures_nothing(30..120);
    assert_eq!(
        ringing(&world, 0),
        names(&["ErrorLinesAlarm", "NoTelemetryAlarm"])
    );
    assert_eq!(rings(&ALARMS["NoTelemetryAlarm"], &world)[0], 44);
    let on = rings(&ALARMS["ErrorLinesAlarm"], &world);
    assert_eq!(on.first(), Some(&30), "it rings with the first line");
}

#[test]
fn no_task_at_all_is_told_after_five_minutes() {
    let mut world = World::quiet(120);
    world.unset("CPUUtilization", 30..120);
    world.measures_nothing(30..120);
    assert_eq!(
        ringing(&world, 0),
        names(&["NoTaskAlarm", "NoTelemetryAlarm"])
    );
    assert_eq!(rings(&ALARMS["NoTaskAlarm"], &world)[0], 34);
}

#[test]
fn a_collector_that_ends_or_never_starts_is_told_although_mails_go_out() {
    let mut world = World::quiet(120);
    world.measures_nothing(30..120);
    assert_eq!(ringing(&world, 0), names(&["NoTelemetryAlarm"]));
    assert_eq!(rings(&ALARMS["NoTelemetryAlarm"], &world)[0], 44);
    // A point that comes late, or one that is lost, is none.
    let mut world = World::quiet(120);
    world.measures_nothing(30..40);
    assert_eq!(ringing(&world, 0), names(&[]));
}

#[test]
fn a_dead_letter_rings_and_so_does_each_that_comes_to_it() {
    let mut world = World::quiet(120);
    let visible = "ApproximateNumberOfMessagesVisible";
    // An idle queue reports nothing, so the first has none before it.
    world.set(visible, DEAD_LETTERS, 20..50, 1.0);
    world.set(visible, DEAD_LETTERS, 50..80, 3.0);
    world.set(visible, DEAD_LETTERS, 80..90, 2.0);
    world.set(visible, DEAD_LETTERS, 90..120, 0.0);
    let expected = names(&["DeadLettersAlarm", "MoreDeadLettersAlarm"]);
    assert_eq!(ringing(&world, 0), expected);
    let lying: Vec<_> = (20..90).collect();
    assert_eq!(rings(&ALARMS["DeadLettersAlarm"], &world), lying);
    assert_eq!(rings(&ALARMS["MoreDeadLettersAlarm"], &world), [50]);
}

#[test]
fn an_event_that_nobody_reads_rings_and_so_does_a_task_that_hears_of_none() {
    let mut world = World::quiet(120);
    world.set("ApproximateAgeOfOldestMessage", FEEDBACK, 20..40, 400.0);
    assert_eq!(ringing(&world, 0), names(&["FeedbackAlarm"]));
    let mut world = World::quiet(120);
    world.set("notifier.feedback.deaf", "", 30..120, 1.0);
    assert_eq!(ringing(&world, 0), names(&["DeafAlarm"]));
    assert_eq!(rings(&ALARMS["DeafAlarm"], &world)[0], 44);
}

#[test]
fn leases_that_end_ring_where_they_are_more_than_one_or_two() {
    let mut world = World::quiet(120);
    world.set("notifier.outcomes", "", 20..25, 4.0);
    world.set("notifier.outcomes", "lost", 20..22, 1.0);
    assert_eq!(ringing(&world, 0), names(&[]));
    world.set("notifier.outcomes", "lost", 60..61, 20.0);
    assert_eq!(ringing(&world, 0), names(&["LostLeasesAlarm"]));
}

#[test]
fn a_start_from_zero_rings_until_the_first_sample_and_the_guide_says_so() {
    let mut world = World::quiet(60);
    world.unset("CPUUtilization", 0..32);
    let on = rings(&ALARMS["NoTaskAlarm"], &world);
    let expected: Vec<_> = (4..32).collect();
    assert_eq!(on, expected, "over with the first sample");
    world.measures_nothing(0..32);
    let on = rings(&ALARMS["NoTelemetryAlarm"], &world);
    assert_eq!(on, [14, 19, 24, 29], "over with the first value");
    for page in [
        "deploy/README.md",
        "deploy/runbook.md",
        "deploy/telemetry.md",
    ] {
        let told = text(page).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains("start from zero tasks"), "{page}");
    }
}

#[test]
fn throttling_is_over_when_the_table_reports_none() {
    let mut world = World::quiet(60);
    world.set("WriteThrottleEvents", "", 10..20, 4.0);
    let on = rings(&ALARMS["TableAlarm"], &world);
    assert_eq!((on.first(), on.last()), (Some(&12), Some(&21)));
}

#[test]
fn an_outage_rings_while_it_lasts_and_is_over_soon_after_it() {
    let mut world = World::quiet(240);
    world.set("notifier.breaker.open", "", 30..90, 1.0);
    world.set("error_lines", "", 30..90, 1.0);
    for minute in 30..90_u16 {
        let at = usize::from(minute);
        let age = f64::from(minute - 30) * 60.0;
        world.set("ApproximateAgeOfOldestMessage", "", at..at + 1, age);
    }
    let expected = names(&["BreakerAlarm", "ErrorLinesAlarm", "OldestMessageAlarm"]);
    assert_eq!(ringing(&world, 0), expected);
    assert_eq!(rings(&ALARMS["BreakerAlarm"], &world)[0], 32);
    assert_eq!(ringing(&world, 96), names(&[]));
}

#[test]
fn the_first_message_that_is_given_up_rings() {
    let mut world = World::quiet(60);
    world.set("error_lines", "", 20..21, 1.0);
    world.set("notifier.outcomes", "", 20..21, 1.0);
    assert_eq!(ringing(&world, 0), names(&["ErrorLinesAlarm"]));
    let mut world = World::quiet(60);
    world.set("notifier.ledger.without_table", "", 20..21, 1.0);
    assert_eq!(ringing(&world, 0), names(&["WithoutTableAlarm"]));
}

#[test]
fn rejections_ring_where_they_are_many_and_not_where_one_is_alone() {
    let mut world = World::quiet(120);
    world.set("notifier.outcomes", "", 20..21, 1.0);
    world.set("notifier.outcomes", "rejected", 20..21, 1.0);
    assert_eq!(ringing(&world, 0), names(&[]));
    world.set("notifier.outcomes", "", 60..75, 10.0);
    world.set("notifier.outcomes", "rejected", 60..75, 1.0);
    assert_eq!(ringing(&world, 0), names(&["RejectedAlarm"]));
}

#[test]
fn what_goes_slowly_or_badly_rings() {
    for (metric, value, expected) in [
        ("notifier.queue.lag", 90.0, "QueueLagAlarm"),
        ("notifier.template.age", 1000.0, "TemplateAgeAlarm"),
        ("Reputation.BounceRate", 0.06, "BounceRateAlarm"),
        ("Reputation.ComplaintRate", 0.002, "ComplaintRateAlarm"),
        ("WriteThrottleEvents", 4.0, "TableAlarm"),
        ("ReadThrottleEvents", 4.0, "TableAlarm"),
    ] {
        let mut world = World::quiet(240);
        world.set(metric, "", 60..180, value);
        assert_eq!(ringing(&world, 0), names(&[expected]), "{metric}");
    }
}
