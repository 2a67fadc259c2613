#!/usr/bin/env python3
"""Sends broken input to a node, one connection after the other: garbage.py PORT SEED COUNT HEX...

Each input is one of those in hexadecimal with a few changes, cut in two; then this side ends its own, and takes what comes until the
node ends too. A node that does not, in a minute, ends this with status 1.
"""
import random
import socket
import sys

TELLING = b"\x00\x01\n\r $*:\"\x7f\x80\xfe\xff"


def changed(data, chance):
    data = bytearray(data)
    for _ in range(chance.randrange(5)):
        place = chance.randrange(len(data) + 1)
        end = chance.randrange(place, len(data) + 1)
        way = chance.randrange(5)
        if way == 0 and place < len(data):
            data[place] ^= 1 << chance.randrange(8)
        elif way == 1:
            data[place:place] = bytes([chance.choice(TELLING)])
        elif way == 2:
            data[place:place] = data[place:end]
        elif way == 3:
            del data[place:end]
        else:
            data[place:place] = chance.randbytes(chance.randrange(1, 9))
    return bytes(data)


def say(port, data, cut):
    with socket.create_connection(("127.0.0.1", port), 60) as peer:
        try:
            for part in (data[:cut], data[cut:]):
                peer.sendall(part)
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(65536):
                pass
        except ConnectionError:
            pass


if __name__ == "__main__":
    port, count, seeds = int(sys.argv[1]), int(sys.argv[3]), [bytes.fromhex(text) for text in sys.argv[4:]]
    chance = random.Random(sys.argv[2])
    for index in range(count):
        data = changed(chance.choice(seeds), chance)
        try:
            say(port, data, chance.randrange(len(data) + 1))
        except TimeoutError:
            sys.exit("input %d is not answered: %s" % (index, data.hex()))
