#!/usr/bin/env python3
"""Breaks the daemon on purpose, one small change at a time, and says which rules of the random schedules saw it.

    tests/pipeline/mutations.py [WORD...]

With words only mutations whose names hold one of them are played. Each replaces exact texts of the sources, in a copy of
the tree in a temporary folder. The schedules are the first 50 of one seed, in the development profile. Exit code 0: each
mutation was seen by a rule that should; 1: one was not; 2: a text is not there exactly once, or a mutation does not
compile. CARGO_TARGET_DIR, where it is set, saves building the dependencies.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEED, SCHEDULES = 1, 50

WORKER = "src/pipeline/worker.rs"
STEPS = "src/pipeline/worker/steps.rs"
OUTCOME = "src/pipeline/outcome.rs"
SETTLE = "src/pipeline/settle.rs"
REJECTED = """            Outcome::Rejected,
            visible_unless(last, rejected_delay(receive_count)),"""

# The name, the rules of which one should see it, and what is replaced by what in which file.
MUTATIONS = [
    ("what is rejected is deleted", "lost early", [(OUTCOME, REJECTED, "Outcome::Rejected, Settlement::Delete,")]),
    ("the ledger does not learn what was sent", "doubled", [(WORKER, "guard.sent(&email_id).await;", "")]),
    ("unanswered sends are tried for ever", "often", [(WORKER, "UNKNOWN_SENDS_MAX: u32 = 2;", "UNKNOWN_SENDS_MAX: u32 = 99;")]),
    ("no event is waited for", "hasty", [(WORKER, "if self.event_settles(guard, is_beside).await? {", "if false {")]),
    ("no lease is asked for before a send", "unheld", [
        (STEPS, "if !self.wait_own(lasts).await? {", "if false {"),
        (STEPS, "let lasts = self.lease.margin() >= context.send_timeout;", "let lasts = true;")]),
    ("mails bear the queue's id", "stray", [(WORKER, "MailKey::of_message(notification_id, ", "MailKey::of_message(notification_id.filter(|_| false), ")]),
    ("no claim is asked for", "unclaimed", [("src/ledger/shared/guard.rs", "            if reach.is_aside() {\n", "            if true {\n")]),
    ("a place is never given back", "unsettled", [(WORKER, "    drop(place);", "    mem::forget(place);")]),
    ("what was sent is left in the queue", "undeleted dead", [(OUTCOME, "(Outcome::Sent, Settlement::Delete)", "(Outcome::Sent, Settlement::Leave)")]),
    ("leases are renewed after they are settled", "renewed", [(WORKER, "    drop(lease);", "    mem::forget(lease);")]),
    ("a delete is tried once", "unretried", [(SETTLE, "if lease.is_at_cap() {", "if true {")]),
    ("a stop takes more than its grace", "late", [("src/pipeline/drain.rs", "grace.saturating_sub(TELEMETRY_FLUSH_TIME)", "grace + TELEMETRY_FLUSH_TIME")]),
    ("events are read on after the end", "after", [("src/daemon.rs", "                reading.stop().await;", "                std::mem::forget(reading);")]),
    ("no rate is kept", "rate", [("src/pipeline/rate.rs", "        if self.in_debt() {\n            return false;", "        if false {\n            return false;")]),
    ("messages are counted twice", "sums", [("src/pipeline/run.rs", "self.tally.receive(1);", "self.tally.receive(2);")]),
    ("each receive is told as the last", "contradicted", [("src/pipeline/report.rs", 'format!("{count} of {max}")', 'format!("{max} of {max}")')]),
]


def mutate(tree, changes):
    for name, text, instead in changes:
        path = tree / name
        source = path.read_text()
        if source.count(text) != 1:
            print(f"{name}: {source.count(text)} times, not once: {text!r}", file=sys.stderr)
            sys.exit(2)
        path.write_text(source.replace(text, instead))


def played(tree):
    """What the schedules say: the rules that were broken, and how many schedules it took."""
    env = os.environ | {"SCHEDULES": str(SCHEDULES), "SCHEDULES_SEED": str(SEED), "SCHEDULES_AS_DRAWN": "1"}
    env.setdefault("CARGO_TARGET_DIR", str(tree.parent / "target"))
    command = ["cargo", "test", "--locked", "--test", "pipeline"]
    built = subprocess.run([*command, "--no-run"], cwd=tree, env=env, capture_output=True, text=True)
    if built.returncode:
        print(built.stderr[-3000:], file=sys.stderr)
        sys.exit(2)
    ran = subprocess.run([*command, "fresh_schedules"], cwd=tree, env=env, capture_output=True, text=True, timeout=900)
    number = re.search(r"^schedule (\d+) of seed", ran.stdout, re.M)
    if not number:
        return [], None
    rules = re.findall(r"^([a-z]+): ", ran.stdout[number.end():], re.M)
    return [rule for rule in dict.fromkeys(rules) if rule != "note"], int(number[1]) + 1


def main():
    words = sys.argv[1:]
    missed = False
    print("| mutation | rules that saw it | schedules |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for name, wanted, changes in MUTATIONS:
            if words and not any(word in name for word in words):
                continue
            tree = Path(scratch) / "tree"
            shutil.rmtree(tree, ignore_errors=True)
            shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns("target", ".git"))
            mutate(tree, changes)
            rules, needed = played(tree)
            seen = bool(set(rules) & set(wanted.split()))
            missed |= not seen
            print(f"| {name} | {', '.join(rules) or 'none'}{'' if seen else f' (not {wanted})'} | {needed or '-'} |", flush=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
