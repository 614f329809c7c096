"""butterdb-client: one command, a pipe, a terminal; and servers that misbehave."""

import os
import pty
import select
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

from harness import TIMEOUT, Server, clean_environment, main, program, run


class Waiting(unittest.TestCase):
    def test_waitkey_may_take_longer_than_other_replies(self):
        with Server() as server:
            done = run("butterdb-client", "--port", server.port, "--timeout", 1, "WAITKEY", "none", 1500)
            self.assertEqual((done.stdout, done.returncode), (b"NOT_FOUND\n", 0), done)


class Pipe(unittest.TestCase):
    def test_the_transcript_of_the_readme(self):
        script = (b'PUT a "x y"\nGET a\nPUT n NOT_FOUND\nGET n\nGET m\nDEL a\nDEL a\n'
                  b"FOO\nPUT k\nPUT k v w\n")
        with Server() as server:
            done = run("butterdb-client", "--port", server.port, stdin=script)
        lines = done.stdout.splitlines()
        self.assertEqual(
            lines[:7],
            [b"OK", b"x y", b"OK", b'"NOT_FOUND"', b"NOT_FOUND", b"DELETED", b"NOT_FOUND"])
        self.assertEqual(len(lines), 10)
        self.assertTrue(all(line.startswith(b"INVALID") for line in lines[7:]))
        self.assertEqual(done.returncode, 1)
        complaints = done.stderr.splitlines()
        self.assertEqual([line.split(b":")[0] for line in complaints],
                         [b"line 8", b"line 9", b"line 10"])

    def test_nothing_is_lost_of_many_lines(self):
        count = 200_000
        script = b"".join(b"PUT key%d value%d\n" % (i, i) for i in range(count))
        with Server() as server:
            done = run("butterdb-client", "--port", server.port, stdin=script)
            self.assertEqual(done.stdout, b"OK\n" * count)
            self.assertEqual(done.returncode, 0)
            size = run("butterdb-client", "--port", server.port, "DBSIZE")
            self.assertEqual(size.stdout, b"%d\n" % count)

    def test_large_replies_come_whole_and_in_order(self):
        script = b"PUT k " + b"x" * 60_000 + b"\n" + b"GET k\n" * 1000
        with Server() as server:
            done = run("butterdb-client", "--port", server.port, stdin=script)
        self.assertEqual(done.stdout, b"OK\n" + (b"x" * 60_000 + b"\n") * 1000)

    def test_lines_of_every_kind(self):
        with Server() as server:
            for script, out, status in (
                    (b"", b"", 0),
                    (b"\n\n  \n", b"", 0),
                    (b"\nPING\r\n\nECHO last-without-end", b"+PONG\nlast-without-end\n", 0),
                    (b'ECHO a\nECHO "b\nECHO c\n', b"a\nc\n", 1),
                    (b"ECHO a\nPUT /x HTTP/1.1\nECHO c\n", b"a\nc\n", 1),
                    (b"ECHO a\nEXIT\n\n", b"a\n", 0),
                    (b"ECHO a\nEXIT\nECHO b\n", b"a\n", 0),
                    (b"ECHO a\nquit\nECHO b\n", b"a\n+OK\n", 0),
                    (b"ECHO a\n*1\nECHO c\n", b"a\nc\n", 1),
                    (b"ECHO a\n" + b"x" * 200_000 + b"\nECHO c\n", b"a\nc\n", 1),
                    (b"ECHO a\n" + b"x" * 200_000, b"a\n", 1)):
                with self.subTest(script[:40]):
                    done = run("butterdb-client", "--port", server.port, stdin=script)
                    self.assertEqual((done.stdout, done.returncode), (out, status), done)
                    if status == 1:
                        self.assertTrue(done.stderr.startswith(b"line 2: not sent: "), done)
                    else:
                        not_sent = b"line 2 ends the connection: what follows it is not sent\n"
                        self.assertEqual(done.stderr, not_sent if b"ECHO b" in script else b"")

    def test_replies_come_before_the_pipe_ends(self):
        with Server() as server:
            client = subprocess.Popen(
                [program("butterdb-client"), "--port", str(server.port)], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, env=clean_environment())
            for number in range(10):
                client.stdin.write(b"ECHO %d\n" % number)
                client.stdin.flush()
                self.assertEqual(client.stdout.readline(), b"%d\n" % number)
            client.stdin.close()
            self.assertEqual(client.wait(TIMEOUT), 0)
            client.stdout.close()

    def test_standard_input_from_a_file(self):
        with Server() as server, tempfile.TemporaryFile() as commands:
            commands.write(b"PUT a 1\nGET a\n" * 50_000)
            commands.seek(0)
            done = subprocess.run(
                [program("butterdb-client"), "--port", str(server.port)], stdin=commands,
                capture_output=True, timeout=TIMEOUT)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stdout, b"OK\n1\n" * 50_000)

    def test_standard_output_that_goes_away(self):
        with Server() as server:
            command = f"yes PING | head -n 300000 | {program('butterdb-client')} " \
                      f"--port {server.port} | head -n 1"
            done = subprocess.run(command, shell=True, capture_output=True, timeout=TIMEOUT)
            self.assertEqual(done.stdout, b"+PONG\n")


class Command(unittest.TestCase):
    def test_arguments_keep_their_bytes(self):
        with Server() as server:
            ask = lambda *words: run("butterdb-client", "--port", server.port, *words)
            for value in ("plain", "two words", "", 'q"uo\'te', "tab\tnew\nline", "--flag", "\u00e4", "HTTP/1.1", "*1", "POST"):
                self.assertEqual(ask("PUT", "k", value).stdout, b"OK\n")
                shown = ask("GET", "k").stdout
                echoed = run("butterdb-client", "--port", server.port,
                             stdin=b"ECHO " + (shown[:-1] if shown.startswith(b'"') else
                                               b'"' + shown[:-1].replace(b'"', b'\\"') + b'"'))
                self.assertEqual(echoed.stdout, shown)
            failed = ask("PUT", "k")
            self.assertEqual(failed.returncode, 1)
            self.assertTrue(failed.stdout.startswith(b"INVALID"))
            self.assertEqual(ask("EXIT").returncode, 0)
            self.assertEqual(ask("HELP", "GET").stdout.splitlines()[0], b"LIST 1")

    def test_raw_gives_the_bytes_back(self):
        with Server() as server:
            for value in ("two\nlines", "", '"x"', "plain", "OK"):
                run("butterdb-client", "--port", server.port, "PUT", "k", value)
                done = run("butterdb-client", "--port", server.port, "--raw", "GET", "k")
                self.assertEqual(done.stdout, value.encode() + b"\n")

    def test_port_from_the_environment(self):
        with Server() as server:
            done = run("butterdb-client", "PING",
                       env=clean_environment(BUTTERDB_PORT=str(server.port)))
            self.assertEqual(done.stdout, b"+PONG\n")

    def test_closed_standard_input(self):
        with Server() as server:
            done = subprocess.run(
                f"{program('butterdb-client')} --port {server.port} <&-", shell=True,
                capture_output=True, timeout=TIMEOUT)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    def test_unix_socket_and_ipv6(self):
        with tempfile.TemporaryDirectory() as folder:
            with Server("--unix-socket", f"{folder}/s") as server:
                done = run("butterdb-client", "--unix-socket", f"{folder}/s", "PING")
                self.assertEqual(done.stdout, b"+PONG\n")
                if any("[::1]" in name for name in server.addresses):
                    done = run("butterdb-client", "--host", "::1", "--port", server.port, "PING")
                    self.assertEqual(done.stdout, b"+PONG\n")

    def test_server_that_is_not_there(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        for arguments in (["--port", port], ["--unix-socket", "/nonexistent"]):
            for words in (["PING"], []):
                done = run("butterdb-client", *arguments, *words, stdin=b"PING\n")
                self.assertEqual((done.returncode, done.stdout), (1, b""))
                self.assertEqual(len(done.stderr.splitlines()), 1, done)

    def test_wrong_usage(self):
        for arguments in (["--port", "x"], ["--nonsense"], ["--timeout", "-1"]):
            done = run("butterdb-client", *arguments)
            self.assertEqual(done.returncode, 2, done)


class Misbehaving(unittest.TestCase):
    """A server of one connection that answers with fixed bytes."""

    def against(self, replies, *arguments, stdin=b"ECHO a\nECHO b\nECHO c\n", close=True):
        listener = socket.create_server(("127.0.0.1", 0))

        def serve():
            peer, _ = listener.accept()
            peer.recv(65536)
            peer.sendall(replies)
            if close:
                peer.shutdown(socket.SHUT_WR)
            while peer.recv(65536):
                pass
            peer.close()

        thread = threading.Thread(target=serve)
        thread.start()
        done = run(
            "butterdb-client", "--port", listener.getsockname()[1], *arguments, stdin=stdin)
        thread.join()
        listener.close()
        return done

    def test_closes_early(self):
        done = self.against(b"a\n")
        self.assertEqual((done.returncode, done.stdout), (1, b"a\n"))
        self.assertIn(b"no reply to line 2", done.stderr)

    def test_says_nothing(self):
        done = self.against(b"", "--timeout", 1, close=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"no answer in time", done.stderr)

    def test_says_too_much(self):
        done = self.against(b"a\nb\nc\nd\n")
        self.assertEqual(done.returncode, 1)

    def test_sends_a_list_without_end(self):
        done = self.against(b"LIST 99999999999999999999\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"cannot be read", done.stderr)


class Terminal(unittest.TestCase):
    def test_prompt(self):
        with Server() as server:
            pid, terminal = pty.fork()
            if pid == 0:
                os.execv(program("butterdb-client"),
                         ["butterdb-client", "--port", str(server.port)])

            seen = b""

            def until(expected):
                nonlocal seen
                while expected not in seen:
                    self.assertTrue(select.select([terminal], [], [], TIMEOUT)[0], seen)
                    seen += os.read(terminal, 65536)
                seen = seen.split(expected, 1)[1]

            prompt = b"localhost:%d> " % server.port
            until(prompt)
            os.write(terminal, b"PUT a 1\n")
            until(b"OK\r\n")
            os.write(terminal, b"NONSENSE\n")
            until(b"INVALID")
            until(prompt)
            os.write(terminal, b"EXIT\n")
            _, status = os.waitpid(pid, 0)
            os.close(terminal)
            self.assertEqual(os.waitstatus_to_exitcode(status), 0)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    main()
