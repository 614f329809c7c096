"""The server over real sockets: transcripts, addresses, limits, signals."""

import os
import resource
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import termios
import tty
import unittest

from harness import SANITIZED, TIMEOUT, Connection, Server, main, run

TRANSCRIPT = b"PUT name samarth\nGET name\nDEL name\nEXIT\n"
REPLIES = b"OK\nsamarth\nDELETED\n"


class Transcript(unittest.TestCase):
    def test_in_one_packet(self):
        with Server() as server, server.connect() as c:
            self.assertEqual(c.exchange(TRANSCRIPT), REPLIES)

    def test_one_byte_per_packet(self):
        with Server() as server, server.connect() as c:
            for byte in TRANSCRIPT:
                c.send(bytes([byte]))
            self.assertEqual(c.rest(), REPLIES)

    def test_with_crlf(self):
        with Server() as server, server.connect() as c:
            self.assertEqual(c.exchange(TRANSCRIPT.replace(b"\n", b"\r\n")), REPLIES)

    def test_line_by_line(self):
        with Server() as server, server.connect() as c:
            self.assertEqual(c.ask(b"PUT name samarth"), b"OK")
            self.assertEqual(c.ask(b"GET name"), b"samarth")
            self.assertEqual(c.ask(b"DEL name"), b"DELETED")
            self.assertEqual(c.exchange(b"EXIT\n"), b"")

    @unittest.skipUnless(shutil.which("nc"), "nc is not installed (tools/setup installs it)")
    def test_through_nc(self):
        with Server() as server:
            done = subprocess.run(
                ["nc", "localhost", str(server.port)], input=TRANSCRIPT, capture_output=True,
                timeout=TIMEOUT)
            self.assertEqual(done.stdout, REPLIES)

    def test_half_closed_client_gets_its_replies(self):
        with Server() as server, server.connect() as c:
            c.send(b"PUT a 1\nGET a\nPUT a 2")
            c.sock.shutdown(socket.SHUT_WR)
            self.assertEqual(c.rest(), b"OK\n1\n")
            with server.connect() as other:
                self.assertEqual(other.ask(b"GET a"), b"1")

    def test_error_line_arrives_although_input_is_unread(self):
        with Server() as server, server.connect() as c:
            c.send(b'GET "a\n' + b"PUT other 1\n" * 2000)
            self.assertEqual(
                c.rest(), b"INVALID Protocol error: unbalanced quotes in request\n")
            with server.connect() as other:
                self.assertEqual(other.ask(b"GET other"), b"NOT_FOUND")

    def test_http_is_hung_up_on_and_runs_nothing(self):
        with Server() as server:
            for request in (
                    b"PUT /x HTTP/1.1\r\nHost: localhost\r\n\r\nPUT pwn 1\n",
                    b"POST / HTTP/1.1\r\n\r\nPUT pwn 1\n",
                    b"\x16\x03\x01\x02\x00\nPUT pwn 1\n"):
                with server.connect() as c:
                    self.assertEqual(c.exchange(request), b"")
            with server.connect() as c:
                self.assertEqual(c.ask(b"DBSIZE"), b"0")
            self.assertEqual(server.stderr().count("another protocol"), 1)


class Time(unittest.TestCase):
    def test_goes_on_within_a_pipeline(self):
        with Server() as server, server.connect() as c:
            c.send(b"TIME\n" * 1000)
            seen = [(c.line(), c.line(), c.line()) for _ in range(1000)]
            self.assertTrue(any(int(microseconds) % 1000 for _, _, microseconds in seen))
            self.assertGreater(len(set(seen)), 40)  # more than the pipeline has batches


class Clients(unittest.TestCase):
    def test_64_at_once_are_all_served(self):
        with Server() as server:
            clients = [server.connect() for _ in range(64)]
            for number, c in enumerate(clients):
                c.send(b"PUT k%d v%d\nGET k%d\n" % (number, number, number))
            for number, c in enumerate(clients):
                self.assertEqual(c.line(), b"OK")
                self.assertEqual(c.line(), b"v%d" % number)
                c.close()

    def test_one_that_stops_in_mid_line_disturbs_nobody(self):
        with Server() as server, server.connect() as stopped:
            stopped.send(b"PUT half")
            for number in range(100):
                with server.connect() as c:
                    self.assertEqual(c.ask(b"PUT k%d v" % number), b"OK")
            self.assertEqual(stopped.ask(b" way"), b"OK")

    def test_one_that_never_reads_disturbs_nobody(self):
        with Server() as server, server.connect() as c:
            c.ask(b"PUT big " + b"x" * 60_000)
            with server.connect() as deaf:
                deaf.sock.setblocking(False)
                sent = 0
                try:
                    for _ in range(20_000):
                        sent += deaf.sock.send(b"GET big\n" * 100)
                except BlockingIOError:
                    pass
                for _ in range(100):
                    self.assertEqual(c.ask(b"PING"), b"+PONG\r")

    def test_over_the_limit_is_told_so(self):
        with Server("--max-clients", "2") as server:
            first, second = server.connect(), server.connect()
            self.assertEqual(first.ask(b"PING"), b"+PONG\r")
            self.assertEqual(second.ask(b"PING"), b"+PONG\r")
            with server.connect() as third:
                self.assertEqual(third.rest(), b"-ERR max number of clients reached\r\n")
            done = run("butterdb-client", "--port", server.port, "PUT", "a", "1")
            self.assertEqual(done.returncode, 1, done)
            self.assertIn(b"max number of clients", done.stdout)
            self.assertEqual(first.ask(b"DBSIZE"), b"0")
            self.assertEqual(second.exchange(b"EXIT\n"), b"")
            second.close()
            first.send(b"INFO\n")
            while not first.line().startswith(b"rejected_connections:2"):
                pass
            first.close()

    def test_settings_hold_for_connections_that_are_there(self):
        with Server("--max-value", "1KiB") as server, server.connect() as c, server.connect() as idle:
            value = b"x" * 5_000_000
            self.assertEqual(idle.ask(b"PING"), b"+PONG\r")
            for setting in (b"max-value 8MiB", b"max-request 0", b"idle-timeout 1"):
                self.assertEqual(c.ask(b"CONFIG SET " + setting), b"OK")
            c.send(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$%d\r\n%s\r\n" % (len(value), value))
            self.assertEqual(c.line(), b"+OK\r")
            self.assertEqual(idle.rest(), b"")

    def test_a_limit_of_requests_is_none_of_lines(self):
        with Server("--max-request", "64KiB", "--max-line", "1MiB") as server, server.connect() as c:
            self.assertEqual(c.ask(b"PUT a " + b"x" * 70_000), b"OK")
            c.send(b"*2\r\n$4\r\nECHO\r\n$70000\r\n" + b"x" * 70_000 + b"\r\n")
            self.assertTrue(c.line().startswith(b"-ERR "))
            self.assertEqual(c.ask(b"PING"), b"+PONG\r")

    def test_idle_one_is_closed_and_active_one_is_not(self):
        with Server("--idle-timeout", "1") as server:
            with server.connect() as idle, server.connect() as active:
                idle.sock.setblocking(False)
                closed = False
                while not closed:
                    self.assertEqual(active.ask(b"PING"), b"+PONG\r")
                    try:
                        closed = idle.sock.recv(1) == b""
                    except BlockingIOError:
                        pass
                self.assertEqual(active.ask(b"PING"), b"+PONG\r")

    @unittest.skipIf(SANITIZED, "UBSan's vptr check needs a descriptor itself")
    def test_out_of_descriptors_it_goes_on_and_recovers(self):
        with Server("--log-level", "warning") as server:
            first = server.connect()
            self.assertEqual(first.ask(b"PING"), b"+PONG\r")
            used = len(os.listdir(f"/proc/{server.process.pid}/fd"))
            _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (used + 1, hard))
            second = server.connect()
            self.assertEqual(second.ask(b"PING"), b"+PONG\r")
            waiting = server.connect()  # the kernel holds it, the server cannot take it
            waiting.send(b"ECHO served-late\n")
            self.assertEqual(first.ask(b"PING"), b"+PONG\r")
            second.close()
            self.assertEqual(waiting.line(), b"served-late")
            self.assertEqual(server.stderr().count("cannot accept"), 1)
            first.close()
            waiting.close()


class Addresses(unittest.TestCase):
    def test_one_port_for_ipv4_and_ipv6(self):
        with Server() as server:
            self.assertIn(f"127.0.0.1:{server.port}", server.addresses)
            with server.connect() as c:
                self.assertEqual(c.ask(b"PUT a 1"), b"OK")
            if f"[::1]:{server.port}" in server.addresses:
                with server.connect("::1") as c:
                    self.assertEqual(c.ask(b"GET a"), b"1")
            self.assertEqual(server.info("tcp_port"), str(server.port))

    def test_bind_may_repeat(self):
        with Server("--bind", "127.0.0.1", "--bind", "127.0.0.2") as server:
            self.assertEqual(
                server.addresses, [f"127.0.0.1:{server.port}", f"127.0.0.2:{server.port}"])
            with server.connect("127.0.0.2") as c:
                self.assertEqual(c.ask(b"PING"), b"+PONG\r")

    def test_unix_socket_is_private_and_goes_at_the_end(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/butterdb.sock"
            for _ in range(2):
                with Server("--unix-socket", path) as server:
                    self.assertIn(f"unix:{path}", server.addresses)
                    self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
                    sock = socket.socket(socket.AF_UNIX)
                    sock.connect(path)
                    with Connection(sock) as c:
                        self.assertEqual(c.ask(b"CLIENT LIST"), b"LIST 1")
                        self.assertIn(b" addr=%s:0 " % path.encode(), c.line())
                        self.assertEqual(c.exchange(TRANSCRIPT), REPLIES)
                self.assertFalse(os.path.exists(path))

    def test_stale_unix_socket_is_replaced(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/butterdb.sock"
            old = Server("--unix-socket", path)
            self.assertEqual(old.stop(signal.SIGKILL), -signal.SIGKILL)
            self.assertTrue(os.path.exists(path))
            old.log.close()
            with Server("--unix-socket", path):
                pass


class Log(unittest.TestCase):
    def fill(self, writer):
        """Writes until nothing more fits."""
        os.set_blocking(writer, False)
        try:
            while True:
                os.write(writer, b"." * 64)
        except BlockingIOError:
            os.set_blocking(writer, True)

    def lines(self, reader):
        """Reads lines until one speaks of TLS."""
        text = b""
        while not text.endswith(b"SIGHUP: no TLS to renew\n"):
            text += os.read(reader, 65536)
        return text.decode().splitlines()

    def empty(self, reader):
        os.set_blocking(reader, False)
        try:
            while os.read(reader, 65536):
                pass
        except BlockingIOError:
            os.set_blocking(reader, True)

    def check(self, reader, writer, stop, resume):
        """A server whose stderr takes nothing between `stop` and `resume`."""
        for each in (reader, writer):
            self.addCleanup(os.close, each)
        stop()
        with Server(stderr=writer) as server, server.connect() as c:
            for _ in range(2):
                self.assertTrue(c.ask(b"AUTH nobody x").startswith(b"ERROR WRONGPASS"))
            self.assertEqual(c.ask(b"PING"), b"+PONG\r")
            resume()
            server.process.send_signal(signal.SIGHUP)
            loss, last = self.lines(reader)
            self.assertTrue(loss.endswith(" warning lines of this log lost, unread: 1"), loss)
            self.assertEqual(c.ask(b"PING"), b"+PONG\r")

    def test_f17_a_full_pipe_behind_stderr_stops_nothing_and_lost_lines_are_counted(self):
        reader, writer = os.pipe()
        self.check(reader, writer, lambda: self.fill(writer), lambda: self.empty(reader))

    def test_f17_a_full_socket_behind_stderr_stops_nothing_and_lost_lines_are_counted(self):
        reader, writer = (each.detach() for each in socket.socketpair())
        self.check(reader, writer, lambda: self.fill(writer), lambda: self.empty(reader))

    def test_f17_a_stopped_terminal_behind_stderr_stops_nothing_and_lost_lines_are_counted(self):
        try:
            reader, writer = os.openpty()
        except OSError:
            self.skipTest("there are no pseudo-terminals here")
        tty.setraw(writer)
        self.check(reader, writer, lambda: termios.tcflow(writer, termios.TCOOFF),
                   lambda: termios.tcflow(writer, termios.TCOON))


class Signals(unittest.TestCase):
    def test_each_ends_it_with_status_0(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            with Server() as server, server.connect() as c:
                self.assertEqual(c.ask(b"PING"), b"+PONG\r")
                self.assertEqual(server.stop(how), 0)
                self.assertEqual(c.rest(), b"")

    def test_what_was_received_is_answered_before_the_end(self):
        """The server is stopped, so that all of it has arrived when the signal is seen."""
        with Server() as server:
            clients = [server.connect() for _ in range(8)]
            for c in clients:
                self.assertEqual(c.ask(b"PING"), b"+PONG\r")
            server.process.send_signal(signal.SIGSTOP)
            for c in clients:
                c.send(b"PUT a 1\n" * 1000)
            server.process.send_signal(signal.SIGTERM)
            server.process.send_signal(signal.SIGCONT)
            for c in clients:
                self.assertEqual(c.rest(), b"OK\n" * 1000)
                c.close()
            self.assertEqual(server.wait(), 0)

    def test_replies_survive_what_is_sent_after_the_end(self):
        with Server() as server, server.connect() as slow:
            slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20_000)
            slow.ask(b"PUT big " + b"x" * 60_000)
            slow.send(b"GET big\n" * 20)
            while server.info("keyspace_hits") != "20":
                pass
            server.process.send_signal(signal.SIGTERM)
            while "stopping" not in server.stderr():
                pass
            slow.send(b"PING\n")
            self.assertTrue(slow.rest().startswith((b"x" * 60_000 + b"\n") * 20))
            self.assertEqual(server.wait(), 0)

    def test_connections_that_came_too_late_are_not_served(self):
        with Server() as server:
            server.process.send_signal(signal.SIGSTOP)
            late = [server.connect() for _ in range(6)]
            server.process.send_signal(signal.SIGTERM)
            server.process.send_signal(signal.SIGCONT)
            self.assertEqual(server.wait(), 0)
            for c in late:
                c.close()

    def test_one_that_never_stops_sending_does_not_hold_it(self):
        with Server() as server, server.connect() as c:
            c.ask(b"PING")
            server.process.send_signal(signal.SIGTERM)
            c.sock.settimeout(0.01)
            while server.process.poll() is None:
                try:
                    c.sock.sendall(b"PUT a 1\n" * 100)
                    c.sock.recv(65536)
                except OSError:
                    pass
            self.assertEqual(server.wait(), 0)
            self.assertNotIn("cutting", server.stderr())

    def test_a_hangup_ends_nothing_and_holds_nothing_up(self):
        """Whatever the order in which signals come while the server is busy."""
        value = b"x" * 20_000_000
        busy = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n" % (len(value), value) + b"APPEND k y\n" * 8
        for order in ((signal.SIGTERM, signal.SIGHUP), (signal.SIGHUP, signal.SIGTERM, signal.SIGHUP)):
            with self.subTest(order), Server() as server, server.connect() as c:
                server.process.send_signal(signal.SIGHUP)
                while "no TLS to renew" not in server.stderr():
                    pass
                self.assertEqual(c.send(busy).line(), b"+OK\r")
                for each in order:
                    server.process.send_signal(each)
                self.assertEqual(c.rest(), b"".join(b":%d\r\n" % (len(value) + i) for i in range(1, 9)))
                self.assertEqual(server.wait(), 0)

    def test_the_second_one_ends_it_at_once(self):
        server = Server()
        with server.connect() as deaf:
            deaf.ask(b"PUT big " + b"x" * 60_000)
            deaf.send(b"GET big\n" * 1000)
            deaf.line()  # its session now waits for a reader
            server.process.send_signal(signal.SIGTERM)
            while "stopping" not in server.stderr():
                pass
            self.assertEqual(server.stop(signal.SIGTERM), 1)
            server.log.close()


if __name__ == "__main__":
    main()
