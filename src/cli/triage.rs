//! `triage`: what would become of each message of a dead-letter queue, and what is done with those that a
//! person chooses.

mod act;
mod ask;
mod choice;
mod given;
mod held;
mod json;
mod plan;
mod records;
mod report;
mod scan;
mod stop;
mod target;

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal},
};

use anyhow::{Context, anyhow, bail};

use self::{
    act::{Done, Way},
    ask::Answer,
    choice::Choice,
    given::Given,
    held::{HIDDEN_MAX, Held},
    json::Acted,
    plan::{Act, LeftOut, Plan},
    records::Records,
    scan::{End, Judged, RECEIVE_WAIT, Scan, Scanner, Take, messages},
    stop::Stop,
    target::Target,
};
use super::{
    FAILED, OK,
    arguments::Triage,
    output::{Unwritten, eprint, print, prompt},
    progress::Progress,
    session::{self, Session},
};
use crate::{
    aws::{AwsConfig, AwsInspector, SqsDeadLetters, SqsResend, classify},
    config::Flags,
    ports::{
        dead_letters::Resend,
        inspect::{Inspect, QueueDetails},
        queue_name,
    },
    shutdown,
    text::format_duration,
};

/// How many messages are scanned where nobody says.
const LIMIT: u32 = 100;
/// The same where ids are looked for.
const LIMIT_FOR_IDS: u32 = 100_000;

/// Scans, prints, does what was asked, puts the rest back, and returns the exit code.
pub(super) async fn triage(flags: &Flags, asked: &Triage) -> anyhow::Result<u8> {
    let choice = Choice::of(asked);
    choice.check(
        asked,
        io::stdin().is_terminal() && io::stderr().is_terminal(),
    )?;
    let mut stop = Stop::new(shutdown::signals().context("signals cannot be handled")?);
    let is_act = asked.redrive || asked.delete;
    let given = Given::load(flags, asked, is_act && choice.is_by_verdict())?;
    let act = match (asked.redrive, asked.delete) {
        (true, _) => Some(Act::Redrive {
            to: Target::new(
                given.target.as_deref(),
                asked.to_queue_url.is_some(),
                &given.loaded.settings.queue.url,
            )?,
            even_mailed: asked.even_mailed,
        }),
        (_, true) => Some(Act::Delete),
        _ => None,
    };
    let Session {
        loaded, aws, world, ..
    } = Session::connect(given.loaded).await?;
    let url = &loaded.settings.queue.url;
    let template = session::load_template(&*world.templates, &loaded.settings).await?;
    let inspector = AwsInspector::new(&aws);
    let details = describe(url, asked.despite_redrive, &inspector).await?;
    let mut notes = Vec::new();
    if let Some(Act::Redrive { to, .. }) = &act {
        notes.extend(to.check(url, &inspector).await?);
    }
    if !given.lacking.is_empty() {
        eprint(&format_args!(
            "{} not set: the verdicts leave out what follows from it",
            given.lacking.join(" and ")
        ));
    }
    let source = given.source.as_deref().map(queue_name);
    let target = given.target.as_deref().map(queue_name);
    let composer = loaded.settings.composer();
    let mut wanted = choice.ids.clone();
    wanted.extend(asked.show.clone());
    let limit = match asked.limit {
        Some(limit) => limit,
        None if wanted.is_empty() => LIMIT,
        None => LIMIT_FOR_IDS,
    };
    let scanner = Scanner {
        letters: &SqsDeadLetters::new(&aws, url.clone(), RECEIVE_WAIT),
        composer: &composer,
        template: &template.template,
        records: Records::new(world.table.clone(), source, target),
        retention: details.facts.retention,
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
        about: details.waiting,
        wanted: wanted.clone(),
    };
    let mut run = Run {
        asked,
        choice,
        wanted,
        act,
        notes,
        details,
        held: Held::new(&*world.queue),
        progress: Progress::begin(),
        printed: Ok(()),
    };
    let scan = run.scan(scanner, &mut stop).await;
    run.finish(scan, &aws, &mut stop).await
}

/// Reads the queue's attributes, and refuses one where a scan could move messages on.
async fn describe(
    url: &str,
    despite_redrive: bool,
    inspector: &dyn Inspect,
) -> anyhow::Result<QueueDetails> {
    let details = inspector.queue(url).await.map_err(|failure| {
        let kind = classify::refusal_kind(&failure.error);
        let remedy = kind.remedy("sqs:GetQueueAttributes", "the queue");
        anyhow!("the queue cannot be read: {failure}; {remedy}")
    })?;
    if let Some(redrive) = details.facts.redrive.as_ref().filter(|_| !despite_redrive) {
        bail!(
            "the queue has a redrive policy: each scan counts as a receive, and after {} receives \
             SQS moves a message on; nothing was received; to scan anyway, add --despite-redrive",
            redrive.max_receive_count
        );
    }
    Ok(details)
}

/// One triage at work.
struct Run<'a> {
    asked: &'a Triage,
    choice: Choice,
    /// The ids that are looked for.
    wanted: BTreeSet<String>,
    act: Option<Act>,
    /// What a person should know before the answer.
    notes: Vec<String>,
    details: QueueDetails,
    held: Held<'a>,
    progress: Progress,
    /// Whether results could be written so far.
    printed: Result<(), Unwritten>,
}

impl Run<'_> {
    async fn scan(&mut self, mut scanner: Scanner<'_>, stop: &mut Stop) -> Scan {
        let Self {
            asked,
            choice,
            act,
            held,
            progress,
            printed,
            ..
        } = self;
        let is_redrive = matches!(act, Some(Act::Redrive { .. }));
        let see = |message: &Judged| {
            let is_chosen = choice.holds(message);
            if asked.json && !asked.summary && asked.show.is_none() && is_chosen && printed.is_ok()
            {
                *printed = print(json::message(message));
            }
            let is_shown = asked.show.as_ref() == Some(&message.id);
            Take {
                keep: is_shown || (is_redrive && is_chosen),
                go_on: goes_on(printed, act.is_some()),
            }
        };
        let scan = scanner.scan(held, stop, progress, see).await;
        if let Some(failure) = &scanner.records.failure {
            eprint(&format_args!(
                "whether mails were sent is not known, since the ledger's table failed: {failure}"
            ));
        }
        if scanner.records.unplaced > 0 {
            eprint(&format_args!(
                "whether mails were sent was not looked up for {}: neither SQS nor SQS_URL (queue.url) says \
                 from which queue",
                messages(scanner.records.unplaced)
            ));
        }
        scan
    }

    /// Everything after the scan. What nobody wants is put back before anything is shown or asked.
    async fn finish(mut self, scan: Scan, aws: &AwsConfig, stop: &mut Stop) -> anyhow::Result<u8> {
        let is_whole = !matches!(scan.end, End::Failed(_) | End::Interrupted);
        let plan = match &self.act {
            Some(act) if is_whole => act.plan(&scan.messages, &self.choice),
            _ => Plan::default(),
        };
        let meant: BTreeSet<_> = plan.ids.iter().cloned().collect();
        let is_meant = |id: &str| meant.contains(id);
        self.held.put_back(is_meant, stop, &mut self.progress).await;
        self.progress.erase();
        self.show(&scan);
        let mut is_good = is_whole;
        if let End::Failed(why) = &scan.end {
            eprint(why);
        }
        if scan.end != End::Interrupted {
            for id in self.missing(&scan) {
                let about = self.details.waiting.max(scan.messages.len() as u64);
                let count = scan.messages.len();
                eprint(&format_args!(
                    "there is no message {id} among the {count} of about {about} that were scanned"
                ));
                is_good = false;
            }
        }
        let mut was_cut = scan.end == End::Interrupted;
        if let Some(act) = self.act.take() {
            let (end, done) = if is_whole {
                self.perform(&act, &plan, &scan, aws, stop).await
            } else {
                (if was_cut { "interrupted" } else { "failed" }, Vec::new())
            };
            was_cut |= end == "interrupted";
            is_good &= matches!(end, "done" | "nothing_chosen")
                && done.iter().all(|(_, done)| done.is_good())
                && plan
                    .left_out
                    .iter()
                    .all(|(_, why)| *why != LeftOut::Unknown);
            self.held
                .put_back(|_| false, stop, &mut self.progress)
                .await;
            self.progress.erase();
            self.tell(&act, &plan, &scan, end, &done);
        } else if self.asked.json {
            self.write(json::summary(
                &scan,
                self.details.waiting,
                self.held.left_hidden,
                None,
            ));
        }
        self.tell_left_hidden(stop);
        was_cut |= self.held.is_cut_short;
        if let Some((_, code)) = stop.by().filter(|_| was_cut) {
            return Ok(code);
        }
        // What no signal interrupted ended since its results could not be written, which is told as such.
        let is_good = is_good || scan.end == End::Interrupted;
        match self.printed {
            Err(failed @ Unwritten::Failed(_)) => Err(failed.into()),
            _ if self.held.left_hidden > 0 || !is_good => Ok(FAILED),
            Err(unread) => Err(unread.into()),
            Ok(()) => Ok(OK),
        }
    }

    /// Asks where that is wanted, and does it. Returns how it ended and what was done.
    async fn perform(
        &mut self,
        act: &Act,
        plan: &Plan,
        scan: &Scan,
        aws: &AwsConfig,
        stop: &mut Stop,
    ) -> (&'static str, Vec<(String, Done)>) {
        if let Err(Unwritten::Failed(_)) = self.printed {
            // Nobody could see what is done.
            return ("failed", Vec::new());
        }
        if plan.ids.is_empty() {
            return ("nothing_chosen", Vec::new());
        }
        if let Some(why) = act::no_right_to_delete(&self.held).await {
            eprint(&format_args!("{why}; nothing was done"));
            return ("failed", Vec::new());
        }
        for note in self.notes.iter().chain(&plan.notes) {
            eprint(note);
        }
        if !self.asked.yes {
            let from = queue_name(&self.asked.queue_url);
            prompt(&format!("{} [y/N] ", act.question(plan.ids.len(), from)));
            let answer = ask::wait_for_answer(
                ask::read_line(),
                |id| plan.ids.iter().any(|meant| meant == id),
                &mut self.held,
                stop,
            );
            match answer.await {
                Answer::Yes => {}
                Answer::No => {
                    eprint(&"nothing was done");
                    return ("declined", Vec::new());
                }
                Answer::None => {
                    prompt("\n");
                    eprint(&"nobody answered: nothing was done");
                    return ("declined", Vec::new());
                }
                Answer::Stopped => {
                    prompt("\n");
                    eprint(&"nothing was done");
                    return ("interrupted", Vec::new());
                }
            }
        }
        let resend: SqsResend;
        let way = match act {
            Act::Redrive { to, .. } => {
                resend = SqsResend::new(aws, to.url.clone());
                Way::Redrive(&resend as &dyn Resend)
            }
            Act::Delete => Way::Delete,
        };
        let progress = &mut self.progress;
        let held = &mut self.held;
        let done = act::act(way, &plan.ids, &scan.letters, held, stop, progress).await;
        let is_cut = stop.is_told() && done.iter().any(|(_, done)| *done == Done::NotReached);
        (if is_cut { "interrupted" } else { "done" }, done)
    }

    /// The summary first: a person reads that, and perhaps no more.
    fn show(&mut self, scan: &Scan) {
        if let Some(id) = &self.asked.show {
            let found = scan.messages.iter().find(|message| message.id == *id);
            if let (Some(message), Some(letter)) = (found, scan.letters.get(id)) {
                let is_json = self.asked.json;
                self.write(if is_json {
                    json::whole(message, letter).to_string()
                } else {
                    report::whole(message, letter)
                });
            }
            return;
        }
        if self.asked.json {
            return;
        }
        let others = self.details.in_flight;
        self.write(report::summary(scan, self.details.waiting, others));
        if self.asked.summary {
            return;
        }
        let mut chosen = scan.messages.iter().filter(|one| self.choice.holds(one));
        let lines: Vec<_> = chosen.by_ref().map(report::line).collect();
        if !lines.is_empty() {
            self.write(format_args!("\n{}", lines.join("\n")));
        }
    }

    fn tell(
        &mut self,
        act: &Act,
        plan: &Plan,
        scan: &Scan,
        end: &'static str,
        done: &[(String, Done)],
    ) {
        if self.asked.json {
            for (id, done) in done {
                self.write(json::act(act, id, done));
            }
            let acted = Acted {
                act,
                plan,
                done,
                end,
            };
            let (about, hidden) = (self.details.waiting, self.held.left_hidden);
            self.write(json::summary(scan, about, hidden, Some(&acted)));
        } else {
            let to = match act {
                Act::Redrive { to, .. } => Some(to.name()),
                Act::Delete => None,
            };
            let told = report::done(done, &plan.left_out, act.name(), to);
            self.write(format_args!("\n{told}"));
        }
    }

    /// The ids that were looked for in vain.
    fn missing(&self, scan: &Scan) -> Vec<String> {
        let seen: BTreeSet<_> = scan.messages.iter().map(|message| &message.id).collect();
        let wanted = self.wanted.iter().filter(|id| !seen.contains(id));
        wanted.cloned().collect()
    }

    fn tell_left_hidden(&self, stop: &Stop) {
        let count = self.held.left_hidden;
        if count == 0 {
            return;
        }
        let within = format_duration(HIDDEN_MAX);
        let left = format!(
            "{} could not be made visible: they come back by themselves within {within}",
            messages(count)
        );
        if stop.by().is_some() {
            eprint(&left);
        } else {
            eprint(&format_args!(
                "{left}; the role needs sqs:ChangeMessageVisibility"
            ));
        }
    }

    /// After a result that could not be written, none is.
    fn write(&mut self, result: impl std::fmt::Display) {
        if self.printed.is_ok() {
            self.printed = print(result);
        }
    }
}

/// Whether the scan goes on. One that is only to be read ends with its reader; an act that was allowed is
/// done, whoever reads of it, but not where its record cannot be written.
fn goes_on(printed: &Result<(), Unwritten>, is_act: bool) -> bool {
    match printed {
        Ok(()) => true,
        Err(Unwritten::NoReader) => is_act,
        Err(Unwritten::Failed(_)) => false,
    }
}
