#!/usr/bin/env python3
"""Reads a history of the local AWS and the logs of daemons, and says which promises were broken.

    python3 tests/checker/check.py HISTORY [CLIENT=LOG...] --mode memory

It shares no code with the daemon, the local AWS or the tests that play with them. README.md beside it describes the
records and the rules. Exit codes: 0 nothing is broken, 1 something is, 2 the input cannot be read.
"""

import argparse
import json
import sys

# Beside the sources there is to be nothing but sources.
sys.dont_write_bytecode = True

import daemonlog
import rules_mail
import rules_process
import rules_queue
from history import Broken, History
from world import World

RULES = {rule.__name__: rule for module in (rules_mail, rules_queue, rules_process) for rule in module.RULES}
# So much of a record is shown.
SHOWN = 400


def sentence(rule):
    return rule.__doc__.splitlines()[0]


def arguments(given=None):
    listed = "\n".join(f"  {name:<13} {sentence(rule)}" for name, rule in RULES.items())
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog=f"rules:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("history", help="what `sandbox --history FILE` wrote")
    add("logs", nargs="*", metavar="CLIENT=LOG", help="a daemon's log, by its access key; else the file's stem counts")
    add("--mode", choices=["memory", "feedback", "table", "both"], default="memory", help="what daemons remember mails by")
    add("--queue", action="append", default=[], help="a queue of messages to mail; without it those with a redrive policy")
    add("--slack", type=float, default=1.0, metavar="SECONDS", help="what a loaded machine may add")
    add("--concurrency", type=int, metavar="N", help="the daemons' concurrency, where no mark tells it")
    add("--rate", type=float, metavar="N", help="recipients a second in place of the account's, where no mark tells it")
    add("--rule", action="append", choices=list(RULES), help="judges only this rule; may be given again")
    add("--evidence", type=int, default=2, metavar="N", help="shows so many breaches of a rule")
    return parser.parse_args(given)


def judge(options):
    """The breaches by rule, and the world that they were found in."""
    with open(options.history, encoding="utf-8") as lines:
        history = History(lines, options.queue)
    if not history.queues:
        raise Broken("no queue has a redrive policy: name the queue of messages to mail with --queue")
    unknown = history.queues - set(history.attributes)
    if unknown:
        raise Broken(f"there is no queue {', '.join(sorted(unknown))} in the history")
    logs = [daemonlog.read(argument) for argument in options.logs]
    for log in logs:
        if log.client not in history.clients:
            raise Broken(f"{log.path}: no client {log.client} in the history; name it as CLIENT=LOG")
    world = World(history, logs, options.mode, options.slack, options.concurrency, options.rate)
    chosen = options.rule or list(RULES)
    return {name: list(RULES[name](world)) for name in chosen}, world


def show(breaches, world, evidence):
    """The verdict for people, each breach with the records that show it."""
    for name, findings in breaches.items():
        if not findings:
            continue
        print(f"BROKEN {name}: {sentence(RULES[name])} ({len(findings)})")
        for finding in findings[:evidence]:
            print(f"  {finding.text}")
            for record in finding.evidence:
                print(f"    {json.dumps(record, ensure_ascii=False)[:SHOWN]}")
        if len(findings) > evidence:
            print(f"  and {len(findings) - evidence} more")
    history = world.history
    mailed = sum(1 for notice in world.notices if notice.mails)
    twice = sum(1 for notice in world.notices if len(notice.mails) > 1)
    dead = sum(1 for notice in world.notices if any(copy.dead for copy in notice.copies))
    untagged = sum(1 for call in history.unjoined if call.mail and "notification-id" not in call.mail.tags)
    print(
        f"{len(history.records)} records, {len(history.calls)} calls of {len(history.clients)} clients, "
        f"{len(world.logs)} logs: {len(world.notices)} notifications, {mailed} mailed, {twice} more than once, {dead} "
        f"dead-lettered"
    )
    if untagged:
        print(f"not judged: {untagged} mails without a notification-id")
    broken = [name for name, findings in breaches.items() if findings]
    print(f"{len(broken)} of {len(breaches)} rules broken" if broken else f"all {len(breaches)} rules hold")
    return bool(broken)


def main():
    options = arguments()
    try:
        breaches, world = judge(options)
    except (Broken, OSError) as wrong:
        print(f"check.py: {wrong}", file=sys.stderr)
        return 2
    return int(show(breaches, world, options.evidence))


if __name__ == "__main__":
    sys.exit(main())
