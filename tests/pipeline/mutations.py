#!/usr/bin/env python3
"""Breaks the daemon on purpose, one small change at a time, and says which rules of the random schedules saw it.

    tests/pipeline/mutations.py [WORD...]           on paused time
    tests/pipeline/mutations.py --real [WORD...]    with real daemons, judged by the checker
    tests/pipeline/mutations.py --check             only looks whether each text is there once

With words only mutations whose names hold one of them are played. Each replaces exact texts of the sources, in a copy of
the tree in a temporary folder. On paused time all of the first 50 schedules of seed 1 are played, in the development
profile; with real daemons those of the campaign from seed 1 on, until one breaks a rule that should see it. Exit code 0:
each mutation was seen by a rule that should, and, where all were played on paused time, each rule saw one that it should;
1: not so; 2: a text is not there exactly once, or a mutation does not compile. Where CARGO_TARGET_DIR is set, what is
built is kept in its folder `mutations`, apart from what is sound: cargo would not tell them from each other.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEED, SCHEDULES = 1, 50
# With real daemons so many are played side by side, and so many at the most.
REAL_JOBS, REAL_SCHEDULES = 5, 60

LEASE = "src/pipeline/lease/guard.rs"
HELD = "src/pipeline/lease/held.rs"
OUTCOME = "src/pipeline/outcome.rs"
SETTLE = "src/pipeline/settle.rs"
STEPS = "src/pipeline/worker/steps.rs"
WINDOW = "src/pipeline/window.rs"
WORKER = "src/pipeline/worker.rs"
REJECTED = """            Outcome::Rejected,
            visible_unless(last, rejected_delay(receive_count)),"""
UNKNOWN = """                    self.notes.lock().unknown += 1;
                    unanswered = pass.unanswered();"""
WORKED = "    let ending = worker.bounded(body).await;"
NOT_TOLD = [(WORKER, "guard.sent(&email_id).await;", "")]
NO_LEASE = [
    (STEPS, "if !self.wait_own(lasts).await? {", "if false {"),
    (STEPS, "let lasts = self.lease.margin() >= context.send_timeout;", "let lasts = true;"),
]
# While a lease lasts the checker cannot see who looks at it, so that here its end is not noticed either.
NEVER_LOST = [
    *NO_LEASE,
    (LEASE, """        self.wait_for(|held| held.is_lost(Instant::now()).then_some(()))
            .await;""", "        std::future::pending::<()>().await;"),
]
DELETED_FIRST = [(WORKER, WORKED, f"    settling.settler.delete(&lease, || ()).await;\n{WORKED}")]

# The name, the rules that should see it, one of them at least, and what is replaced by what in which file.
MUTATIONS = [
    ("what is rejected is deleted", "lost early", [(OUTCOME, REJECTED, "Outcome::Rejected, Settlement::Delete,")]),
    ("a message is deleted before its mail goes", "early", DELETED_FIRST),
    ("a send without an answer counts as sent", "lost early", [(WORKER, UNKNOWN, "return Ok(Ending::Sent);")]),
    ("the ledger does not learn what was sent", "doubled", NOT_TOLD),
    ("unanswered sends are tried for ever", "often", [
        (WORKER, "UNKNOWN_SENDS_MAX: u32 = 2;", "UNKNOWN_SENDS_MAX: u32 = 99;")]),
    ("no event is waited for", "hasty", [(WORKER, "if self.event_settles(guard, is_beside).await? {", "if false {")]),
    ("no lease is asked for before a send", "unheld", NO_LEASE),
    ("mails bear the queue's id", "stray", [
        (WORKER, "MailKey::of_message(notification_id, ", "MailKey::of_message(notification_id.filter(|_| false), ")]),
    ("no claim is asked for", "unclaimed", [
        ("src/ledger/shared/guard.rs", "            if reach.is_aside() {\n", "            if true {\n")]),
    ("a place is never given back", "unsettled", [(WORKER, "    drop(place);", "    mem::forget(place);")]),
    ("a control message is given back", "dead", [
        (OUTCOME, "(Outcome::Ignored, Settlement::Delete)", "(Outcome::Ignored, Settlement::Leave)")]),
    ("messages are put back while the breaker is open", "dead", [
        (STEPS, "        let pass = context.gates.mail.pass(key);", """        if context.gates.mail.is_open() {
            return Err(Ending::BudgetSpent);
        }
        let pass = context.gates.mail.pass(key);""")]),
    ("what was sent is left in the queue", "undeleted", [
        (OUTCOME, "(Outcome::Sent, Settlement::Delete)", "(Outcome::Sent, Settlement::Leave)")]),
    ("leases are renewed after they are settled", "renewed", [(WORKER, "    drop(lease);", "    mem::forget(lease);")]),
    ("a delete is tried once", "unretried", [(SETTLE, "if lease.is_at_cap() {", "if true {")]),
    ("who settles does not wait for a renewal", "overlapping", [(LEASE, "if held.busy {", "if false {")]),
    ("what is being settled is renewed", "overlapping", [(HELD, "if self.busy || self.ending ||", "if self.ending ||")]),
    ("a start begins with the whole window", "crowded", [
        (WINDOW, "                size: 1,\n                limit: 1,\n                slots: Arc::new(Semaphore::new(1)),",
         "                size: concurrency,\n                limit: concurrency,\n"
         "                slots: Arc::new(Semaphore::new(concurrency)),"),
        (WINDOW, """        state.size = 1;
        state.limit = 1;
        let replaced = std::mem::replace(&mut state.slots, Arc::new(Semaphore::new(1)));""",
         """        (state.size, state.limit) = (state.concurrency, state.concurrency);
        let slots = Arc::new(Semaphore::new(state.concurrency));
        let replaced = std::mem::replace(&mut state.slots, slots);""")]),
    ("more is received than there is room for", "crowded", [
        (WINDOW, "free.max(usize::from(another))", "free.max(usize::from(another)).max(BATCH_MAX)")]),
    ("a stop takes more than its grace", "late", [
        ("src/pipeline/drain.rs", "grace.saturating_sub(TELEMETRY_FLUSH_TIME)", "grace + TELEMETRY_FLUSH_TIME")]),
    ("events are read on after the end", "after", [
        ("src/daemon.rs", "                reading.stop().await;", "                std::mem::forget(reading);")]),
    ("no rate is kept", "rate", [
        ("src/pipeline/rate.rs", "        if self.in_debt() {\n            return false;", "        if false {\n            return false;")]),
    ("messages are counted twice", "sums", [("src/pipeline/run.rs", "self.tally.receive(1);", "self.tally.receive(2);")]),
    ("one refusal is enough", "unwitnessed", [
        ("src/pipeline/breaker/mail/results.rs", "        if witnessed || unjudged {", "        if true {")]),
    ("what is refused twice is rejected", "unwitnessed", [
        ("src/pipeline/breaker/mail/results.rs", "let witnessed = permission.evidence.is_some()", "let witnessed = true"),
        ("src/pipeline/breaker/mail/suspects.rs", "            (None, None) => return Err(None),",
         "            (None, None) => suspect.refused_at + WITNESS_AFTER,")]),
    ("what was given back is renewed", "renewed", [
        (LEASE, "self.with(|held| held.ending = true);", "self.with(|_| ());")]),
    ("each receive is told as the last", "contradicted", [
        ("src/pipeline/report.rs", 'format!("{count} of {max}")', 'format!("{max} of {max}")')]),
]

# The same with real daemons, and the checker's rules.
REAL = [
    ("mails go whatever has become of the lease", "unheld", NEVER_LOST),
    ("the ledger does not learn what was sent", "doubled", NOT_TOLD),
    ("a message is deleted before its mail goes", "early lost", DELETED_FIRST),
]


def place(folder, name, text):
    """The file in which this text is to be replaced, and what it holds."""
    path = folder / name
    source = path.read_text()
    if source.count(text) != 1:
        print(f"{name}: {source.count(text)} times, not once: {text!r}", file=sys.stderr)
        sys.exit(2)
    return path, source


class Tree:
    """A copy of the sources that is broken and mended again."""

    def __init__(self, scratch):
        self.path = scratch / "tree"
        shutil.copytree(ROOT, self.path, ignore=shutil.ignore_patterns("target", ".git"))
        self.env = os.environ.copy()
        kept = self.env.get("CARGO_TARGET_DIR")
        self.target = Path(kept).resolve() / "mutations" if kept else scratch / "target"
        self.env["CARGO_TARGET_DIR"] = str(self.target)
        self.harness = None

    def change(self, changes):
        """Makes the changes, and returns what undoes them."""
        before = {}
        for name, text, instead in changes:
            path, source = place(self.path, name, text)
            before.setdefault(path, source)
            path.write_text(source.replace(text, instead))
        return before

    def cargo(self, *arguments, build=False, **env):
        ran = subprocess.run(
            ["cargo", *arguments], cwd=self.path, env=self.env | env, capture_output=True, text=True, errors="replace")
        if build and ran.returncode:
            print(ran.stderr[-3000:], file=sys.stderr)
            sys.exit(2)
        return ran

    def paused(self):
        """Which schedules broke which rules on paused time."""
        test = ["test", "--locked", "--test", "pipeline"]
        self.cargo(*test, "--no-run", build=True)
        ran = self.cargo(
            *test, "fresh_schedules", "--", "--nocapture",
            SCHEDULES=str(SCHEDULES), SCHEDULES_SEED=str(SEED), SCHEDULES_AS_DRAWN="1", RUST_BACKTRACE="0")
        broken = re.findall(r"^schedule (\d+) breaks (.+)$", ran.stdout, re.M)
        if ran.returncode and not broken:
            print(ran.stdout[-2000:], ran.stderr[-2000:], file=sys.stderr)
        return {int(number) + 1: rules.split() for number, rules in broken}

    def campaign(self):
        """The campaign's program. It is its own daemon, so the sound one plays with broken ones of its kind."""
        built = self.cargo("bench", "--locked", "--profile", "dev", "--bench", "campaign", "--no-run", build=True)
        return re.search(r"Executable .* \((.+)\)", built.stderr)[1]

    def real(self, wanted):
        """The same with real daemons, until a rule that should has seen it, and how many were played."""
        daemon = self.campaign()
        broken, played = {}, 0
        while played < REAL_SCHEDULES and not any(set(rules) & wanted for rules in broken.values()):
            ran = subprocess.run(
                [self.harness, "--daemon", daemon, "--schedules", str(REAL_JOBS), "--seed", str(SEED + played),
                 "--jobs", str(REAL_JOBS)],
                cwd=self.path, env=self.env, capture_output=True, text=True, errors="replace")
            if f"{REAL_JOBS} schedules played" not in ran.stdout:
                print(ran.stdout[-2000:], ran.stderr[-2000:], file=sys.stderr)
                sys.exit(2)
            for seed, rule in re.findall(r"^ +(\d+): BROKEN ([a-z]+):", ran.stderr, re.M):
                broken.setdefault(int(seed) - SEED + 1, []).append(rule)
            played += REAL_JOBS
        return broken, played


def row(name, wanted, broken, played):
    """A line of the table, and the rules that saw what they should."""
    saw = {}
    for number, rules in sorted(broken.items()):
        for rule in rules:
            saw.setdefault(rule, []).append(number)
    seen = wanted & set(saw)
    words = [f"**`{rule}`**" if rule in wanted else f"`{rule}`" for rule in saw]
    counts = [f"{word} {len(numbers)}" for word, numbers in zip(words, saw.values())]
    first = min((saw[rule][0] for rule in seen), default="none")
    text = ", ".join(counts) or "none"
    missing = "" if seen else f" (not {' '.join(sorted(wanted))})"
    print(f"| {name} | {text}{missing} | {first} of {played} |", flush=True)
    return seen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", action="store_true", help="with real daemons")
    parser.add_argument("--check", action="store_true", help="only looks whether each text is there once")
    parser.add_argument("words", nargs="*", metavar="WORD")
    options = parser.parse_args()
    if options.check:
        texts = [change for _, _, changes in MUTATIONS + REAL for change in changes]
        for name, text, _ in texts:
            place(ROOT, name, text)
        print(f"{len(texts)} texts are there once")
        return 0
    mutations = REAL if options.real else MUTATIONS
    chosen = [one for one in mutations if not options.words or any(word in one[0] for word in options.words)]
    missed, seen = False, set()
    with tempfile.TemporaryDirectory() as scratch:
        tree = Tree(Path(scratch))
        for _, _, changes in chosen:
            for path, source in tree.change(changes).items():
                path.write_text(source)
        if options.real:
            tree.harness = shutil.copy(tree.campaign(), scratch)
        print("| change | seen by (in so many schedules) | first seen in |\n|---|---|---|", flush=True)
        for name, wanted, changes in chosen:
            wanted = set(wanted.split())
            before = tree.change(changes)
            broken, played = tree.real(wanted) if options.real else (tree.paused(), SCHEDULES)
            for path, source in before.items():
                path.write_text(source)
            found = row(name, wanted, broken, played)
            missed |= not found
            seen |= found
        if not options.real and not options.words:
            judge = (tree.path / "tests/pipeline/schedules/judge.rs").read_text()
            unseen = set(re.findall(r'^    \("([a-z]+)", [a-z]+::', judge, re.M)) - seen
            missed |= bool(unseen)
            if unseen:
                print(f"no mutation that they should see was seen by: {', '.join(sorted(unseen))}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
