"""A generator of small OTLP/gRPC requests that costs a tenth of grpc's Python client: one thread writes HTTP/2 frames itself.

It knows what it needs to be an honest client (RFC 9113, RFC 7541): header fields are sent by index after the first request of a
connection, windows of flow control are kept, settings and pings acknowledged, and every answer is read up to its grpc-status.
"""

import selectors
import socket
import struct
import time
from collections import deque
from collections.abc import Iterator

_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4
_MAX_FRAME = 16_384
_STATIC = 61
"""Entries of the table that every peer has; a gRPC status is in none of them."""
_ENTRIES = 128
"""As many as fit into a peer's own table of 4,096 bytes, at 32 and more. Older ones are not asked for."""


class Refused(Exception):
    """A request was not answered with success."""


class _Fields:
    """The header fields that a peer sends. Texts in Huffman code stay as they are: gRPC's core codes binary ones only."""

    def __init__(self) -> None:
        self._table: deque[tuple[bytes, bytes]] = deque(maxlen=_ENTRIES)

    def read(self, block: bytes) -> dict[bytes, bytes]:
        """The fields of a block, by name; those of the static table have none."""
        fields: dict[bytes, bytes] = {}
        at = 0
        while at < len(block):
            first = block[at]
            if first & 0x80:
                index, at = _integer(block, at, 7)
                name, value = self._entry(index)
            elif first & 0xE0 == 0x20:  # the size of the table
                _, at = _integer(block, at, 5)
                continue
            else:
                index, at = _integer(block, at, 6 if first & 0x40 else 4)
                if index:
                    name = self._entry(index)[0]
                else:
                    name, at = _text(block, at)
                value, at = _text(block, at)
                if first & 0x40:
                    self._table.appendleft((name, value))
            fields[name] = value
        return fields

    def _entry(self, index: int) -> tuple[bytes, bytes]:
        return (b"", b"") if index <= _STATIC else self._table[index - _STATIC - 1]


def _integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
    value, at = block[at] & ((1 << bits) - 1), at + 1
    if value == (1 << bits) - 1:
        shift = 0
        while True:
            more, at = block[at], at + 1
            value += (more & 0x7F) << shift
            shift += 7
            if not more & 0x80:
                break
    return value, at


def _text(block: bytes, at: int) -> tuple[bytes, int]:
    size, at = _integer(block, at, 7)
    return block[at : at + size], at + size


def _string(text: bytes) -> bytes:
    assert len(text) < 127  # a length of one byte
    return bytes([len(text)]) + text


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


class _Connection:
    """Requests of one method over one connection."""

    def __init__(self, port: int, path: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        settings, window = _frame(_SETTINGS, 0, 0, b""), _frame(_WINDOW, 0, 0, struct.pack(">I", 1 << 30))
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + window)
        # POST and http by index, path and authority by the index of their names
        self._head = b"\x83\x86\x44" + _string(path.encode()) + b"\x41" + _string(b"127.0.0.1")
        for name, value in ((b"te", b"trailers"), (b"content-type", b"application/grpc"), (b"user-agent", b"frames")):
            self._head += b"\x40" + _string(name) + _string(value)
        self._fields = _Fields()
        self._stream = 1
        self._window, self._stream_window = 65_535, 65_535
        self._read = b""
        self._waiting: deque[bytes] = deque()
        self._sent: dict[int, float] = {}

    def send(self, body: bytes) -> None:
        """Sends a request, as soon as the window of the connection has room for it."""
        self._waiting.append(b"\0" + struct.pack(">I", len(body)) + body)
        self._send()

    def _send(self) -> None:
        out = []
        while self._waiting and len(self._waiting[0]) <= self._window:
            message = self._waiting.popleft()
            if len(message) > self._stream_window:
                raise ValueError(f"a request of {len(message)} bytes does not fit into the window of a stream")
            out.append(_frame(_HEADERS, _END_HEADERS, self._stream, self._head))
            self._head = b"\x83\x86\xc2\xc1\xc0\xbf\xbe"  # its five fields are in the server's table from now on
            for at in range(0, len(message), _MAX_FRAME):
                last = at + _MAX_FRAME >= len(message)
                out.append(_frame(_DATA, _END_STREAM if last else 0, self._stream, message[at : at + _MAX_FRAME]))
            self._window -= len(message)
            self._sent[self._stream] = time.perf_counter()
            self._stream += 2
        if out:
            self.socket.sendall(b"".join(out))

    def answers(self) -> Iterator[float]:
        """Reads what has come: the latencies, in seconds, of the requests that were answered. Raises Refused."""
        received = self.socket.recv(65_536)
        if not received:
            raise Refused("the server closed the connection")
        data, at = self._read + received, 0
        while len(data) - at >= 9:
            end = at + 9 + int.from_bytes(data[at : at + 3], "big")
            if len(data) < end:
                break
            kind, flags, stream = data[at + 3], data[at + 4], int.from_bytes(data[at + 5 : at + 9], "big")
            payload = data[at + 9 : end]
            at = end
            if kind == _HEADERS:
                if flags & ~_END_STREAM != _END_HEADERS:
                    raise ValueError(f"header frames with the flags {flags:#x} are not read")
                fields = self._fields.read(payload)
                if flags & _END_STREAM:
                    if fields.get(b"grpc-status") != b"0":
                        raise Refused(str(fields))
                    yield time.perf_counter() - self._sent.pop(stream)
            else:
                self._control(kind, flags, stream, payload)
        self._read = data[at:]

    def _control(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind in (_RESET, _GOAWAY):
            raise Refused(f"{'RST_STREAM' if kind == _RESET else 'GOAWAY'} {payload!r}")
        if kind == _SETTINGS and not flags & _ACK:
            for at in range(0, len(payload), 6):
                name, value = struct.unpack_from(">HI", payload, at)
                if name == 4:
                    self._stream_window = value
            self.socket.sendall(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            self.socket.sendall(_frame(_PING, _ACK, 0, payload))
        elif kind == _WINDOW and not stream:
            self._window += int.from_bytes(payload, "big")
            self._send()


def send(port: int, path: str, bodies: list[bytes], connections: int, in_flight: int) -> list[float]:
    """Sends every body to a method, over so many connections, so many at a time over each. Returns the latencies in seconds;
    raises Refused when one is not answered with success."""
    left = iter(bodies)
    latencies: list[float] = []
    with selectors.DefaultSelector() as selector:
        opened = [_Connection(port, path) for _ in range(connections)]
        for connection in opened:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        for connection in opened * in_flight:
            if body := next(left, None):
                connection.send(body)
        while len(latencies) < len(bodies):
            for key, _ in selector.select():
                for latency in key.data.answers():
                    latencies.append(latency)
                    if body := next(left, None):
                        key.data.send(body)
        for connection in opened:
            connection.socket.close()
    return latencies
