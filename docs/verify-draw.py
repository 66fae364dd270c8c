#!/usr/bin/env python3
"""Recomputes the order of a room's line from what is published. docs/draw.md says how and why.

    verify-draw.py STATUS ARRIVALS... [--serial N | --ticket TICKET | --all] [--list FILE]

STATUS is the room's `status`, ARRIVALS its `arrivals/0`, `arrivals/1` and so on: files or http(s) addresses.
--serial, --ticket  print the rank of one ticket; --all prints every rank as a JSON list, null where unknown.
--list FILE         also checks the published root against the entry list (20 bytes a ticket).

Exit status: 0 all agrees, 1 something does not, 2 it could not be read.
Nothing but Python's standard library; written apart from the server, from docs/draw.md alone.
"""

import argparse
import base64
import hashlib
import json
import sys
import urllib.request
from datetime import datetime

MASK = (1 << 64) - 1
MINUTE_S = 60


def rotate(word, bits):
    return (word << bits | word >> 64 - bits) & MASK


def siphash_2_4(key, message):
    """SipHash-2-4 of a message whose length is a multiple of eight."""
    k0, k1 = (int.from_bytes(key[at : at + 8], "little") for at in (0, 8))
    a, b = k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D
    c, d = k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573

    def turn(a, b, c, d):
        a = (a + b) & MASK
        b = rotate(b, 13) ^ a
        a = rotate(a, 32)
        c = (c + d) & MASK
        d = rotate(d, 16) ^ c
        a = (a + d) & MASK
        d = rotate(d, 21) ^ a
        c = (c + b) & MASK
        b = rotate(b, 17) ^ c
        c = rotate(c, 32)
        return a, b, c, d

    words = [int.from_bytes(message[at : at + 8], "little") for at in range(0, len(message), 8)]
    for word in words + [len(message) << 56 & MASK]:
        d ^= word
        a, b, c, d = turn(*turn(a, b, c, d))
        a ^= word
    c ^= 0xFF
    for _ in range(4):
        a, b, c, d = turn(a, b, c, d)
    return a ^ b ^ c ^ d


class Permutation:
    """A shuffle of range(size) that gives the place of one number at a time."""

    def __init__(self, seed, label, size):
        self.key = hashlib.sha256(seed + label).digest()[:16]
        self.size = size
        self.width = 1
        while 1 << 2 * self.width < size:
            self.width += 1

    def place(self, number):
        while True:
            number = self.shuffle(number)
            if number < self.size:
                return number

    def shuffle(self, block):
        mask = (1 << self.width) - 1
        left, right = block >> self.width, block & mask
        for turn in range(8):
            message = turn.to_bytes(8, "little") + right.to_bytes(8, "little")
            left, right = right, left ^ siphash_2_4(self.key, message) & mask
        return left << self.width | right


class Line:
    """The line as it is published."""

    def __init__(self, status, minutes):
        self.draw = status["draw"]
        self.minutes = sorted(minutes, key=lambda minute: minute["minute"])
        self.firsts = {}
        self.counts = {}
        self.over = 0
        for minute in self.minutes:
            first = minute["first"]
            for place, count in enumerate(minute["counts"]):
                second = minute["minute"] * MINUTE_S + place
                self.firsts[second], self.counts[second] = first, count
                first += count
            if minute["complete"]:
                self.over = (minute["minute"] + 1) * MINUTE_S
        self.seconds = [s for s in sorted(self.counts) for _ in range(self.counts[s])]
        self.seed = unbase64(self.draw["seed"])
        self.count = self.draw["count"]
        self.drawn = Permutation(self.seed, b"draw", self.count)
        self.within = {}

    def wrong(self):
        """What does not agree, a sentence each."""
        draw, found = self.draw, []
        first = self.minutes[0]["first"] if self.minutes else 0
        for number, minute in enumerate(self.minutes):
            if minute["minute"] != number or minute["first"] != first:
                found.append(f"arrivals/{minute['minute']} does not follow the one before it.")
            first = minute["first"] + sum(minute["counts"])
        if first < self.count:
            found.append(f"{self.count} were drawn, and only {first} had come.")
        if self.minutes and self.came_before_draw() != self.count:
            found.append(f"{self.count} were drawn, and {self.came_before_draw()} had come before the draw.")
        root = unbase64(draw["root"])
        if self.count == 0 and root != hashlib.sha256(b"").digest():
            found.append("Nobody was drawn, and the root is not that of an empty list.")
        lot = unbase64(draw["reveal"] if draw["source"] == "operator" else draw["randomness"])
        if draw["source"] == "operator" and hashlib.sha256(lot).digest() != unbase64(draw["commitment"]):
            found.append("The operator revealed another number than the one they were committed to.")
        if hashlib.sha256(root + lot).digest() != self.seed:
            found.append("The seed is not made of the root and the lot.")
        return found

    def came_before_draw(self):
        opened = datetime.fromisoformat(self.minutes[0]["from"].replace("Z", "+00:00"))
        drawn_at = datetime.fromisoformat(self.draw["at"].replace("Z", "+00:00"))
        before = max(0, int((drawn_at - opened).total_seconds()))
        return sum(count for second, count in self.counts.items() if second < before)

    def rank(self, serial):
        """A ticket's rank; None while its second may not be over."""
        if serial < self.count:
            return self.drawn.place(serial)
        second = self.seconds[serial] if serial < len(self.seconds) else None
        if second is None or second >= self.over:
            return None
        if second not in self.within:
            label = b"second" + second.to_bytes(4, "big")
            self.within[second] = Permutation(self.seed, label, self.counts[second])
        return self.firsts[second] + self.within[second].place(serial - self.firsts[second])


def root_of(leaves):
    """The Merkle tree hash of RFC 6962, section 2.1."""
    level = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves]
    if not level:
        return hashlib.sha256(b"").digest()
    while len(level) > 1:
        pairs = [level[at : at + 2] for at in range(0, len(level), 2)]
        level = [hashlib.sha256(b"\1" + b"".join(pair)).digest() if len(pair) == 2 else pair[0] for pair in pairs]
    return level[0]


def unbase64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def read(place):
    if place.startswith(("http://", "https://")):
        with urllib.request.urlopen(place) as answer:
            return answer.read()
    with open(place, "rb") as file:
        return file.read()


def main():
    asked = argparse.ArgumentParser(description="Recomputes the order of a room's line from what is published.")
    asked.add_argument("status")
    asked.add_argument("arrivals", nargs="+")
    asked.add_argument("--serial", type=int)
    asked.add_argument("--ticket")
    asked.add_argument("--all", action="store_true")
    asked.add_argument("--list")
    asked = asked.parse_args()
    try:
        status = json.loads(read(asked.status))
        if not status["draw"] or status["draw"]["seed"] is None:
            print("The draw has not been held.", file=sys.stderr)
            return 2
        line = Line(status, [json.loads(read(place)) for place in asked.arrivals])
        listed = read(asked.list) if asked.list else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"This could not be read: {error!r}", file=sys.stderr)
        return 2
    wrong = line.wrong()
    if listed is not None:
        leaves = [listed[at : at + 20] for at in range(0, 20 * line.count, 20)]
        if root_of(leaves) != unbase64(line.draw["root"]):
            wrong.append("The root is not that of the entry list.")
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    serial = asked.serial
    if asked.ticket:
        serial = int.from_bytes(unbase64(asked.ticket)[11:15], "big")
    if asked.all:
        print(json.dumps([line.rank(serial) for serial in range(len(line.seconds))]))
    elif serial is not None:
        print(line.rank(serial))
    elif not wrong:
        print(f"{line.count} were drawn as published; {len(line.seconds)} tickets in all.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
