#!/usr/bin/env python3
"""Attacks a running node from other processes, while legitimate peers talk to it.

    hostile.py check PROGRAM BACKEND [SEED]              some of each kind, each once; what the node must have noticed is known
    hostile.py exhaust PROGRAM BACKEND [SEED]            more attackers than the node has descriptors
    hostile.py measure PROGRAM BACKEND SEED N SECONDS    N attackers, mixed, again and again; prints figures

PROGRAM is the moonpeer binary, BACKEND is epoll or nio (epoll+2: with two I/O loops). Ends with status 1 and says why where a promise
is broken.
"""
import json
import sys
import threading
import time

from attackers import KINDS
from node import Node, eventually
from peers import Peer, RoundTrips, address

MIB = 1 << 20


def stopped(node):
    """Its exit status; where a test has failed, what it logged is shown."""
    status = node.stop()
    if sys.exc_info()[0]:
        print(node.logged()[-4000:], file=sys.stderr)
    return status


def started(program, backend, options):
    name, _, loops = backend.partition("+")
    return Node(program, options + (["--io-loops", loops] if loops else []), name)


class Talk:
    """Legitimate peers in threads of their own, until it is left; what they found wrong is raised there."""

    def __init__(self, node, pause, newcomers=True):
        self.trips = RoundTrips(node.port, pause)
        self.is_over, self.error = False, None
        steps = [self.trips.ask] + ([self.trips.arrive] if newcomers else [])
        self.threads = [threading.Thread(target=self.repeat, args=(step,)) for step in steps]

    def repeat(self, step):
        try:
            while not self.is_over:
                step()
        except Exception as error:
            self.error = error

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self.trips

    def __exit__(self, kind, *_):
        self.is_over = True
        for thread in self.threads:
            thread.join()
        self.trips.peer.close()
        if self.error and not kind:
            raise self.error


def is_quiet(node, watcher, descriptors, connections):
    """All that the attackers held has been given back."""

    def check():
        report = watcher.report()
        return (report["connected"], report["connecting"], node.descriptors()) == (connections, 0, descriptors)

    return check


def expect(problems, what, value, low, high=None):
    if not low <= value <= (low if high is None else high):
        problems.append("%s: %s, and not %s" % (what, value, low if high is None else "%s to %s" % (low, high)))


def check(program, backend, seed="1", each=8):
    node = started(program, backend, [
        "--handshake-timeout", "1s", "--idle-timeout", "4s", "--write-timeout", "1s", "--max-connections", "1000",
        "--max-connections-per-ip", "8", "--set", "send_buffer=16KiB",
    ])
    problems = []
    try:
        watcher = Peer(node.port)
        descriptors, before = node.descriptors(), watcher.report()
        kinds = {kind: each for kind in KINDS if kind != "slow_reading"}
        kinds["crowd"] = 20
        with Talk(node, 0.01, newcomers=False) as trips:
            attackers = node.attack(seed, 0, kinds)
            while attackers.poll() is None:
                # The watcher is not to be idle either.
                watcher.report()
                time.sleep(0.05)
            lives = json.loads(attackers.stdout.read())
        eventually("the node holds nothing of its attackers", is_quiet(node, watcher, descriptors, 1))
        report = watcher.report()
        seen, ends = report["heuristics"], report["ends"]
        for kind, how in lives.items():
            for what in how:
                if what.startswith(("the node did", "answered", "failed")):
                    problems.append("%s: %s" % (kind, what))
        expect(problems, "answers", len(trips.seconds), 1, sys.maxsize)
        expect(problems, "rejected_per_ip", seen["rejected_per_ip"], 1, 12)
        expect(problems, "handshake_timeouts and rejected_per_ip", seen["handshake_timeouts"] + seen["rejected_per_ip"], each + 20)
        # One that is reset before it was accepted may or may not be seen.
        expect(problems, "handshake_failures", seen["handshake_failures"], 2 * each, 4 * each)
        expect(problems, "idle_timeouts", seen["idle_timeouts"], 2 * each)
        expect(problems, "write_timeouts", seen["write_timeouts"], each)
        expect(problems, "decode_errors", seen["decode_errors"], 2 * each)
        for name in ["rejected_max_connections", "accept_errors", "script_errors", "budget_kills", "dropped_messages", "hook_timeouts"]:
            expect(problems, name, seen[name], 0)
        expect(problems, "ended for idle", ends.get("idle"), 2 * each)
        expect(problems, "ended for write_timeout", ends.get("write_timeout"), each)
        expect(problems, "ended for decode", ends.get("decode"), 2 * each)
        # The legitimate peer has gone too.
        expect(problems, "ended for eof", ends.get("eof"), each + 1)
        expect(problems, "ended for reset", ends.get("reset"), 4 * each)
        expect(problems, "on_connect less on_disconnect", report["connects"] - sum(ends.values()), 1)
        expect(problems, "bytes of Lua", report["lua_bytes"] - before["lua_bytes"], -MIB, MIB)
        expect(problems, "lines in the log", node.logged().count("\n"), 0, 40)
        watcher.close()
    finally:
        status = stopped(node)
    expect(problems, "exit status", status, 0)
    return problems, report


def exhaust(program, backend, seed="1", more=40):
    node = started(program, backend, ["--idle-timeout", "60s", "--max-connections", "1000"])
    problems = []
    try:
        watcher = Peer(node.port)
        before = node.descriptors()
        node.allow_descriptors(more)
        with Talk(node, 0.01, newcomers=False) as trips:
            attackers = node.attack(seed, 4, {"silent": 200})
            eventually("no descriptor is left", lambda: watcher.report()["heuristics"]["accept_errors"] > 0)
            begin, used, asked = time.monotonic(), node.cpu_seconds(), len(trips.seconds)
            while attackers.poll() is None:
                time.sleep(0.1)
            wall, used = time.monotonic() - begin, node.cpu_seconds() - used
            expect(problems, "answers without descriptors", len(trips.seconds) - asked, 10, sys.maxsize)
        expect(problems, "share of a processor without descriptors", used / wall, 0, 0.5)
        eventually("the descriptors are back", is_quiet(node, watcher, before, 1))
        newcomer = Peer(node.port)
        newcomer.ask(b"let in")
        newcomer.close()
        expect(problems, "lines in the log", node.logged().count("\n"), 0, 40)
        report = {"cpu_share": used / wall, "accept_errors": watcher.report()["heuristics"]["accept_errors"]}
        watcher.close()
    finally:
        status = stopped(node)
    expect(problems, "exit status", status, 0)
    return problems, report


def measure(program, backend, seed, count, seconds):
    """The defaults, but for more connections in all."""
    node = started(program, backend, ["--max-connections", "4096"])
    problems, count, seconds = [], int(count), float(seconds)
    try:
        watcher = Peer(node.port)
        with Talk(node, 0.001) as trips:
            time.sleep(3)
        calm = trips.figures()
        eventually("the first peers are gone", lambda: watcher.report()["connected"] == 1)
        descriptors, memory, before = node.descriptors(), node.memory(), watcher.report()
        kinds = {kind: count // len(KINDS) + (index < count % len(KINDS)) for index, kind in enumerate(KINDS)}
        most, used = 0, node.cpu_seconds()
        with Talk(node, 0.001) as trips:
            attackers = node.attack(seed, seconds, kinds)
            while attackers.poll() is None:
                most = max(most, node.descriptors())
                watcher.report()
                time.sleep(0.1)
            used = node.cpu_seconds() - used
            lives = json.loads(attackers.stdout.read())
        attacked = trips.figures()
        eventually("the node holds nothing of its attackers", is_quiet(node, watcher, descriptors, 1))
        after = watcher.report()
        expect(problems, "answers", attacked["asked"], 1, sys.maxsize)
        expect(problems, "newcomers let in", attacked["arrivals"], 1, sys.maxsize)
        report = {
            "calm": calm, "attacked": attacked, "lives": {kind: sum(how.values()) for kind, how in lives.items()},
            "descriptors": {"before": descriptors, "most": most, "after": node.descriptors()},
            "memory": {"before": memory, "most": node.memory("VmHWM"), "after": node.memory()},
            "lua_bytes": {"before": before["lua_bytes"], "after": after["lua_bytes"]},
            "cpu_seconds": used, "log_lines": node.logged().count("\n"), "heuristics": after["heuristics"], "ends": after["ends"],
        }
        watcher.close()
    finally:
        status = stopped(node)
    expect(problems, "exit status", status, 0)
    return problems, report


if __name__ == "__main__":
    ways = {"check": check, "exhaust": exhaust, "measure": measure}
    if len(sys.argv) < 4 or sys.argv[1] not in ways:
        sys.exit(__doc__)
    problems, report = ways[sys.argv[1]](*sys.argv[2:])
    print(json.dumps(report, indent=2))
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)
