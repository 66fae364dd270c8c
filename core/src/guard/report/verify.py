#!/usr/bin/env python3
"""Computes the report of an evening again from its ledger, and says what differs.

    verify.py [FOLDER] [--head HASH] [--address ADDRESS]

FOLDER has ledger.jsonl, report.json and report.html [default: where this program lies].
--head HASH        also says whether the ledger has the line that a status named (guard.ledger.head).
--address ADDRESS  also says when an address was one of the few who are always answered; the guard draws them by
                   a key that it tells afterwards.

Exit status: 0 all agrees, 1 something does not, 2 it could not be read.
Nothing but Python's standard library.
"""

import argparse
import base64
import hashlib
import ipaddress
import itertools
import json
import math
import os
import sys
from datetime import datetime, timezone

UNITS = ["connections", "handshakes", "requests", "connection_seconds"]
ACCOUNTS = ["listener", "newcomer", "our_doing", "unexplained", "violation", "shed", "unseen"]
KINDS = ["calm", "crowd", "attack", "both", "unknown"]
FEW = 10
FEWER = "fewer than 10"
NEWCOMERS_EVERY_MS = 9_500
TOLD_MAX = 5_000
# Of 65,536 sources so many are always answered, drawn anew every ten minutes.
SAMPLED = 1_311
EPOCH_MS = 600_000
SAMPLE_DOMAIN = b"tribune audit 1"
HOW = (
    "Each second's range, weighted by its requests; low and high ends apart, so the range is no "
    "narrower than 95 %."
)
UNKNOWN = [
    "A machine that listens in real time is counted as a listener.",
    "Who attacks from behind one address with many honest people is not told from them.",
    "What never reached the node is in no account: packets that a network before it dropped.",
    "The ledger says what the node counted. Whoever runs the node could have made it count wrongly while it "
    "happened; what it counted cannot be changed afterwards without changing the hash that every kept status "
    "names.",
    "A verdict is over the ten seconds before it, and what becomes of who came is known twelve seconds later.",
]
ATTACKED = (
    "If most of those whom nothing explains had begun to hear within twelve seconds, what they asked for "
    "would be a crowd's."
)
NOT_ATTACKED = (
    "If for two seconds in a row at least 15 % of the requests, of the newcomers or of the open "
    "connections had been explained by nothing, it would be called an attack."
)
CROWDED = (
    "If no more people than usual had come, or if few of them had begun to hear, it would not be called a "
    "crowd."
)
NOT_CROWDED = "If clearly more people than usual had come and had begun to hear, it would be called a crowd."
OURS = (
    "If fewer than a tenth of the answers to people had been errors of ours, and few had asked again "
    "because of them, none of it would be our own fault."
)
NOT_OURS = (
    "If a tenth of the answers to people had been errors of ours, or three in ten requests had come from "
    "who got them, it would be partly our own fault."
)


# What bytes that are no ledger can bring about.
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)


class Wrong(Exception):
    """Something does not agree; says what."""


class Second:
    """One line of the ledger."""

    def __init__(self, line):
        verdict = line["verdict"]
        self.seq = line["seq"]
        self.at = line["at"]
        self.at_ms = milliseconds(line["at"])
        self.prev = line["prev"]
        self.sums = line["sums"]
        self.people = line["people"]
        self.became, self.came = line["newcomers"]
        self.kind = verdict["kind"]
        self.is_own_fault = verdict["self_inflicted"]
        self.low, self.high = (
            math.floor(share * 10_000.0 + 0.5) for share in verdict["attack_share"]["requests"]
        )
        self.is_surge = line["onset_ms"]["surge_ms"] is not None
        self.is_error = line["onset_ms"]["error_ms"] is not None
        self.acts = len(line["acts"])
        self.rooms = line["rooms"]
        self.audit, self.revealed = line.get("audit"), line.get("revealed")
        if self.revealed is not None and hash_of(bytes_of(self.revealed)) != self.audit:
            raise ValueError("it tells a key of the audit that is not the one whose hash was told")

    def has(self, account):
        return any(self.sums.get(unit, {}).get(account, 0) > 0 for unit in UNITS)

    def requests(self):
        return sum(self.sums.get("requests", {}).get(account, 0) for account in ACCOUNTS)


def milliseconds(text):
    at = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    since = at - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86_400 + since.seconds) * 1_000 + since.microseconds // 1_000


def hash_of(line):
    return base64.urlsafe_b64encode(hashlib.sha256(line).digest()).rstrip(b"=").decode()


def bytes_of(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def grouped(number):
    return f"{number:,}"


def few(number):
    return FEWER if 0 < number < FEW else number


def read_ledger(ledger):
    """The seconds and the hashes of their lines; each must follow the one before it."""
    if not ledger.endswith(b"\n"):
        raise Wrong("ledger.jsonl: the last line is cut off")
    lines = ledger[:-1].split(b"\n")
    seconds, hashes = [], []
    for number, line in enumerate(lines, 1):
        try:
            second = Second(json.loads(line))
        except UNREADABLE as error:
            raise Wrong(f"ledger.jsonl: line {number} is no line of a ledger ({error!r})") from error
        if seconds and (second.seq != seconds[-1].seq + 1 or second.prev != hashes[-1]):
            raise Wrong(f"ledger.jsonl: line {number} does not follow line {number - 1}: one of them was changed")
        seconds.append(second)
        hashes.append(hash_of(line))
    return seconds, hashes


def room_of(second, room):
    return second.rooms.get(room)


def peak(seconds, of):
    value, at = 0, None
    for second in seconds:
        if of(second) > value:
            value, at = of(second), second.at
    return {"value": few(value), "at": at}, value, at


def share(seconds):
    low = sum(second.low * second.requests() for second in seconds)
    high = sum(second.high * second.requests() for second in seconds)
    every = sum(second.requests() for second in seconds)
    return [low // every, -(-high // every)] if every else [0, 10_000]


def newcomers(seconds):
    became = came = steps = 0
    following = seconds[0].at_ms + NEWCOMERS_EVERY_MS
    for second in seconds:
        if second.at_ms >= following:
            became, came, steps = became + second.became, came + second.came, steps + 1
            following = second.at_ms + NEWCOMERS_EVERY_MS
    return {"became_listeners": few(became), "known": few(came), "steps": steps}


def events(seconds, room):
    def is_full(second):
        seats = room_of(second, room)
        return seats is not None and seats["cap"] > 0 and seats["taken"] >= seats["cap"]

    firsts = [
        ("surge", lambda second: second.is_surge),
        ("our_error", lambda second: second.is_error),
        ("own_fault", lambda second: second.is_own_fault),
        ("violation", lambda second: second.has("violation")),
        ("unexplained", lambda second: second.has("unexplained")),
        ("cap_full", is_full),
        ("crowd", lambda second: second.kind in ("crowd", "both")),
        ("attack", lambda second: second.kind in ("attack", "both")),
    ]
    found = []
    for what, has in firsts:
        first = next((second for second in seconds if has(second)), None)
        if first is not None:
            found.append((first.at_ms, {"at": first.at, "what": what}))
    return [event for _, event in sorted(found, key=lambda pair: pair[0])]


def headline(verdicts, ours, every, people, attack_share):
    attacked, crowded = verdicts["attack"] + verdicts["both"], verdicts["crowd"] + verdicts["both"]
    low, high = attack_share
    at_least, at_most = low // 100, -(-high // 100)
    if attacked and crowded:
        says = "A crowd came, and there was an attack"
    elif attacked:
        says = "There was an attack"
    elif crowded:
        says = "A crowd came"
    elif verdicts["unknown"] * 2 > every:
        says = "It cannot be told what came"
    else:
        says = "It was calm"
    if ours:
        says += ", and partly it was our own fault"
    if attacked:
        total = f"{grouped(every)} second{'' if every == 1 else 's'}"
        whose = (
            f"the attack lasted {grouped(attacked)} of {total}, and of the evening's requests at least {at_least} % "
            f"and at most {at_most} % were nobody's who listens"
        )
    elif low == 0 and high <= TOLD_MAX:
        whose = f"no sign of an attack larger than {at_most} % of the requests"
    elif high > TOLD_MAX:
        whose = f"of up to {at_most} % of the requests it cannot be told whose they are"
    else:
        whose = (
            f"{at_least} to {at_most} % of the requests were nobody's who listens, too few to be called an attack"
        )
    if people == 0:
        seen = "no people were seen"
    elif people < FEW:
        seen = f"{FEWER} people at once"
    else:
        seen = f"up to {grouped(people)} people at once"
    return f"{says}: {seen}; {whose}."


def before_peak(seconds, room, at):
    """What was said of the seats in the last second before most listened, or in the first."""
    until = None if at is None else milliseconds(at)
    with_room = [second for second in seconds if room_of(second, room) is not None]
    earlier = list(itertools.takewhile(lambda second: until is not None and second.at_ms < until, with_room))
    second = earlier[-1] if earlier else with_room[0]
    seats = room_of(second, room)
    return {"at": second.at, "cap": seats["cap"], "measured": seats["measured"]}


def evening_of(room, seconds):
    """The seconds of an evening: what comes after the last with the room is there for the audit's key."""
    last = max((at for at, second in enumerate(seconds) if room_of(second, room) is not None), default=-1)
    return seconds[: last + 1]


def keys(seconds, evening):
    """The audit's keys, in the order in which they were in force."""
    found = {}
    for at, second in enumerate(seconds):
        if second.audit is not None:
            said = found.setdefault(second.audit, {"sha256": second.audit, "key": None, "seconds": 0})
            said["seconds"] += at < len(evening)
            said["key"] = said["key"] or second.revealed
    return list(found.values())


def report(room, every_second, hashes, ledger, page):
    """The whole document."""
    seconds = evening_of(room, every_second)
    verdicts = {kind: sum(second.kind == kind for second in seconds) for kind in KINDS}
    ours = sum(second.is_own_fault for second in seconds)
    totals = {
        unit: {account: sum(second.sums.get(unit, {}).get(account, 0) for second in seconds) for account in ACCOUNTS}
        for unit in UNITS
    }
    of_room = [room_of(second, room) for second in seconds]
    of_room = [seats for seats in of_room if seats is not None]
    if not of_room:
        raise Wrong(f"ledger.jsonl: the room {room!r}, which report.json names, is not in it")

    def in_room(word):
        return lambda second: (room_of(second, room) or {}).get(word, 0)

    people, most_people, _ = peak(seconds, lambda second: second.people)
    listening, _, most_at = peak(seconds, in_room("listening"))
    waiting, _, _ = peak(seconds, in_room("waiting"))
    attack_share = share(seconds)
    attacked, crowded = verdicts["attack"] + verdicts["both"], verdicts["crowd"] + verdicts["both"]
    return {
        "room": room,
        "headline": headline(verdicts, ours, len(seconds), most_people, attack_share),
        "from": seconds[0].at,
        "to": seconds[-1].at,
        "seconds": len(seconds),
        "verdicts": verdicts,
        "own_fault_seconds": ours,
        "totals": totals,
        "attack_share": {"requests_per_10000": attack_share, "how": HOW},
        "peaks": {"people": people, "listening": listening, "waiting": waiting},
        "before_peak": before_peak(seconds, room, most_at),
        "turned_away": max(0, of_room[-1]["turned_away"] - of_room[0]["turned_away"]),
        "tickets": few(of_room[-1]["tickets"]),
        "newcomers": newcomers(seconds),
        "events": events(seconds, room),
        "acts": sum(second.acts for second in seconds),
        "audit": keys(every_second, seconds),
        "would_change": [
            ATTACKED if attacked else NOT_ATTACKED,
            CROWDED if crowded else NOT_CROWDED,
            OURS if ours else NOT_OURS,
        ],
        "unknown": UNKNOWN,
        "ledger": {
            "first_seq": seconds[0].seq,
            "last_seq": every_second[-1].seq,
            "prev": seconds[0].prev,
            "head": hashes[-1],
            "bytes": len(ledger),
            "sha256": hashlib.sha256(ledger).hexdigest(),
        },
        "page_sha256": hashlib.sha256(page).hexdigest(),
    }


def canonical(document):
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def differences(said, computed, path=""):
    """Where two documents differ, as sentences."""
    if isinstance(said, dict) and isinstance(computed, dict):
        for key in sorted(said.keys() | computed.keys()):
            yield from differences(said.get(key), computed.get(key), f"{path}.{key}" if path else key)
    elif isinstance(said, list) and isinstance(computed, list) and len(said) == len(computed):
        for at, (one, other) in enumerate(zip(said, computed)):
            yield from differences(one, other, f"{path}[{at}]")
    elif said != computed or type(said) is not type(computed):
        yield f"report.json: {path} says {said!r}, and from the ledger follows {computed!r}"


def check(ledger, stated, page):
    """Everything that does not agree, and the hashes of the lines."""
    try:
        seconds, hashes = read_ledger(ledger)
    except UNREADABLE as error:
        raise Wrong(f"ledger.jsonl is no ledger ({error!r})") from error
    try:
        said = json.loads(stated)
        room = said["room"]
    except UNREADABLE as error:
        raise Wrong(f"report.json is no report ({error!r})") from error
    try:
        computed = report(room, seconds, hashes, ledger, page)
    except UNREADABLE as error:
        raise Wrong(f"ledger.jsonl is no ledger ({error!r})") from error
    wrong = list(differences(said, computed))
    if not wrong and canonical(computed) != stated:
        wrong.append("report.json: the same numbers, but not the bytes that the node writes")
    return wrong, seconds, hashes


def of_head(head, seconds, hashes):
    """Whether a status' head is in the ledger; a sentence, and whether it is."""
    if head in hashes:
        second = seconds[hashes.index(head)]
        return f"The head is line {second.seq} of the ledger, of {second.at}: every line up to it is as it was then.", True
    if head == seconds[0].prev:
        return "The head is of the line right before the ledger's first: of what follows it proves nothing.", False
    return "The head is not in this ledger: it is of another time, or the ledger was changed.", False


def home(address):
    """An IPv4 address, or an IPv6 network of 64 bits."""
    address = ipaddress.ip_address(address)
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(address) >> 64 << 64))


def is_sampled(key, address, at_ms):
    epoch = (at_ms // EPOCH_MS).to_bytes(8, "big", signed=True)
    drawn = hashlib.sha256(SAMPLE_DOMAIN + key + home(address).encode() + epoch).digest()
    return int.from_bytes(drawn[:2], "big") < SAMPLED


def of_address(address, seconds):
    """When an address was always answered; a sentence."""
    told = {second.audit: bytes_of(second.revealed) for second in seconds if second.revealed is not None}
    known = [second for second in seconds if second.audit in told]
    if not known:
        return "No key of the audit has been told, so nobody can say who was always answered."
    at = [second.at for second in known if is_sampled(told[second.audit], address, second.at_ms)]
    of = f"of {len(known)} seconds of which the key was told"
    if not at:
        return f"{address} was not one of the few who are always answered, in none {of}."
    return f"{address} was always answered in {len(at)} {of}: the first is {at[0]}, the last {at[-1]}."


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("folder", nargs="?", default=os.path.dirname(os.path.abspath(__file__)))
    words.add_argument("--head")
    words.add_argument("--address", type=home)
    asked = words.parse_args()
    try:
        ledger, stated, page = (
            open(os.path.join(asked.folder, name), "rb").read()
            for name in ("ledger.jsonl", "report.json", "report.html")
        )
    except OSError as error:
        print(f"It cannot be read: {error}.", file=sys.stderr)
        return 2
    try:
        wrong, seconds, hashes = check(ledger, stated, page)
    except Wrong as error:
        print(f"No: {error}.")
        return 1
    if wrong:
        print("No: the report does not follow from the ledger.")
        for says in wrong:
            print(f"  {says}.")
        return 1
    print(f"Yes: {len(seconds)} lines follow each other, and every number of the report follows from them.")
    if seconds[0].seq > 0:
        print(f"What came before line {seconds[0].seq} is not in it, and was not looked at.")
    print("The page is the one that report.json names. Its words were not computed again: the numbers count.")
    print(f"The ledger ends in {hashes[-1]}.")
    if asked.address is not None:
        print(of_address(asked.address, seconds))
    if asked.head is None:
        print("With --head, a status that somebody kept shows that the ledger was not written afterwards.")
        return 0
    says, is_there = of_head(asked.head, seconds, hashes)
    print(says)
    return 0 if is_there else 1


if __name__ == "__main__":
    sys.exit(main())
