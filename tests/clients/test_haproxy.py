"""HAProxy's usual health check of Redis, which sends lines, marks the server up."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from harness import Server, main  # noqa: E402

CONFIGURATION = """
global
    log stdout format raw daemon
    stats socket {folder}/admin
defaults
    mode tcp
    log global
    option log-health-checks
    timeout connect 10s
    timeout client 10s
    timeout server 10s
    timeout check 10s
backend caches
    option tcp-check
{steps}
    server first 127.0.0.1:{port} check inter 100ms fall 1 rise 1
"""

CHECK = (("PING", "+PONG"), (r"INFO\ replication", "role:master"), ("QUIT", "+OK"))


def first_verdict(server, steps):
    """Returns HAProxy's log line about its first health check."""
    lines = "".join(rf"    tcp-check send {sent}\r\n" f"\n    tcp-check expect string {expected}\n"
                    for sent, expected in steps)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "haproxy.cfg"
        path.write_text(CONFIGURATION.format(folder=folder, steps=lines, port=server.port))
        proxy = subprocess.Popen(["haproxy", "-db", "-f", str(path)], stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True)
        try:
            seen = ""
            for line in proxy.stdout:
                if "Health check for server" in line:
                    return line
                seen += line
            raise AssertionError("HAProxy ended without a check: " + seen)
        finally:
            proxy.kill()
            proxy.wait()
            proxy.stdout.close()


class HealthCheck(unittest.TestCase):
    def test_the_check_of_redis_marks_the_server_up(self):
        with Server() as server:
            self.assertRegex(first_verdict(server, CHECK), "caches/first succeeded.* UP")

    def test_a_check_that_gives_the_password_first_marks_the_server_up(self):
        with tempfile.NamedTemporaryFile() as password:
            password.write(b"sesame\n")
            password.flush()
            with Server("--password-file", password.name) as server:
                steps = (("AUTH sesame".replace(" ", r"\ "), "+OK"), *CHECK)
                self.assertRegex(first_verdict(server, steps), "caches/first succeeded.* UP")


if __name__ == "__main__":
    main()
