//! `check`: tries everything that the daemon will need, with the daemon's clients and settings,
//! changes nothing, and says what is wrong and what to do.

mod account;
mod cause;
mod collector;
mod environment;
mod feedback;
mod finding;
mod identity;
mod mail;
mod part;
mod platform;
mod policy;
mod probe;
mod queue;
mod report;
mod table;
mod template;

use std::future::pending;

use anyhow::Context;
use tokio::{
    sync::mpsc,
    time::{Instant, interval_at, sleep_until},
};

use self::{
    account::check_account,
    collector::check_collectors,
    environment::{check_configuration, check_credentials, check_endpoint, check_region},
    feedback::{Feedback, check_feedback},
    finding::{Finding, Level},
    identity::{check_bounces, check_recipient, check_sender},
    mail::{check_mail, send_sample},
    part::Part,
    platform::check_stop_time,
    probe::probe,
    queue::check_queue,
    report::{Ended, Report},
    table::check_table,
    template::check_template,
};
use super::{
    FAILED, OK,
    arguments::Check,
    progress,
    session::{self, Session, UsageError},
};
use crate::{
    aws::{AwsInspector, Endpoints},
    config::{Flags, Loaded, Settings},
    notification::Address,
    ports::{World, inspect::Inspect},
    shutdown,
};

/// What is checked.
struct Target<'a> {
    settings: &'a Settings,
    region: &'a str,
    world: &'a World,
    inspector: Box<dyn Inspect>,
}

/// What comes of asking.
enum News {
    /// Where calls go.
    Endpoints(Endpoints),
    /// The rows of a part, which ends with them.
    Rows(Part, Vec<Finding>),
}

/// Takes the news to the report. When all of it is said, it is dropped.
struct Answers(mpsc::UnboundedSender<News>);

impl Answers {
    /// The report may have ended.
    fn tell(&self, news: News) {
        drop(self.0.send(news));
    }

    fn rows(&self, part: Part, rows: Vec<Finding>) {
        self.tell(News::Rows(part, rows));
    }
}

/// Checks, prints each row when it is known, and returns the exit code.
pub(super) async fn check(flags: &Flags, asked: &Check) -> anyhow::Result<u8> {
    let loaded = session::load(flags)?;
    let settings = &loaded.settings;
    if asked.feedback && settings.feedback.queue_url.is_none() {
        let needed = "--feedback needs feedback.queue_url, the queue that SES's events reach";
        return Err(UsageError(needed.to_owned()).into());
    }
    let recipient = asked.recipient.as_deref().map(Address::parse).transpose();
    let recipient = recipient.map_err(|wrong| {
        UsageError(format!(
            "--recipient is no address that a mail can be sent to: {wrong}"
        ))
    })?;
    // As the first process of a container this one would not be ended by a signal else.
    let mut signals = shutdown::signals().context("signals cannot be handled")?;
    let mut report = Report::new(asked.json, asked.strict, parts(settings, asked));
    let is_set = |name: &str| std::env::var_os(name).is_some();
    let stop = check_stop_time(settings.grace, is_set);
    report.answered(Part::Start, vec![check_configuration(&loaded), stop])?;
    let began = Instant::now();
    let (sender, mut news) = mpsc::unbounded_channel();
    let mut asking = Box::pin(ask(loaded, asked, recipient, Answers(sender)));
    let mut has_asked = false;
    let mut told = interval_at(began + progress::EVERY, progress::EVERY);
    let ended = loop {
        let out_of_time = async {
            if report.is_asking() {
                sleep_until(began + asked.timeout).await;
            } else {
                pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            news = news.recv() => match news {
                Some(News::Endpoints(endpoints)) => report.set_endpoints(endpoints),
                Some(News::Rows(part, rows)) => report.answered(part, rows)?,
                None => break None,
            },
            result = &mut asking, if !has_asked => {
                result?;
                has_asked = true;
            }
            Some(signal) = signals.recv() => if let Some(name) = signal.stops() {
                break Some(Ended::Signal(name));
            },
            () = out_of_time => break Some(Ended::OutOfTime(asked.timeout)),
            _ = told.tick() => report.still_asking(),
        }
    };
    let is_good = report.end(ended)?;
    Ok(if is_good { OK } else { FAILED })
}

/// The parts that will be answered.
fn parts(settings: &Settings, asked: &Check) -> Vec<Part> {
    let is_asked = |part: &Part| match part {
        Part::Feedback => settings.feedback.queue_url.is_some(),
        Part::Recipient => asked.recipient.is_some(),
        Part::SampleMail => asked.send_to.is_some(),
        Part::Probe => asked.feedback,
        _ => true,
    };
    Part::ALL.into_iter().filter(is_asked).collect()
}

async fn ask(
    loaded: Loaded,
    asked: &Check,
    recipient: Option<Address>,
    answers: Answers,
) -> anyhow::Result<()> {
    let collectors = async {
        let rows = check_collectors(std::env::vars()).await;
        answers.rows(Part::Telemetry, rows);
        Ok(())
    };
    let aws = async {
        let session = Session::connect(loaded).await?;
        answers.tell(News::Endpoints(session.aws.endpoints()));
        let target = Target {
            settings: &session.loaded.settings,
            region: &session.region,
            world: &session.world,
            inspector: Box::new(AwsInspector::new(&session.aws)),
        };
        let mut rows = vec![check_region(&target)];
        let url = &target.settings.queue.url;
        rows.extend(check_endpoint(&session.aws.endpoints(), url));
        let credentials = check_credentials(&*target.inspector).await;
        let is_without = credentials.level == Level::Failed;
        rows.push(credentials);
        if is_without {
            let skipped =
                "queue, template and mail were not checked, since there are no credentials";
            rows.push(Finding::skipped("aws", skipped));
        }
        answers.rows(Part::Connection, rows);
        if is_without {
            for part in parts(target.settings, asked) {
                if part != Part::Telemetry {
                    answers.rows(part, Vec::new());
                }
            }
        } else {
            target.ask(asked, recipient.as_ref(), &answers).await;
        }
        anyhow::Ok(())
    };
    tokio::try_join!(collectors, aws)?;
    Ok(())
}

impl Target<'_> {
    async fn ask(&self, asked: &Check, recipient: Option<&Address>, answers: &Answers) {
        let composer = self.settings.composer();
        let template = async {
            let (rows, template) = check_template(self, &composer).await;
            answers.rows(Part::Template, rows);
            if let Some(to) = &asked.send_to {
                let row = match &template {
                    Some(template) => send_sample(self, &composer, template, to).await,
                    None => Finding::skipped("sample mail", "not sent, since there is no template"),
                };
                answers.rows(Part::SampleMail, vec![row]);
            }
        };
        let recipient = async {
            if let Some(recipient) = recipient {
                let row = check_recipient(self, recipient).await;
                answers.rows(Part::Recipient, vec![row]);
            }
        };
        let (feedback, ..) = tokio::join!(
            self.ask_for_sender(answers),
            template,
            recipient,
            async { answers.rows(Part::Queue, check_queue(self).await) },
            async { answers.rows(Part::Table, check_table(self).await) },
            async { answers.rows(Part::Account, check_account(self).await) },
            async { answers.rows(Part::Mail, check_mail(self).await) },
        );
        if asked.feedback {
            answers.rows(Part::Probe, vec![probe(self, &feedback).await]);
        }
    }

    /// The sender's identity, and then its events: its configuration set may be what publishes them.
    async fn ask_for_sender(&self, answers: &Answers) -> Feedback {
        let (mut rows, details) = check_sender(self, self.settings.sender.address()).await;
        if self.settings.feedback.queue_url.is_none() {
            rows.extend(details.map(|details| check_bounces(&details, None)));
            answers.rows(Part::Sender, rows);
            return Feedback::default();
        }
        answers.rows(Part::Sender, rows);
        let set = details.as_ref();
        let set = set.and_then(|details| details.configuration_set.as_deref());
        let feedback = check_feedback(self, set).await;
        let mut rows = feedback.findings.clone();
        rows.extend(details.map(|details| check_bounces(&details, Some(&feedback))));
        answers.rows(Part::Feedback, rows);
        feedback
    }
}
