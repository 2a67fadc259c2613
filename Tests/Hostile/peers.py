"""What a peer of target.lua needs: its handshake and its frames, over blocking sockets; and the loopback addresses it comes from."""
import json
import socket
import struct
import time

HELLO, WELCOME = b"moonpeer", b"welcome!"
LOCALHOST = "127.0.0.1"


def frame(message):
    return struct.pack(">I", len(message)) + message


def address(number):
    """The loopback address of that number, from 0: 127.1.0.1 and on. All of 127.0.0.0/8 is this machine."""
    return "127.%d.%d.%d" % (1 + number // 62500, number // 250 % 250, 1 + number % 250)


class Peer:
    """A legitimate peer."""

    def __init__(self, port, source=LOCALHOST, timeout=60):
        self.socket = socket.create_connection((LOCALHOST, port), timeout, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(HELLO)
        if self.take(len(WELCOME)) != WELCOME:
            raise ConnectionError("no welcome")

    def take(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise ConnectionError("the node closed the connection")
            data += more
        return data

    def ask(self, message):
        self.socket.sendall(frame(message))
        return self.take(struct.unpack(">I", self.take(4))[0])

    def report(self):
        return json.loads(self.ask(b"report"))

    def close(self):
        self.socket.close()


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else None


class RoundTrips:
    """A legitimate peer that asks again and again, and checks each answer; with it, optionally, newcomers: each connects, asks once, goes."""

    def __init__(self, port, pause):
        self.port, self.pause = port, pause
        self.peer = Peer(port, address(10))
        self.seconds, self.arrivals, self.refused = [], [], 0
        self.asked = 0

    def ask(self):
        self.asked += 1
        message = b"%d:" % self.asked + b"x" * (self.asked % 97)
        start = time.perf_counter()
        answer = self.peer.ask(message)
        self.seconds.append(time.perf_counter() - start)
        if answer != message:
            raise AssertionError("asked %r, was answered %r" % (message, answer))
        time.sleep(self.pause)

    def arrive(self):
        start = time.perf_counter()
        try:
            newcomer = Peer(self.port, address(11), 30)
            newcomer.ask(b"here")
            self.arrivals.append(time.perf_counter() - start)
            newcomer.close()
        except OSError:
            self.refused += 1

    def figures(self):
        return {
            "asked": len(self.seconds), "p50": percentile(self.seconds, 0.5), "p99": percentile(self.seconds, 0.99),
            "max": max(self.seconds, default=None), "arrivals": len(self.arrivals), "arrival_p50": percentile(self.arrivals, 0.5),
            "arrival_p99": percentile(self.arrivals, 0.99), "refused": self.refused,
        }
