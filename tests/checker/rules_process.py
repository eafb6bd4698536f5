"""Rules about a process: how it ends, how fast it sends, and whether its log agrees with the history."""

from collections import Counter, defaultdict

from history import SEND
from world import Finding


def late(world):
    """A process that was asked to stop has ended within its grace.

    Exact with the marks `signal` (with `grace_ms`) and `exited` or `killed`; `--slack` is added. Without an end the
    history's last record counts. A second signal shortens nothing here.
    """
    for client in world.history.clients.values():
        asked = client.signal
        if not asked or "grace_ms" not in asked:
            continue
        ended = client.gone or world.history.last
        took = ended["us"] - asked["us"]
        if took > asked["grace_ms"] * 1000 + world.slack_us:
            text = f"{client.name} took {took / 1e6:.1f} s of its {asked['grace_ms'] / 1000:g} s to stop"
            yield Finding(text, asked, ended)


def after(world):
    """A process that has ended calls nobody.

    Exact with the marks `exited` and `killed` up to `--slack`, for what it wrote before may be read a moment later.
    Two processes with one access key cannot be told apart.
    """
    for client in world.history.clients.values():
        if client.gone:
            for call in client.calls:
                if call.us > client.gone["us"] + world.slack_us:
                    yield Finding(f"{client.name} called {call.op} after its end", client.gone, call.record)
                    break


def fast(world):
    """No client asks SES for more than its rate: that of its mark, `--rate`, or the account's as it was told.

    Heuristic: a bucket of one second's recipients and a tenth more, a quarter of a second of jitter, at least two
    recipients, and whatever the size of the mail that goes while the bucket is not in debt. Not judged for a client
    that was not told a rate, nor over 1,000 a second. Witnesses count.
    """
    for client in world.history.clients.values():
        told = [(c.answer["body"] or {}).get("SendQuota", {}).get("MaxSendRate") for c in client.calls
                if c.op == "ses:GetAccount" and c.ok and c.answer.get("body")]
        rate = client.told("rate") or world.rate or max((one for one in told if one), default=None)
        if not rate or not 0 < rate <= 1000:
            continue
        most = max(rate, 1.0) * 1.1 + max(rate * 0.25, 2.0)
        level, since = most, None
        for call in client.calls:
            if call.op != SEND:
                continue
            if since is not None:
                level = min(most, level + (call.us - since) / 1e6 * rate)
            since = call.us
            if level < 0:
                yield Finding(f"{client.name} sent faster than {rate:g} recipients a second", call.record)
                break
            given = call.request.get("Destination") or {}
            level -= sum(len(given.get(field) or []) for field in ("ToAddresses", "CcAddresses", "BccAddresses"))


def sums(world):
    """The tally of a process agrees with itself, with its own lines and with the history.

    Exact: `received N = …` has an equals sign and adds up; each outcome is told in as many lines as it counts (where
    the log has lines at INFO and does not say that some were dropped). N lies between the receives whose answer was surely read, without those of a
    message that the client had received before, and all of its receives. After a signal no receive is sure to be heard.
    """
    for log in world.logs.values():
        if log.tally is None:
            continue
        received, relation, counts = log.tally
        if relation != "=" or received != sum(counts.values()):
            yield Finding(f"the sums of {log.client} differ", {"log": log.tally_text})
        told = Counter(outcome.name for outcome in log.outcomes)
        if "INFO" in log.levels and not log.dropped and told != Counter(counts):
            yield Finding(f"{log.client} counts {dict(counts)} and tells {dict(told)}", {"log": log.tally_text})
        seen, sure, every = set(), 0, 0
        client = world.history.client(log.client)
        for receive in sorted(world.history.receives.values(), key=lambda one: one.seq):
            if receive.client != log.client or receive.copy.queue not in world.history.queues:
                continue
            every += 1
            call = receive.call
            if call.written and not client.stopping_by(call.written["seq"]) and receive.copy.message not in seen:
                sure += call.heard()
            seen.add(receive.copy.message)
        if not sure <= received <= every:
            text = f"{log.client} counts {received} received, and the history {sure} to {every}"
            yield Finding(text, {"log": log.tally_text})


def contradicted(world):
    """What a process says of a message agrees with what happened to it.

    Exact: the message was received by it, as often as it says; `sent` names a mail of this message that was accepted
    before; `duplicate` has a mail before it; `ignored` is a control message; and any other end of a receive in
    which this process sent the mail and had the answer is wrong, as is one whose mail was accepted without an
    answer if the line does not say that it may have been sent.
    """
    received = defaultdict(list)
    for receive in world.history.receives.values():
        received[receive.client, receive.copy.message].append(receive)
    notices = {id(copy): notice for notice in world.notices for copy in notice.copies}
    for log in world.logs.values():
        for outcome in log.outcomes:
            mine = [r for r in received[log.client, outcome.message] if r.count == outcome.count]
            shown = {"log": outcome.text}
            if not mine:
                yield Finding(f"{log.client} tells of a message that it did not receive so often", shown)
                continue
            wrong = contradiction(world, outcome, mine, notices.get(id(mine[-1].copy)))
            if wrong:
                yield Finding(f"{log.client} says {outcome.name}, and {wrong}", shown, mine[-1].record)


def contradiction(world, outcome, receives, notice):
    """How a line and the history differ, in words."""
    receive = receives[-1]
    most = world.history.redrive.get(receive.copy.queue)
    if outcome.most is not None and most is not None and outcome.most != most:
        return f"the queue allows {most} receives"
    if outcome.name == "ignored" or notice is None:
        control = receive.copy.kind == "control"
        return None if control == (outcome.name == "ignored") else "it is " + ("" if control else "no ") + "control message"
    # Log and history are of two clocks of one machine, each in milliseconds.
    before = [mail for mail in notice.mails if mail.ms <= outcome.ms + 5]
    if outcome.name == "sent":
        if not before:
            return "no mail of it was accepted by then"
        known = {mail.id for mail in before}
        return None if outcome.mail in known or outcome.mail is None else "that mail is not of this message"
    if outcome.name == "duplicate":
        return None if before else "no mail of it was accepted by then"
    first = min(one.seq for one in receives)
    # Another copy has its turn within a millisecond of the line: what it began then is not this one's.
    begun = [mail for mail in before if mail.call and mail.call.ms + 5 < outcome.ms]
    own = [mail for mail in begun if mail.client == outcome.client and mail.seq > first]
    if any(mail.call.heard() and mail.call.written["ms"] < outcome.ms - 100 for mail in own):
        return "its mail had been accepted and answered"
    if own and not outcome.may_have_gone:
        return "a mail of it was accepted, of which the line does not say that it may have gone"
    return None


RULES = [late, after, fast, sums, contradicted]
