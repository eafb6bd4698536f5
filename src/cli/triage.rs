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
mod results;
mod scan;
mod stop;
mod target;

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal},
};

use anyhow::{Context, anyhow, bail};

use self::{
    act::{Acted, Done, Way},
    ask::Answer,
    choice::Choice,
    given::Given,
    held::{HIDDEN_MAX, Held},
    plan::{Act, LeftOut, Plan},
    records::Records,
    results::Results,
    scan::{End, Judged, RECEIVE_WAIT, Scan, Scanner, Take, messages},
    stop::Stop,
    target::Target,
};
use super::{
    FAILED, OK,
    arguments::Triage,
    output::{Unwritten, eprint, prompt},
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
        url,
        choice,
        wanted,
        act,
        notes,
        details,
        held: Held::new(&*world.queue),
        progress: Progress::begin(),
        results: Results::new(),
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
    /// The URL of the scanned queue.
    url: &'a str,
    choice: Choice,
    /// The ids that are looked for.
    wanted: BTreeSet<String>,
    act: Option<Act>,
    /// What a person should know before the answer.
    notes: Vec<String>,
    details: QueueDetails,
    held: Held<'a>,
    progress: Progress,
    results: Results,
}

impl Run<'_> {
    async fn scan(&mut self, mut scanner: Scanner<'_>, stop: &mut Stop) -> Scan {
        let Self {
            asked,
            choice,
            act,
            held,
            progress,
            results,
            ..
        } = self;
        let is_redrive = matches!(act, Some(Act::Redrive { .. }));
        let see = async |message: &Judged, stop: &mut Stop| {
            let is_chosen = choice.holds(message);
            if asked.json && !asked.summary && asked.show.is_none() && is_chosen {
                results.write(json::message(message), stop).await;
            }
            let is_shown = asked.show.as_ref() == Some(&message.id);
            Take {
                keep: is_shown || (is_redrive && is_chosen),
                go_on: goes_on(results.state(), act.is_some()),
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
        self.show(&scan, stop).await;
        let mut is_good = is_whole;
        if let End::Failed(why) = &scan.end {
            eprint(why);
        }
        if scan.maybe_hidden > 0 {
            eprint(&format_args!(
                "a receive had no answer: up to {} may be hidden for {}",
                messages(scan.maybe_hidden),
                format_duration(HIDDEN_MAX)
            ));
        }
        is_good &= self.tell_missing(&scan);
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
            self.tell(&act, &plan, &scan, end, &done, stop).await;
        } else if self.asked.json {
            let (about, hidden) = (self.details.waiting, self.held.left_hidden);
            let summary = json::summary(&scan, about, hidden, None);
            self.results.write(summary, stop).await;
        }
        self.tell_left_hidden();
        let (is_written, printed) = self.results.finish(stop).await;
        was_cut |= self.held.is_cut_short || !is_written;
        if let Some((_, code)) = stop.by().filter(|_| was_cut) {
            return Ok(code);
        }
        // What no signal interrupted ended since its results could not be written, which is told as such.
        let is_good = is_good || scan.end == End::Interrupted;
        match printed {
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
        if let Err(Unwritten::Failed(_)) = self.results.state() {
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
            let from = queue_name(self.url);
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
        let Self {
            asked,
            held,
            progress,
            results,
            ..
        } = self;
        // At once: if this process dies, there is a record of what it did.
        let tell = async |some: &[(String, Done)], stop: &mut Stop| {
            for (id, done) in some.iter().filter(|_| asked.json) {
                results.write(json::act(act, id, done), stop).await;
            }
            goes_on(results.state(), true)
        };
        let acted = act::act(way, &plan.ids, &scan.letters, held, stop, progress, tell).await;
        let Acted { done, has_failed } = acted;
        let is_cut = stop.is_told() && done.iter().any(|(_, done)| *done == Done::NotReached);
        let end = match (has_failed, is_cut) {
            (true, _) => "failed",
            (false, true) => "interrupted",
            (false, false) => "done",
        };
        (end, done)
    }

    /// The summary first: a person reads that, and perhaps no more.
    async fn show(&mut self, scan: &Scan, stop: &mut Stop) {
        if let Some(id) = &self.asked.show {
            let found = scan.messages.iter().find(|message| message.id == *id);
            if let (Some(message), Some(letter)) = (found, scan.letters.get(id)) {
                let whole = if self.asked.json {
                    json::whole(message, letter).to_string()
                } else {
                    report::whole(message, letter)
                };
                self.results.write(whole, stop).await;
            }
            return;
        }
        if self.asked.json {
            return;
        }
        let others = self.details.in_flight;
        let summary = report::summary(scan, self.details.waiting, others);
        self.results.write(summary, stop).await;
        if self.asked.summary {
            return;
        }
        let mut chosen = scan.messages.iter().filter(|one| self.choice.holds(one));
        let lines: Vec<_> = chosen.by_ref().map(report::line).collect();
        if !lines.is_empty() {
            let lines = format!("\n{}", lines.join("\n"));
            self.results.write(lines, stop).await;
        }
    }

    async fn tell(
        &mut self,
        act: &Act,
        plan: &Plan,
        scan: &Scan,
        end: &'static str,
        done: &[(String, Done)],
        stop: &mut Stop,
    ) {
        let told = if self.asked.json {
            let whole = json::WholeAct {
                act,
                plan,
                done,
                end,
            };
            let (about, hidden) = (self.details.waiting, self.held.left_hidden);
            json::summary(scan, about, hidden, Some(&whole)).to_string()
        } else {
            let to = match act {
                Act::Redrive { to, .. } => Some(to.name()),
                Act::Delete => None,
            };
            format!("\n{}", report::done(done, &plan.left_out, act.name(), to))
        };
        self.results.write(told, stop).await;
    }

    /// Tells the ids that were looked for in vain. Returns whether there is none.
    fn tell_missing(&self, scan: &Scan) -> bool {
        if scan.end == End::Interrupted {
            return true;
        }
        let seen: BTreeSet<_> = scan.messages.iter().map(|message| &message.id).collect();
        let count = scan.messages.len();
        let about = self.details.waiting.max(count as u64);
        let mut is_good = true;
        for id in self.wanted.iter().filter(|id| !seen.contains(id)) {
            eprint(&format_args!(
                "there is no message {id} among the {count} of about {about} that were scanned"
            ));
            is_good = false;
        }
        is_good
    }

    fn tell_left_hidden(&self) {
        let count = self.held.left_hidden;
        if count == 0 {
            return;
        }
        let within = format_duration(HIDDEN_MAX);
        let left = format!(
            "{} could not be made visible: they come back by themselves within {within}",
            messages(count)
        );
        if self.held.is_cut_short {
            eprint(&left);
        } else {
            eprint(&format_args!(
                "{left}; the role needs sqs:ChangeMessageVisibility"
            ));
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
