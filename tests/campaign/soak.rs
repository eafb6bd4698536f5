//! A soak: a mixed load with faults for minutes, and what daemons take meanwhile, sampled to a table of numbers.

use std::fmt::Write as _;
use std::fs;
use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::records::TABLE;
use super::schedules::play::set_up;
use super::schedules::{Act, Mode, draw};
use super::world::{GENTLY, Plan, RECEIVES, World};

const DAEMONS: usize = 2;
/// A sample is taken this often.
const SAMPLE: Duration = Duration::from_secs(2);
/// Faults are drawn anew this often.
const SPAN: Duration = Duration::from_secs(20);
/// Events a second.
const RATE: u64 = 20;
const HEAD: &str = "seconds,daemon,rss_kib,descriptors,connections,in_flight,table_items,mails";
/// How many of the head's numbers are compared, and their names.
const COMPARED: [&str; 3] = ["rss_kib", "descriptors", "connections"];

/// What one daemon takes at one time.
struct Sample {
    at: Duration,
    daemon: usize,
    numbers: [u64; 3],
}

/// Plays so many minutes; whether nothing was lost.
pub(crate) async fn soak(minutes: u64, seed: u64, programs: Vec<PathBuf>) -> anyhow::Result<bool> {
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/soak");
    let plan = Plan {
        history: false,
        ..Plan::of_schedule(seed, RECEIVES, programs, logs.clone())
    };
    let mut world = World::new(plan).await?;
    let settings = [
        ("feedback.patience", "3s"),
        ("queue.wait_time", "2s"),
        ("log.level", "info"),
    ];
    let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned()));
    set_up(&mut world, Mode::Both, &settings).await?;
    world.launch.environment.remove("LOG_LEVEL");
    world.start(DAEMONS).await?;
    let mut soak = Soak {
        world,
        random: StdRng::seed_from_u64(seed),
        began: Instant::now(),
        samples: Vec::new(),
        text: format!("{HEAD}\n"),
    };
    let length = Duration::from_secs(60 * minutes);
    while soak.began.elapsed() < length {
        soak.span(length).await?;
    }
    soak.world.sandbox().faults.clear();
    let empty = soak.world.settle(Duration::from_secs(100)).await;
    soak.world.stop_all_by(GENTLY).await?;
    let file = logs.join("samples.csv");
    fs::write(&file, &soak.text)?;
    let mailed = soak.world.mailed();
    let dead = soak.world.in_dead_letter_queue();
    let good = soak.world.published.iter().filter(|(_, one)| !one.poison);
    let lost = good.filter(|(uid, _)| !mailed.contains_key(*uid) && !dead.contains_key(*uid));
    let lost = lost.count();
    let complaints: Vec<_> = soak
        .world
        .ended
        .iter()
        .flat_map(|one| &one.complaints)
        .collect();
    for complaint in &complaints {
        writeln!(stdout(), "{complaint}")?;
    }
    writeln!(
        stdout(),
        "{} events, {} mailed, {} dead-lettered, {lost} lost; samples in {}",
        soak.world.published.len(),
        mailed.len(),
        dead.len(),
        file.display()
    )?;
    writeln!(
        stdout(),
        "first quarter, last quarter: {}",
        compared(&soak.samples, soak.began.elapsed())
    )?;
    Ok(empty && lost == 0 && complaints.is_empty())
}

struct Soak {
    world: World,
    random: StdRng,
    began: Instant,
    samples: Vec<Sample>,
    text: String,
}

impl Soak {
    /// Events at their rate, and the faults of a schedule that is drawn.
    async fn span(&mut self, length: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        let mut acts = draw(self.random.random()).acts.into_iter().peekable();
        let mut sampled = began;
        let mut published = 0;
        while began.elapsed() < SPAN && self.began.elapsed() < length {
            while let Some((_, act)) = acts.next_if(|(at, _)| *at <= began.elapsed()) {
                match act {
                    Act::Fault(rule) => self.world.sandbox().faults.add(rule),
                    Act::Events(rules) => self.world.sandbox().ses.set_event_rules(rules),
                    _ => {}
                }
            }
            let due = u64::try_from(began.elapsed().as_millis())? * RATE / 1000;
            for _ in published..due {
                match self.random.random_range(0..50) {
                    0 => drop(self.world.publish_malformed()),
                    1 => self.world.publish_copies(),
                    2 => self.world.publish_raw(),
                    _ => drop(self.world.publish_event(json!({})).await?),
                }
            }
            published = due;
            if sampled.elapsed() >= SAMPLE {
                sampled = Instant::now();
                self.sample()?;
            }
            sleep(Duration::from_millis(50)).await;
        }
        self.world.sandbox().faults.clear();
        Ok(())
    }

    fn sample(&mut self) -> anyhow::Result<()> {
        let world = &mut self.world;
        world.measure();
        let in_flight = world.in_flight();
        let mails = world.sandbox().outbox.taken();
        let tables = world.sandbox().dynamodb.json();
        let items = tables["tables"][TABLE]["items"]
            .as_array()
            .map_or(0, Vec::len);
        let at = self.began.elapsed();
        for (daemon, one) in world.daemons.iter().enumerate() {
            let files = files_of(one.pid);
            let is_socket = |file: &&PathBuf| file.to_string_lossy().starts_with("socket:");
            let sockets = files.iter().filter(is_socket).count();
            let numbers = [
                one.resident_kib().unwrap_or_default(),
                u64::try_from(files.len())?,
                u64::try_from(sockets)?,
            ];
            let [rss, files, sockets] = numbers;
            writeln!(
                self.text,
                "{:.1},{daemon},{rss},{files},{sockets},{in_flight},{items},{mails}",
                at.as_secs_f64()
            )?;
            self.samples.push(Sample {
                at,
                daemon,
                numbers,
            });
        }
        Ok(())
    }
}

/// The mean of each number of each daemon over the first quarter of the time and over the last.
fn compared(samples: &[Sample], length: Duration) -> String {
    let mut words = Vec::new();
    for daemon in 0..DAEMONS {
        for (number, name) in COMPARED.into_iter().enumerate() {
            let mean = |from: Duration, until: Duration| {
                let within = samples
                    .iter()
                    .filter(|one| one.daemon == daemon && (from..until).contains(&one.at));
                let (count, sum) = within.fold((0, 0), |(count, sum), one| {
                    (count + 1, sum + one.numbers[number])
                });
                super::verdict::ratio(sum, count)
            };
            let first = mean(Duration::ZERO, length / 4);
            let last = mean(length * 3 / 4, length);
            words.push(format!("daemon {daemon} {name} {first:.1} → {last:.1}"));
        }
    }
    words.join("; ")
}

/// What a process has open.
fn files_of(pid: u32) -> Vec<PathBuf> {
    let all = fs::read_dir(format!("/proc/{pid}/fd"));
    let links = all.into_iter().flatten().flatten();
    links
        .filter_map(|one| fs::read_link(one.path()).ok())
        .collect()
}
