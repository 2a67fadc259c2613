#!/usr/bin/env python3
"""Attackers of a node that runs target.lua, all in this one process: attackers.py PORT SEED SECONDS KIND=COUNT...

Each attacker lives once, or again and again for SECONDS if that is not 0. Every life's end is counted; the counts are printed as JSON.
They come from loopback addresses of their own, so that no limit per address protects the node unless that is what is tried.
"""
import asyncio
import collections
import json
import random
import socket
import struct
import sys

from peers import HELLO, LOCALHOST, WELCOME, address, frame

# So long the node may take to end what it should end; only a node that fails to reaches it.
PATIENCE = 60


class Life:
    """One connection, and the least one can do with it."""

    def __init__(self, port, source, seed):
        self.port, self.source = port, source
        self.random = random.Random(seed)
        self.loop = asyncio.get_running_loop()
        self.socket = socket.socket()
        self.socket.setblocking(False)

    async def connect(self, receive_buffer=None):
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setsockopt(socket.SOL_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT: a port is chosen for the peer, not for all
        self.socket.bind((self.source, 0))
        await self.loop.sock_connect(self.socket, (LOCALHOST, self.port))

    async def shake(self, **options):
        await self.connect(**options)
        await self.send(HELLO)
        if await self.take(len(WELCOME)) != WELCOME:
            raise ConnectionError

    async def send(self, data):
        await self.loop.sock_sendall(self.socket, data)

    async def take(self, count):
        data = b""
        while len(data) < count:
            more = await self.loop.sock_recv(self.socket, count - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data

    async def until_end(self):
        while await self.loop.sock_recv(self.socket, 65536):
            pass
        return "ended by the node"

    async def dribble(self, data, pause):
        """One byte, a pause, one byte, until the node has had enough."""
        end = asyncio.ensure_future(self.until_end())
        try:
            for byte in data:
                await self.send(bytes([byte]))
                done, _ = await asyncio.wait([end], timeout=pause)
                if done:
                    return end.result()
            return await end
        finally:
            end.cancel()

    def noise(self, count):
        return self.random.randbytes(count)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
        return "reset by itself"


async def slow_handshake(life):
    await life.connect()
    return await life.dribble(HELLO[:-1], 1)


async def trickle(life):
    await life.shake()
    return await life.dribble(frame(b"x" * 4096), 1)


async def silent(life):
    await life.shake()
    return await life.until_end()


async def half_closed(life):
    await life.shake()
    await life.send(frame(b"last words"))
    life.socket.shutdown(socket.SHUT_WR)
    return await life.until_end()


async def never_reading(life):
    await life.shake(receive_buffer=4096)
    message = frame(life.noise(16384))
    while True:
        await life.send(message)


async def slow_reading(life):
    await life.shake(receive_buffer=4096)
    message = frame(life.noise(16384))
    sending = asyncio.ensure_future(life.loop.sock_sendall(life.socket, message * 64))
    try:
        for _ in range(PATIENCE):
            await life.take(1)
            await asyncio.sleep(1)
    finally:
        sending.cancel()
    return life.reset()


async def huge(life):
    await life.shake()
    await life.send(b"\xff\xff\xff\xff" + life.noise(life.random.randrange(100)))
    return await life.until_end()


async def garbage(life):
    await life.connect()
    # Never the handshake, and enough of it for the node to see that.
    await life.send(b"\x00" + life.noise(life.random.randrange(7, 1000)))
    return await life.until_end()


async def prefix(life):
    """Messages, each answered; then bytes that are none."""
    await life.shake()
    for _ in range(life.random.randrange(1, 5)):
        message = frame(life.noise(life.random.randrange(1, 300)))
        await life.send(message)
        if await life.take(len(message)) != message:
            return "answered wrong"
    await life.send(bytes([life.random.randrange(1, 256)]) + life.noise(life.random.randrange(3, 1000)))
    return await life.until_end()


async def reset_at_connect(life):
    await life.connect()
    return life.reset()


async def reset_in_handshake(life):
    await life.connect()
    await life.send(HELLO[: life.random.randrange(1, len(HELLO))])
    return life.reset()


async def reset_idle(life):
    await life.shake()
    return life.reset()


async def reset_in_frame(life):
    await life.shake()
    await life.send(frame(b"x" * 1000)[: life.random.randrange(1, 1000)])
    return life.reset()


async def reset_before_answer(life):
    await life.shake()
    await life.send(frame(life.noise(1000)) * life.random.randrange(1, 20))
    return life.reset()


async def reset_in_answer(life):
    await life.shake(receive_buffer=4096)
    await life.send(frame(life.noise(30000)))
    await life.take(life.random.randrange(1, 2000))
    return life.reset()


async def flood(life):
    """Connects and goes, without a word."""
    await life.connect()
    await asyncio.sleep(0.01)
    return life.reset() if life.random.random() < 0.5 else "closed by itself"


async def crowd(life):
    """Connects and stays, without a word; all from one address."""
    await life.connect()
    return await life.until_end()


KINDS = {kind.__name__: kind for kind in [
    slow_handshake, trickle, silent, half_closed, never_reading, slow_reading, huge, garbage, prefix, reset_at_connect,
    reset_in_handshake, reset_idle, reset_in_frame, reset_before_answer, reset_in_answer, flood, crowd,
]}


async def attack(kind, port, source, seed, seconds, ends):
    end = asyncio.get_running_loop().time() + seconds
    lives = 0
    while True:
        lives += 1
        life = Life(port, source, "%s/%d/%d" % (seed, lives, len(ends)))
        try:
            left = max(0.001, end - life.loop.time()) if seconds else PATIENCE
            how = await asyncio.wait_for(KINDS[kind](life), left)
        except (asyncio.TimeoutError, TimeoutError):
            how = "over" if seconds else "the node did nothing"
        except OSError as error:
            how = "ended by the node" if isinstance(error, ConnectionError) else "failed: %s" % error.strerror
        life.socket.close()
        ends[kind][how] += 1
        if life.loop.time() >= end:
            return


async def main(port, seed, seconds, kinds):
    ends = {kind: collections.Counter() for kind, _ in kinds}
    number, attackers = 1000, []
    for kind, count in kinds:
        for index in range(count):
            source = address(20) if kind == "crowd" else address(number + index)
            attackers.append(attack(kind, port, source, "%s/%s/%d" % (seed, kind, index), seconds, ends))
        number += count
    random.Random(seed).shuffle(attackers)
    await asyncio.gather(*attackers)
    print(json.dumps(ends))


if __name__ == "__main__":
    pairs = [argument.split("=") for argument in sys.argv[4:]]
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), [(kind, int(count)) for kind, count in pairs]))
