"""RESP as bytes: requests written, replies found. Standard library only."""

import socket
import time


def request(*words):
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(word), word))
    return b"".join(parts)


class Incomplete(Exception):
    pass


def reply_end(data, at):
    """Where the reply that begins at `at` ends."""
    line_end = data.find(b"\r\n", at)
    if line_end < 0:
        raise Incomplete
    kind, rest, at = data[at:at + 1], data[at + 1:line_end], line_end + 2
    if kind in b"+-:_,#":
        return at
    count = int(rest)
    if kind in b"$=":
        end = at + count + 2 if count >= 0 else at
        if end > len(data):
            raise Incomplete
        return end
    if kind in b"*%~":
        for _ in range(max(count, 0) * (2 if kind == b"%" else 1)):
            at = reply_end(data, at)
        return at
    raise AssertionError(f"no reply: {data[at - 20:at + 20]!r}")


class Peer:
    """A connection to a server that speaks RESP; replies are kept as their bytes."""

    def __init__(self, port):
        deadline = time.monotonic() + 30
        while True:
            try:
                self.sock = socket.create_connection(("127.0.0.1", port), 30)
                break
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)  # another's server, whose start cannot be awaited
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""

    def send(self, data):
        self.sock.sendall(data)

    def reply(self):
        while True:
            try:
                end = reply_end(self.data, 0)
                reply, self.data = self.data[:end], self.data[end:]
                return reply
            except Incomplete:
                chunk = self.sock.recv(1 << 20)
                if not chunk:
                    raise AssertionError(f"closed after {self.data!r}") from None
                self.data += chunk

    def ask(self, *words):
        self.send(request(*words))
        return self.reply()

    def rest(self):
        parts = [self.data]
        while chunk := self.sock.recv(1 << 20):
            parts.append(chunk)
        return b"".join(parts)

    def close(self):
        self.sock.close()
