"""Rules about mails: each is sent, once, by who holds its message."""

from world import Finding

# What is learnt from an event or from another task needs this long to be known everywhere.
LEARNING_US = 2_000_000
# A table that failed is put aside and tried again within this time.
TABLE_ASIDE_US = 20_000_000
# A mail that was answered is recorded within this time.
RECORDING_US = 5_000_000
# A claim lasts so much longer than it must, for what two tasks' notions of the table's time may differ by.
CLOCKS_MS = 5_000


def lost(world):
    """A message that was deleted has a mail that SES accepted.

    Exact. A copy of a notification is deleted by a call, and no mail with its tags was accepted by the end of the
    history. Control messages of SNS are no notifications. A history that begins after the mail is no evidence.
    """
    for notice in world.notices:
        if notice.mails:
            continue
        for copy in notice.copies:
            if copy.deleted and copy.deleted.get("call") is not None:
                yield Finding(f"{notice} was deleted, and no mail of it was ever accepted", copy.record, copy.deleted)


def early(world):
    """A message is deleted only after its mail was accepted.

    Exact. The delete took effect before the first mail with its tags was accepted.
    """
    for notice in world.notices:
        first = min((mail.seq for mail in notice.mails), default=None)
        for copy in notice.copies:
            if copy.deleted and first is not None and copy.deleted["seq"] < first:
                mail = min(notice.mails, key=lambda mail: mail.seq)
                yield Finding(f"{notice} was deleted before its mail was accepted", copy.deleted, mail.record)


def doubled(world):
    """A second mail of one notification has an excuse that the mode allows.

    The second sender must not have known of any mail before: see `excuse`. Exact where it was the same client; the
    excuse of a lease that lapsed is heuristic: any trouble with a settle call of it counts.
    """
    for notice in world.notices:
        mails = sorted(notice.mails, key=lambda mail: mail.seq)
        for at, second in enumerate(mails):
            for first in mails[:at]:
                reproach = excuse(world, notice, first, second)
                if reproach:
                    yield Finding(f"{notice} was mailed again: {reproach}", first.record, second.record)
                    break


def excuse(world, notice, first, second):
    """What the sender of the second mail should have known; nothing where it is excused.

    - The first mail's answer may not have been read: the same client may try again. With events not if it has read
      one of the first mail two seconds before.
    - Another client may send where a lease ended, a process ended, or there were several copies. With events not
      if it has read one itself; with a table not while the first one's claim lasts, but for what clocks may differ
      by, or its mail is recorded, unless a call on the table failed.
    """
    if first.call is None or second.call is None:
        return None
    one, other, begun = first.client, second.client, second.call
    heard = first.call.heard() and first.call.written["seq"] < begun.seq
    before = begun.us - LEARNING_US
    if one == other:
        if heard:
            return f"{other} had its first answer"
        if world.events and world.event_heard(first, before, other):
            return f"{other} had read an event of the first one"
        return recorded(world, notice, first, second) if world.table else None
    if world.events and world.event_heard(first, before, other):
        return f"{other} had read an event of the first one"
    if world.table:
        return recorded(world, notice, first, second)
    if len(notice.copies) > 1 or world.history.client(one).gone_by(begun.seq) or not heard:
        return None
    mine = [receive for receive in notice.receives() if receive.client == one and receive.seq < begun.seq]
    if any(world.settle_trouble(receive) for receive in mine):
        return None
    return f"{one} had its answer, lived on, and neither deleted the message nor kept its lease"


def recorded(world, notice, first, second):
    """What the table said when the second mail was begun."""
    since = first.call.us - TABLE_ASIDE_US
    for client in {first.client, second.client}:
        if world.trouble(client, "dynamodb:", since, second.call.us):
            return None
    before = [item for item in items_of(world, notice) if item[0]["seq"] < second.call.seq]
    if any(state(record) == "sent" and record["us"] <= second.call.us for record, _ in before):
        # The sender's own claim comes after the record only where the record's time was over.
        return "the table had it as sent"
    held = [record for record, call in before if call and call.client == first.client and state(record) == "sending"]
    if first.client != second.client and held and until(held[-1]) - CLOCKS_MS > second.call.ms:
        return "the claim of the first sender had not ended"
    if world.mode == "both" and world.event_heard(first, second.call.us - 2 * LEARNING_US):
        return "an event of the first one had been read"
    return None


def items_of(world, notice):
    """What was written into tables under this notification's key, in order."""
    for record, call in world.history.items:
        key = record["key"]
        if key.startswith(f"{notice.queue}#") and notice.notification in key and notice.event in key:
            yield record, call


def state(record):
    return ((record["item"] or {}).get("state") or {}).get("S")


def until(record):
    return int(float(((record["item"] or {}).get("until") or {}).get("N", 0)))


def often(world):
    """One notification is mailed at most twice for each receive of its message.

    Exact.
    """
    for notice in world.notices:
        receives = notice.receives()
        if len(notice.mails) > 2 * len(receives):
            mails = [mail.record for mail in notice.mails]
            yield Finding(f"{notice} was mailed {len(mails)} times in {len(receives)} receives", *mails)


def unheld(world):
    """A mail is sent only by who holds a lease of its message at that time.

    Exact but for a sender that stood still by a signal up to a second before: it may have looked before that. When
    the request was read the sender had a receive of a copy of it that was neither superseded, deleted nor past its
    deadline. Mails without a `notification-id`, witnesses and checks are not judged.
    """
    for notice in world.notices:
        receives = notice.receives()
        for call in notice.sends:
            mine = [receive for receive in receives if receive.client == call.client and receive.seq < call.seq]
            if any(receive.live(call.seq, call.ms) for receive in mine):
                continue
            if mine and world.history.client(call.client).paused(call.us, call.us):
                continue
            if not mine:
                yield Finding(f"{call.client} sent {notice}, which it never received", call.record)
                continue
            last = mine[-1]
            why = "was over" if last.end_seq > call.seq else "had ended by its next receive or its deletion"
            yield Finding(f"{call.client} sent {notice} when its lease {why}", last.record, last.ended, call.record)


def stray(world):
    """A mail that names a notification is of a message that was there.

    Exact for mails with a `notification-id`; others are only counted.
    """
    for call in world.history.unjoined:
        if call.mail and "notification-id" in call.mail.tags:
            yield Finding("a mail was accepted of which there never was a message", call.mail.record)


def unclaimed(world):
    """With a table a mail is begun only under a claim of its own that has not ended.

    Exact where no call of the sender on a table was troubled in the twenty seconds before; else not judged.
    """
    if not world.table or not world.history.items:
        return
    for notice in world.notices:
        items = list(items_of(world, notice))
        for call in notice.sends:
            mine = [r for r, by in items if by and by.client == call.client and r["seq"] < call.seq]
            if mine and state(mine[-1]) == "sending" and until(mine[-1]) > call.ms:
                continue
            if not world.trouble(call.client, "dynamodb:", call.us - TABLE_ASIDE_US, call.us):
                shown = mine[-1] if mine else None
                yield Finding(f"{call.client} sent {notice} without a claim in the table", shown, call.record)


def unrecorded(world):
    """With a table a mail whose answer was read stands in it as sent.

    Exact up to five seconds, where the sender was not stopped, killed or still meanwhile, and no call of it on a
    table was troubled from twenty seconds before to the end of that time; else not judged.
    """
    if not world.table or not world.history.items:
        return
    for notice in world.notices:
        for mail in notice.mails:
            call = mail.call
            if call is None or not call.heard():
                continue
            since, until_us = call.us - TABLE_ASIDE_US, call.read["us"] + RECORDING_US
            client = world.history.client(call.client)
            disturbed = client.first_mark("signal", "killed", "exited")
            if world.history.last["us"] < until_us or (disturbed and disturbed["us"] < until_us):
                continue
            if client.paused(call.us, until_us) or world.trouble(client.name, "dynamodb:", since, until_us):
                continue
            if not any(state(r) == "sent" and r["us"] <= until_us for r, _ in items_of(world, notice)):
                yield Finding(f"{call.client} mailed {notice}, and it is not recorded", mail.record, call.read)


RULES = [unrecorded, lost, early, doubled, often, unheld, stray, unclaimed]
