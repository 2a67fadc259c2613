"""Talks to scripts/echo.lua with nothing but socket and struct.

usage: echo_client.py PORT WIDTH ENDIAN MAX CAPACITY
  WIDTH 1|2|3|4|8|varint, ENDIAN big|little, MAX the server's longest message, CAPACITY the longest that WIDTH can say
Prints one line per check; the exit status is 0 only if all of them hold.
"""

import socket
import struct
import sys

PORT, WIDTH, ENDIAN = int(sys.argv[1]), sys.argv[2], sys.argv[3]
MAX, CAPACITY = int(sys.argv[4]), int(sys.argv[5])


def header(length):
    """The length as the protocol has it, made without help from the server's code."""
    if WIDTH == "varint":
        out = b""
        while length > 0x7F:
            out += struct.pack("B", length & 0x7F | 0x80)
            length >>= 7
        return out + struct.pack("B", length)
    order = ">" if ENDIAN == "big" else "<"
    if WIDTH == "3":
        four = struct.pack(order + "I", length)
        return four[1:] if ENDIAN == "big" else four[:3]
    return struct.pack(order + {"1": "B", "2": "H", "4": "I", "8": "Q"}[WIDTH], length)


def frame(body):
    return header(len(body)) + body


def connect():
    made = socket.create_connection(("127.0.0.1", PORT), timeout=20)
    # Each send is a segment of its own.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def read(connection, count):
    parts, missing = [], count
    while missing > 0:
        part = connection.recv(min(missing, 1 << 16))
        assert part, "the server hung up with %d of %d bytes to come" % (missing, count)
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


other = connect()


def barrier():
    """A round trip over another connection to the same loop: what was sent before it has been looked at by now."""
    other.sendall(frame(b"?"))
    assert read(other, len(frame(b"?"))) == frame(b"?")


def check(name, run):
    run()
    print("ok", name, flush=True)


def echoed(*pieces):
    """Sends the pieces one by one and expects all of their bytes back, and not one more."""
    connection = connect()
    for piece in pieces[:-1]:
        connection.sendall(piece)
        barrier()
    connection.sendall(pieces[-1])
    whole = b"".join(pieces)
    assert read(connection, len(whole)) == whole
    connection.shutdown(socket.SHUT_WR)
    assert connection.recv(1) == b"", "something came after the echo"
    connection.close()


def refused(bad):
    """A good frame and then a bad one: the good one comes back, and the connection ends."""
    connection = connect()
    good = frame(b"good")
    connection.sendall(good)
    assert read(connection, len(good)) == good
    try:
        connection.sendall(bad)
        assert connection.recv(1) == b"", "the bad frame was answered"
    except ConnectionError:
        pass
    connection.close()
    # Nobody else was harmed.
    barrier()


def split_everywhere():
    stream = frame(b"one") + frame(b"") + frame(b"\r\n\0" * 5) + frame(bytes(range(200)))
    for cut in range(1, len(stream)):
        echoed(stream[:cut], stream[cut:])


def byte_by_byte():
    stream = frame(b"slowly") + frame(b"") + frame(b"x" * 150)
    echoed(*(stream[i:i + 1] for i in range(len(stream))))


def refusals():
    if MAX < CAPACITY:
        refused(header(MAX + 1))
        refused(header(MAX + 1) + b"x" * 100)
        refused(header(CAPACITY))
    if WIDTH == "varint":
        # More continuation bytes than 64 bits have room for.
        refused(b"\xff" * 11)
        refused(b"\x80" * 11)


check("one frame", lambda: echoed(frame(b"hello")))
check("a frame without a byte in it", lambda: echoed(frame(b"")))
check("many frames in one segment", lambda: echoed(b"".join(frame(b"%d" % i) for i in range(1000))))
check("only empty frames in one segment", lambda: echoed(frame(b"") * 500))
check("cut at every byte boundary", split_everywhere)
check("byte by byte", byte_by_byte)
check("the longest frame", lambda: echoed(frame(b"\xa5" * MAX)))
check("one byte less, twice in a row", lambda: echoed(frame(b"a" * (MAX - 1)) + frame(b"b" * (MAX - 1))))
check("a frame that is never finished", lambda: connect().sendall(frame(b"unfinished")[:-1]))
check("what is too long or no length at all is refused", refusals)
check("the other connection still works", barrier)
