"""Starts the real programs and talks to them over real sockets. Standard library only."""

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

BIN = Path(os.environ.get("BUTTERDB_BIN", "build/release")).resolve()
SANITIZED = os.environ.get("BUTTERDB_BUILD_TYPE") == "Sanitize"
TIMEOUT = 60  # seconds; for what should be there at once, on a busy machine under a sanitizer


def program(name):
    return str(BIN / name)


def clean_environment(**more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BUTTERDB_")}
    return {**kept, **more}


INSIDE = "BUTTERDB_TEST_INSIDE_NAMESPACE"  # in the environment of a test that runs in one


def can_have_a_terminal():
    """Returns whether a test can run a program on a pseudo-terminal: a bare chroot has no /dev/pts."""
    try:
        master, terminal = os.openpty()
    except OSError:
        return False
    os.close(master)
    os.close(terminal)
    return True


def can_have_a_namespace():
    """Whether a test can run itself again in a network namespace."""
    return os.geteuid() == 0 and shutil.which("unshare") and shutil.which("ip") and \
        subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode == 0


class Server:
    """A butterdb on a port that the kernel chose. Stops with the `with` block."""

    def __init__(self, *options, env=None, port=0, stderr=None, **process):
        port_option = [] if port is None else ["--port", str(port)]
        self.log = tempfile.TemporaryFile("a+b")  # both sides append
        self.process = subprocess.Popen(
            [program("butterdb"), *port_option, *options],
            stdout=subprocess.PIPE, stderr=self.log if stderr is None else stderr, env=env or clean_environment(),
            **process)
        self.addresses = []
        self.port = None
        self.tls_port = None
        self._wait_until_it_listens()

    def _wait_until_it_listens(self):
        # The addresses are printed together, once all of them listen.
        out = self.process.stdout.fileno()
        text = b""
        while not text.endswith(b"\n"):
            if not select.select([out], [], [], TIMEOUT)[0]:
                raise AssertionError("the server says nothing")
            chunk = os.read(out, 65536)
            if not chunk:
                raise AssertionError("the server did not start: " + self.stderr())
            text += chunk
        for line in text.decode().splitlines():
            name = re.fullmatch(r"listening on (.+)", line).group(1)
            self.addresses.append(name)
            if name.startswith("tls:"):
                self.tls_port = int(name.rsplit(":", 1)[1])
            elif not name.startswith("unix:"):
                self.port = int(name.rsplit(":", 1)[1])

    def stderr(self):
        return os.pread(self.log.fileno(), 1 << 24, 0).decode()

    def await_log(self, text):
        """Waits until the log has the text, while another client is served: the server must not hang."""
        end = time.monotonic() + TIMEOUT
        while text not in self.stderr():
            self.info("uptime_in_seconds")
            if time.monotonic() > end:
                raise AssertionError(f"{text!r} is not in the log: {self.stderr()}")

    def connect(self, host="127.0.0.1"):
        return Connection(socket.create_connection((host, self.port), TIMEOUT))

    def info(self, field):
        with self.connect() as c:
            text = c.exchange(b"INFO\nEXIT\n").decode()
        return re.search(rf"^{field}:(.*)$", text, re.M).group(1)

    def stop(self, how=signal.SIGTERM):
        """Gives the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.wait()

    def wait(self):
        """Gives the exit status of a server that has been told to end."""
        try:
            return self.process.wait(TIMEOUT)
        finally:
            self.process.kill()
            self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        status = self.stop()
        text = self.stderr()
        self.log.close()
        if failed is None and (status != 0 or "runtime error" in text or "Sanitizer" in text):
            raise AssertionError(f"the server ended with {status}: {text}")


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(TIMEOUT)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) \
            if sock.family != socket.AF_UNIX else None
        self.buffer = b""

    def send(self, data):
        self.sock.sendall(data)
        return self

    def line(self):
        while b"\n" not in self.buffer:
            chunk = self.sock.recv(65536)
            if not chunk:
                raise AssertionError(f"closed in mid-line: {self.buffer!r}")
            self.buffer += chunk
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line

    def ask(self, request):
        return self.send(request + b"\n").line()

    def rest(self):
        """Everything until the server closes."""
        parts = [self.buffer]
        while chunk := self.sock.recv(65536):
            parts.append(chunk)
        return b"".join(parts)

    def exchange(self, data):
        return self.send(data).rest()

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def run(name, *arguments, stdin=b"", env=None, timeout=TIMEOUT):
    return subprocess.run(
        [program(name), *map(str, arguments)], input=stdin, capture_output=True,
        env=env or clean_environment(), timeout=timeout)


def main():
    unittest.main(verbosity=2)
