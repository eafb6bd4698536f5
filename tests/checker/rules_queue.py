"""Rules about messages under their leases: kept, settled, and not spent for nothing."""

from collections import Counter, defaultdict

from history import CHANGES, DELETES
from world import Finding

# An answer needs this long to be acted on.
ACT_US = 2_000_000
# A delete waits so long for the record of its mail in a table.
RECORD_US = 2_000_000
# Codes that say that a handle is of no use any more.
STALE = ("ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight")


def dead(world):
    """Each receive of a message that was dead-lettered was spent for a reason.

    Heuristic, in favour of the accused: see `unreasonable`. A receive without any reason is exact evidence that
    somebody let a message go for nothing. Of two copies under one SQS message id that a client holds at once it
    renews the one that came last, so that the other's receive can be spent.
    """
    for notice in world.notices:
        for copy in notice.copies:
            if not copy.dead:
                continue
            for receive in copy.receives:
                wrong = unreasonable(world, notice, receive)
                if wrong:
                    text = f"{notice} was dead-lettered, and receive {receive.count} by {receive.client} {wrong}"
                    yield Finding(text, receive.record, *settled(world, receive), receive.ended)


def settled(world, receive):
    return [call.record for call, _, _ in world.settling(receive.handle)][-3:]


def unreasonable(world, notice, receive):
    """Why there was no reason to lose this receive; nothing where there was one."""
    end = receive.end_seq
    client = world.history.client(receive.client)
    if receive.call is None or not receive.call.heard():
        return None
    if client.stopping_by(end) or client.paused(receive.us, receive.ended["us"] if receive.ended else None):
        return None
    sends = [call for call in notice.sends if call.client == receive.client and receive.seq < call.seq < end]
    failed = any(not call.ok or call.troubled() for call in sends)
    unsettled = world.settle_trouble(receive)
    outcome = world.outcome(receive)
    name = outcome.name if outcome else None
    good = receive.copy.good
    if name == "rejected":
        if not any(refuses(call) for call in sends) and (good or notice.mails):
            return "was rejected without a refusal, though it could be mailed"
        return None
    if name in ("deferred", "exhausted"):
        held_us = receive.ended["us"] - receive.us
        struck = any(call.struck and receive.seq < call.seq < end for call in client.calls)
        struck = struck and not good
        return None if failed or struck or held_us >= 60_000_000 else f"was {name} without a failure"
    if name == "released":
        return "was released without a stop"
    if name != "panicked" and world.twin(receive):
        return None
    if name in ("lost", "sent", "duplicate", "ignored"):
        return None if unsettled else f"ended as {name}, and nothing was wrong with its lease or its delete"
    if name == "panicked":
        return "panicked"
    if failed or unsettled:
        return None
    lease = receive.call.request.get("VisibilityTimeout")
    given_back = any(seconds not in (None, lease) for _, seconds, _ in world.settling(receive.handle))
    if given_back and not sends and not notice.mails and not good:
        return None
    return "was not stopped, refused, unanswered or disturbed"


def refuses(call):
    """Whether SES refused a mail: neither throttling nor a fault of its own."""
    return call.answer is not None and 400 <= call.answer["status"] < 500 and call.answer["status"] != 429


def unwitnessed(world):
    """A message that SES refused is rejected only beside an acceptance: refused, another accepted, refused again.

    Exact for lines `rejected` within `retry.max_elapsed`; what was held for a minute or more is not judged, nor a
    client that could not ask the account, since then fewer proofs do. The other mail must have begun after the
    first refusal was known, and been accepted before the last one.
    """
    for notice in world.notices:
        for receive in notice.receives():
            outcome = world.outcome(receive)
            if not outcome or outcome.name != "rejected" or receive.call is None:
                continue
            if outcome.ms - receive.ms >= 60_000 or blind(world, receive.client):
                continue
            # Copies under one id are one message to whoever holds them at once.
            twin = world.twin(receive)
            since = min(receive.seq, twin["seq"]) if twin else receive.seq
            mine = [c for c in notice.sends if c.client == receive.client and since < c.seq < receive.end_seq]
            refused = [c for c in mine if refuses(c)]
            if not refused:
                continue
            first, last = refused[0], refused[-1]
            others = (c for c in world.history.client(receive.client).calls if c.op == "ses:SendEmail")
            if not any(c.mail and first.answer["seq"] < c.seq and c.mail.seq < last.answer["seq"] for c in others):
                text = f"{receive.client} rejected {notice} without an acceptance between its refusals"
                yield Finding(text, first.record, first.answer, last.answer)


def blind(world, client):
    calls = [call for call in world.history.client(client).calls if call.op == "ses:GetAccount"]
    return not calls or any(not call.ok for call in calls)


def renewed(world):
    """A lease is not renewed once its message was deleted or given back.

    Exact up to `--slack`: the client had the answer to a delete, or to a visibility of 0, of the same handle, since
    its connection bore another call, so much earlier than it asked for a visibility other than 0. A process that is
    starved for longer gives up calls whose answers it has, and is blamed.
    """
    for handle in world.history.receives:
        over = None
        for call, seconds, done in sorted(world.settling(handle), key=lambda one: one[0].seq):
            known = over and over.client == call.client and over.heard()
            if seconds and known and over.read["us"] + world.slack_us < call.us:
                yield Finding(f"{call.client} renewed a lease that it had settled", over.record, call.record)
            if done and not seconds:
                over = call


def unretried(world):
    """A delete that failed is tried again while the lease lasts.

    Exact up to the two seconds that a client gets. Not judged where it was stopped or killed meanwhile, the message
    or another copy under its id was received again, or the refusal says that the handle is of no use.
    """
    for handle, receive in world.history.receives.items():
        if receive.copy.queue not in world.history.queues:
            continue
        deletes = world.deletes(handle)
        if not deletes or any(done for _, done in deletes):
            continue
        call = max((call for call, _ in deletes), key=lambda call: call.seq)
        end = call.end
        if end is None or call.refusal(handle) in STALE or receive.client != call.client or world.twin(receive):
            continue
        if lasts(world, receive, end):
            yield Finding(f"{call.client} gave up a delete that had failed", receive.record, call.record, end)


def undeleted(world):
    """Whoever mailed a message and had SES's answer asks for its deletion.

    Exact up to the two seconds that a client gets, and two more where a table records the mail first, with the
    exceptions of `unretried`.
    """
    within = ACT_US + (RECORD_US if world.table else 0)
    for notice in world.notices:
        receives = notice.receives()
        for mail in notice.mails:
            call = mail.call
            if call is None or not call.heard():
                continue
            mine = [r for r in receives if r.client == call.client]
            held = [r for r in mine if r.live(call.seq, call.ms)]
            if not held or any(world.deletes(receive.handle) for receive in mine):
                continue
            if all(lasts(world, receive, call.written, within) for receive in held):
                text = f"{call.client} mailed {notice} and never asked for its deletion"
                yield Finding(text, held[-1].record, mail.record)


def lasts(world, receive, since, within=ACT_US):
    """Whether a client had this time and more from this record to act on a lease, undisturbed."""
    until = receive.until(since["seq"])
    left_us = (until - since["ms"]) * 1000
    known_us = world.history.last["us"] - since["us"]
    if min(left_us, known_us) < within:
        return False
    client = world.history.client(receive.client)
    disturbed = client.first_mark("signal", "killed", "exited")
    if disturbed is not None and disturbed["us"] < since["us"] + within:
        return False
    if client.paused(since["us"], since["us"] + within):
        return False
    again = any(other.seq > receive.seq and other.us < since["us"] + within for other in receive.copy.receives)
    return not again


def crowded(world):
    """A client holds no more messages than its concurrency and what the design allows beside it.

    Heuristic, and judged only where the mark `started` or `--concurrency` tells N: N on their way, a fifth more
    ready, up to 40 (at most N) in their first delete, N suspects and N that wait for an event. Leases that were
    given a visibility other than that of their receive count as given back, and so does what a line says has
    ended. Copies under one SQS message id count once.
    """
    changes = defaultdict(list)
    for receive in world.history.receives.values():
        if receive.copy.queue not in world.history.queues or receive.call is None or not receive.call.heard():
            continue
        end = min(receive.until(float("inf")), receive.ended["ms"] if receive.ended else float("inf"))
        asked = receive.call.request.get("VisibilityTimeout")
        for call, seconds, done in world.settling(receive.handle):
            if done and seconds is not None and seconds != asked:
                end = min(end, call.ms)
        outcome = world.outcome(receive)
        if outcome and outcome.ms >= receive.ms:
            end = min(end, outcome.ms)
        changes[receive.client] += [(receive.ms, 1, receive), (end, -1, receive)]
    for client, list_of in changes.items():
        concurrency = world.history.client(client).told("concurrency") or world.concurrency
        if not concurrency:
            continue
        most = 3 * concurrency + concurrency // 5 + min(concurrency, 40)
        held = Counter()
        for _, change, receive in sorted(list_of, key=lambda one: (one[0], one[1])):
            held[receive.copy.message] += change
            if change < 0:
                continue
            count = sum(leases > 0 for leases in held.values())
            if count > most:
                yield Finding(f"{client} held {count} messages at once, more than {most}", receive.record)
                break


def overlapping(world):
    """There is one call at a time about one lease.

    Exact for calls that met no fault and whose answer was read: one that the caller gave up may still be here.
    """
    for handle in world.history.receives:
        clean = [c for c, _, _ in world.settling(handle) if c.written and not c.struck and c.op in DELETES + CHANGES]
        clean.sort(key=lambda call: call.seq)
        for first, second in zip(clean, clean[1:]):
            if first.client == second.client and second.seq < first.written["seq"] and second.us > first.us:
                if first.heard():
                    yield Finding(f"{first.client} had two calls about one lease", first.record, second.record)


RULES = [dead, unwitnessed, renewed, unretried, undeleted, crowded, overlapping]
