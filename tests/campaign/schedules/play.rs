//! Plays a schedule: real daemons, one local AWS, everything at its time.

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

use sandbox::ses::publisher::EventRule;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::super::daemon::{Limits, Stop};
use super::super::records::{ALL, delay};
use super::super::world::{BRANCH, GENTLY, Plan, REPOSITORY, TEMPLATE, World};
use super::weigh::{Played, Times, weigh};
use super::{Act, Deed, Kind, Mode, Schedule, Template};

/// More daemons than this never run at once.
const DAEMONS_MAX: usize = 4;
/// All that there is was mailed or dead-lettered by then, counted from the start: a probe of a breaker may come half
/// a minute after the last fault, and what was rejected comes back after as long.
const PATIENCE: Duration = Duration::from_secs(100);
/// What has ended by itself is noticed this often.
const WATCH: Duration = Duration::from_millis(100);
/// How SES's events fare where nothing is wrong with them, in milliseconds.
const BASE_EVENTS: (u64, u64) = (50, 400);

/// Something to be done at its time.
enum Step<'a> {
    Act(&'a Act),
    Publish(Kind),
}

/// Plays it to the last daemon's end, and weighs what came of it.
pub(crate) async fn play(schedule: &Schedule, plan: Plan) -> anyhow::Result<Played> {
    let mut world = World::new(plan).await?;
    fs::write(world.plan.logs.join("schedule.txt"), schedule.to_string())?;
    world.launch.piped = true;
    set_up(&mut world, schedule.mode, &schedule.settings).await?;
    let rate = schedule.rate;
    let ses = &world.sandbox().ses;
    ses.update_account(|account| account.max_send_rate = rate);
    for _ in 0..schedule.daemons {
        world.spawn()?;
    }
    let began = Instant::now();
    let mut player = Player {
        world,
        templates: 0,
        own_settings: schedule.settings.clone(),
        late: Duration::ZERO,
    };
    for (at, step) in steps(schedule) {
        player.watch_until(began + at).await?;
        match step {
            Step::Act(act) => player.act(act).await?,
            Step::Publish(kind) => player.publish(kind).await?,
        }
    }
    player.watch_until(began + schedule.faults_end).await?;
    player.end_faults()?;
    let empty = player.settle(began + PATIENCE).await?;
    let settled = began.elapsed();
    let Player {
        mut world, late, ..
    } = player;
    world.stop_all_by(GENTLY).await?;
    let times = Times { settled, late };
    weigh(schedule, &world, empty, times).await
}

/// What daemons remember mails by, and their configuration.
pub(crate) async fn set_up(
    world: &mut World,
    mode: Mode,
    settings: &[(String, String)],
) -> anyhow::Result<()> {
    if mode.events() {
        world.connect_feedback(ALL).await?;
        world.sandbox().ses.set_event_rules(base_events());
    }
    if mode.table() {
        world.share_table()?;
    }
    // The template in force can name a field that no event has.
    world.set("message.placeholders.place.field", "/place");
    for (key, value) in settings {
        world.set(key, value);
    }
    Ok(())
}

fn base_events() -> Vec<EventRule> {
    vec![delay(BASE_EVENTS.0, BASE_EVENTS.1)]
}

/// Everything in the order of its time.
fn steps(schedule: &Schedule) -> Vec<(Duration, Step<'_>)> {
    let mut steps = Vec::new();
    for (at, act) in &schedule.acts {
        if let Act::Publish { count, kind, over } = act {
            for number in 0..*count {
                let part = *over * u32::try_from(number).unwrap_or(0);
                let later = part / u32::try_from(*count).unwrap_or(1);
                steps.push((*at + later, Step::Publish(*kind)));
            }
        } else {
            steps.push((*at, Step::Act(act)));
        }
    }
    steps.sort_by_key(|(at, _)| *at);
    steps
}

struct Player {
    world: World,
    /// Versions of the template so far.
    templates: usize,
    own_settings: Vec<(String, String)>,
    /// The latest that this process was itself: it says how busy the machine was.
    late: Duration,
}

impl Player {
    /// Starts another daemon for each that has ended by itself until then, as an orchestrator does.
    async fn watch_until(&mut self, until: Instant) -> anyhow::Result<()> {
        loop {
            self.bury().await?;
            let now = Instant::now();
            if now >= until {
                return Ok(());
            }
            self.sleep_until(until.min(now + WATCH)).await;
        }
    }

    async fn sleep_until(&mut self, until: Instant) {
        sleep_until(until).await;
        self.late = self.late.max(until.elapsed());
    }

    async fn bury(&mut self) -> anyhow::Result<()> {
        for _ in 0..self.world.bury().await? {
            self.world.spawn()?;
        }
        Ok(())
    }

    async fn publish(&mut self, kind: Kind) -> anyhow::Result<()> {
        let world = &mut self.world;
        match kind {
            Kind::Plain => drop(world.publish_event(json!({})).await?),
            Kind::Copies => world.publish_copies(),
            Kind::Raw => world.publish_raw(),
            Kind::Malformed => drop(world.publish_malformed()),
            Kind::NoRecipient => drop(world.publish_poison(json!({ "mailto": null })).await?),
            Kind::BadRecipient => {
                let nobody = json!({ "mailto": "nobody at all" });
                drop(world.publish_poison(nobody).await?);
            }
            Kind::Control => world.publish_control(),
        }
        Ok(())
    }

    async fn act(&mut self, act: &Act) -> anyhow::Result<()> {
        match act {
            Act::Publish { .. } => {}
            Act::Fault(rule) => self.world.sandbox().faults.add(rule.clone()),
            Act::Events(rules) => self.world.sandbox().ses.set_event_rules(rules.clone()),
            Act::Template(template) => self.template(*template)?,
            Act::TableClock(ahead) => self.world.sandbox().dynamodb.set_clock_ahead(*ahead),
            Act::Start { settings, limits } => self.start(settings, *limits)?,
            Act::Daemon { which, deed } => {
                let running = self.world.daemons.len();
                if let Some(which) = which.checked_rem(running) {
                    self.deed(which, *deed).await?;
                }
            }
            Act::Continue => {
                for daemon in &mut self.world.daemons {
                    daemon.go_on()?;
                }
            }
            Act::Read => self.world.daemons.iter().for_each(|one| one.read(true)),
        }
        Ok(())
    }

    fn template(&mut self, template: Template) -> anyhow::Result<()> {
        self.templates += 1;
        let (world, version) = (&self.world, self.templates);
        match template {
            Template::Good => world.mend_template_as(&version.to_string()),
            Template::Garbage => world.template(&[0xff, 0x00, 0xfe]),
            Template::MissingField => {
                let text = format!("<p>{{uid}} takes place at {{place}}.<!-- {version} --></p>");
                world.template(text.as_bytes())
            }
            Template::Deleted => {
                // One that is gone already stays gone.
                drop(
                    world
                        .sandbox()
                        .codecommit
                        .delete(REPOSITORY, BRANCH, TEMPLATE),
                );
                Ok(())
            }
        }
    }

    fn start(&mut self, settings: &[(String, String)], limits: Limits) -> anyhow::Result<()> {
        if self.world.daemons.len() >= DAEMONS_MAX {
            return Ok(());
        }
        self.world.launch.settings.remove("email.max_send_rate");
        let own = self.own_settings.clone();
        let settings = if settings.is_empty() { &own } else { settings };
        for (key, value) in settings {
            self.world.set(key, value);
        }
        self.world.launch.limits = limits;
        let started = self.world.spawn();
        self.world.launch.limits = Limits::default();
        started
    }

    async fn deed(&mut self, which: usize, deed: Deed) -> anyhow::Result<()> {
        let world = &mut self.world;
        let daemon = &mut world.daemons[which];
        match deed {
            Deed::Stop { signal, again } => world.stop_one(
                which,
                Stop {
                    signal,
                    again,
                    troubled: true,
                },
            ),
            Deed::Kill => world.kill_one(which).await?,
            Deed::Pause => daemon.pause()?,
            Deed::Signal(name) if daemon.takes_signals() => daemon.signal(name)?,
            Deed::Signal(_) => {}
            Deed::Unread => daemon.read(false),
        }
        Ok(())
    }

    /// Everything is as it should be from now on.
    fn end_faults(&mut self) -> anyhow::Result<()> {
        let sandbox = self.world.sandbox();
        sandbox.faults.clear();
        sandbox.ses.set_event_rules(base_events());
        sandbox.dynamodb.set_clock_ahead(0);
        self.template(Template::Good)?;
        for daemon in &mut self.world.daemons {
            daemon.go_on()?;
            daemon.read(true);
            daemon.lift_limits()?;
            if daemon.takes_signals() {
                daemon.signal("HUP")?;
            }
        }
        if self.world.daemons.is_empty() {
            self.start(&[], Limits::default())?;
        }
        Ok(())
    }

    /// Waits until nothing is left in the queue but what daemons have put off for a minute and more; `false` where
    /// there is more.
    async fn settle(&mut self, until: Instant) -> anyhow::Result<bool> {
        loop {
            let left = self.world.left();
            if left.is_empty() {
                return Ok(true);
            }
            let deferred = deferred(&self.world);
            if left.iter().all(|message| deferred.contains(message)) {
                return Ok(true);
            }
            if Instant::now() >= until {
                return Ok(false);
            }
            self.bury().await?;
            self.sleep_until(Instant::now() + Duration::from_millis(500))
                .await;
        }
    }
}

/// The messages that a daemon says it has deferred, each with the receive at which.
fn deferred(world: &World) -> HashSet<(String, u32)> {
    let mut all = HashSet::new();
    for log in world.logs() {
        let text = fs::read_to_string(log).unwrap_or_default();
        for line in text.lines() {
            if !line.contains("\"notifier.outcome\":\"deferred\"") {
                continue;
            }
            let line: Value = serde_json::from_str(line).unwrap_or_default();
            let receive = line["notifier.receive"].as_str().unwrap_or_default();
            let number = receive.split(' ').next().and_then(|word| word.parse().ok());
            if let (Some(id), Some(number)) = (line["messaging.message.id"].as_str(), number) {
                all.insert((id.to_owned(), number));
            }
        }
    }
    all
}
