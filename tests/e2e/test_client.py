"""butterdb-client: one command, a pipe, a terminal; and servers that misbehave."""

import os
import pty
import select
import signal
import socket
import subprocess
import tempfile
import threading
import tty
import unittest

from harness import TIMEOUT, Server, can_have_a_terminal, clean_environment, main, program, run


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

    def test_an_error_inside_a_list_is_a_failure(self):
        with Server() as server:
            script = b'PUT s abc\nMULTI\nINCR s\nGET s\nINCRBY s x\nEXEC\nPUT v "ERROR x"\nMGET v\n'
            done = run("butterdb-client", "--port", server.port, stdin=script)
            wrong = b"ERROR ERR value is not an integer or out of range\n"
            invalid = b"INVALID value is not an integer or out of range\n"
            self.assertEqual(
                done.stdout, b"OK\nOK\nQUEUED\nQUEUED\nQUEUED\nLIST 3\n" + wrong + b"abc\n" + invalid +
                b'OK\nLIST 1\n"ERROR x"\n')
            self.assertEqual(done.stderr, b"line 6: " + wrong + b"line 6: " + invalid)
            self.assertEqual(done.returncode, 1)
            done = run("butterdb-client", "--port", server.port, stdin=b"MGET v\nMULTI\nEXEC\n")
            self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_a_transaction_without_one_of_its_lines_is_discarded(self):
        with Server() as server:
            done = run("butterdb-client", "--port", server.port, stdin=(
                b'MULTI\nPUT a 1\nPUT b "1\nEXEC\nEXISTS a b\n'
                b'PUT c "1\nMULTI\nPUT a 1\nPUT b 2\nEXEC\nMGET a b\n'))
            self.assertEqual(
                done.stdout, b"OK\nQUEUED\nOK\n0\nOK\nQUEUED\nQUEUED\nLIST 2\nOK\nOK\nLIST 2\n1\n2\n")
            self.assertIn(b"line 4: DISCARD is sent instead", done.stderr)
            self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 3), done)

    def test_the_line_may_be_as_long_as_the_server_takes(self):
        put = lambda size: b"PUT k " + b"x" * (size - 6) + b"\n"
        KiB, MiB = 1024, 1024 * 1024
        with Server("--max-line", "100KiB") as server:
            for script, out in (
                    (put(100 * KiB) + put(2 * KiB) + b"STRLEN k\n", b"OK\nOK\n2042\n"),
                    (put(100 * KiB)[:-1] + b"\r\n", b"OK\n"),
                    (put(100 * KiB)[:-1], b"OK\n"),
                    (b"CONFIG SET max-line 1MiB\n" + put(MiB) + b"STRLEN k\n", b"OK\nOK\n1048570\n"),
                    (put(MiB)[:-1] + b"\r\nPING\n", b"OK\n+PONG\n")):
                with self.subTest(len(script)):
                    done = run("butterdb-client", "--port", server.port, stdin=script)
                    self.assertEqual((done.stdout, done.stderr, done.returncode), (out, b"", 0))

    def test_a_line_that_is_too_long_for_the_server_is_not_sent(self):
        put = lambda size: b"PUT k " + b"x" * (size - 6) + b"\n"
        for limit, default in (("1KiB", "1024"), ("64KiB", "65536"), ("1MiB", "1048576")):
            size = int(default)
            with Server("--max-line", limit) as server:
                done = run("butterdb-client", "--port", server.port, stdin=(
                    put(size) + put(size + 1) + b"PING\n" + put(4 * size) + b"PING\n" + put(2 * size)[:-1]))
                self.assertEqual(done.stdout, b"OK\n+PONG\n+PONG\n")
                self.assertEqual([line.split(b",")[0] for line in done.stderr.splitlines()], [
                    b"line %d: not sent: the line is longer than the server takes" % n for n in (2, 4, 6)])
                self.assertEqual(done.stderr.count(default.encode() + b" bytes (--max-line"), 3)

    def test_where_the_servers_limit_cannot_be_asked_the_default_holds(self):
        put = lambda size: b"PUT k " + b"x" * (size - 6) + b"\n"
        with Server("--max-line", "100KiB") as server:
            done = run("butterdb-client", "--port", server.port, stdin=(
                b"MULTI\n" + put(64 * 1024) + b"EXEC\nMULTI\n" + put(80 * 1024) + b"EXEC\n" +
                put(80 * 1024) + b"MULTI\n" + put(100 * 1024) + b"EXEC\n"))
            self.assertEqual(done.stdout, b"OK\nQUEUED\nLIST 1\nOK\nOK\nOK\nOK\nOK\nQUEUED\nLIST 1\nOK\n")
            self.assertEqual(len(done.stderr.splitlines()), 2, done.stderr)
        with Server("--max-line", "100KiB", env=clean_environment(BUTTERDB_PASSWORD="secret")) as server:
            done = run("butterdb-client", "--port", server.port, stdin=(
                put(64 * 1024) + put(64 * 1024 + 1) + b"AUTH secret\n" + put(100 * 1024)))
            self.assertEqual(done.stdout.splitlines()[-1], b"OK")
            self.assertIn(b"line 2: not sent", done.stderr)
            self.assertNotIn(b"line 4", done.stderr)

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

    def test_raw_prints_the_elements_of_lists(self):
        with Server() as server:
            def raw(script):
                return run("butterdb-client", "--port", server.port, "--raw", stdin=script).stdout

            run("butterdb-client", "--port", server.port, "MSET", "a", "x\ny", "b", "OK", "c", "\u202e\x1b")
            self.assertEqual(raw(b"MGET a b none c\n"), b"x\ny\nOK\nNOT_FOUND\n\xe2\x80\xae\x1b\n")
            self.assertEqual(raw(b"SCAN 0 MATCH a\n"), b"0\na\n")
            self.assertEqual(raw(b"KEYS none\nPING\n"), b"+PONG\n")
            self.assertEqual(raw(b"MULTI\nGET a\nPING\nEXEC\n"), b"OK\nQUEUED\nQUEUED\nx\ny\n+PONG\n")

    def test_a_long_argument_goes_to_a_server_that_takes_it(self):
        with Server("--max-line", "1MiB") as server:
            done = run("butterdb-client", "--port", server.port, "PUT", "k", "x" * 100_000)
            self.assertEqual((done.stdout, done.stderr, done.returncode), (b"OK\n", b"", 0))
        with Server() as server:
            done = run("butterdb-client", "--port", server.port, "PUT", "k", "x" * 100_000)
            self.assertEqual((done.stdout, done.returncode), (b"", 1))
            self.assertIn(b"not sent: the line is longer than the server takes, 65536 bytes", done.stderr)

    def test_two_dashes_end_the_options(self):
        with Server() as server:
            ask = lambda *words: run("butterdb-client", "--port", server.port, *words)
            self.assertEqual(ask("--", "PING").stdout, b"+PONG\n")
            self.assertEqual(ask("--", "ECHO", "--raw").stdout, b"--raw\n")
            self.assertEqual(ask("ECHO", "--").stdout, b"--\n")
            self.assertEqual(ask("--", "ECHO", "--").stdout, b"--\n")
            self.assertIn(b"unknown command '--flag'", ask("--", "--flag").stdout)
            self.assertEqual(
                run("butterdb-client", "--port", server.port, "--", stdin=b"PING\n").stdout, b"+PONG\n")
            self.assertEqual(ask("--flag", "--", "PING").returncode, 2)

    def test_numbers_of_options_are_decimal(self):
        with Server() as server:
            padded = f"00{server.port}"
            for arguments, env in ((["--port", padded], {}), ([], {"BUTTERDB_PORT": padded})):
                done = run("butterdb-client", *arguments, "--timeout", "0010", "PING", env=clean_environment(**env))
                self.assertEqual(done.stdout, b"+PONG\n", done.stderr)
                done = run("butterdb-bench", *arguments, "--clients", 1, "--ops", 1, env=clean_environment(**env))
                self.assertEqual(done.returncode, 0, done.stderr)
        done = run("butterdb-client", "--port", "010", "PING")
        self.assertIn(b"localhost:10:", done.stderr)
        for arguments, env in ((["--port", "07777"], {}), ([], {"BUTTERDB_PORT": "07777"})):
            done = run("butterdb", *arguments, "--print-config", env=clean_environment(**env))
            self.assertIn(b"\nport = 7777\n", done.stdout)

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
        for arguments in (["--port", "x"], ["--port", "0x10"], ["--port", "0"], ["--port", "65536"],
                          ["--port", "+1"], ["--port", "1 "], ["--nonsense"], ["--timeout", "-1"],
                          ["--timeout", "0x1"], ["--timeout", "1.5"], ["--timeout", ""]):
            done = run("butterdb-client", *arguments)
            self.assertEqual(done.returncode, 2, done)
        done = run("butterdb-client", "--port", "70000\u202e")
        self.assertIn(b"--port: wants a number from 1 to 65535, not '70000\\xe2\\x80\\xae'", done.stderr)


class Misbehaving(unittest.TestCase):
    """A server of one connection that answers with fixed bytes."""

    def against(self, replies, *arguments, stdin=b"ECHO a\nECHO b\nECHO c\n", close=True, env={}):
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
            "butterdb-client", "--port", listener.getsockname()[1], *arguments, stdin=stdin,
            env=clean_environment(**env))
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

    def test_refuses_the_connection(self):
        for words in (["GET", "a"], ["PUT", "a", "x" * 2000]):
            done = self.against(b"-ERR max number of clients reached\r\n", *words)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"-ERR max number of clients reached\n", done.stdout + done.stderr)

    def test_closes_instead_of_telling_its_limit(self):
        done = self.against(b"", "PUT", "a", "x" * 2000)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"the connection is lost", done.stderr)
        done = self.against(b"OK\n", stdin=b"PUT a b\nPUT a " + b"x" * 2000 + b"\n")
        self.assertEqual((done.returncode, done.stdout), (1, b"OK\n"))
        self.assertIn(b"the connection is lost", done.stderr)

    def test_sends_quotes_that_do_not_close(self):
        for reply in (b'"\n', b'"a"b\n', b'"a" b\n', b'"a" "b"\n', b'"a\\"\n', b'LIST 2\na\n"\n'):
            with self.subTest(reply):
                done = self.against(reply, "--raw", "GET", "a")
                self.assertEqual(done.returncode, 1)
                self.assertEqual(done.stderr, b"butterdb-client: the server's reply cannot be read\n")

    def test_sends_control_characters(self):
        """Not even a server that lies can do anything to a terminal that shows what was printed."""
        evil = "a\x1b[31m\x9b\u202e\r\x07\x00".encode()
        escaped = rb"a\x1b[31m\xc2\x9b\xe2\x80\xae\x0d\x07\x00"
        for reply, out, error in (
                (evil, b'"' + escaped.replace(rb"\x0d", rb"\r").replace(rb"\x07", rb"\a") + b'"', b""),
                (b"ERROR ERR " + evil, b"ERROR ERR " + escaped, b"line 1: ERROR ERR " + escaped + b"\n"),
                (b"INVALID " + evil, b"INVALID " + escaped, b"line 1: INVALID " + escaped + b"\n"),
                (b"-ERR " + evil + b"\r", b"-ERR " + escaped, b"line 1: -ERR " + escaped + b"\n")):
            with self.subTest(reply):
                done = self.against(reply + b"\n", stdin=b"GET a\n")
                self.assertEqual((done.stdout, done.stderr), (out + b"\n", error))
                done = self.against(reply + b"\n", "--raw", stdin=b"GET a\n")
                self.assertEqual((done.stdout, done.stderr), (reply.rstrip(b"\r") + b"\n", error))
        done = self.against(b"ERROR " + evil + b"\n", stdin=b"", env={"BUTTERDB_PASSWORD": "secret"})
        self.assertTrue(done.stderr.endswith(b": ERROR " + escaped.split(rb"\x0d")[0] + b"\n"), done.stderr)

    def test_sends_a_list_without_end(self):
        done = self.against(b"LIST 99999999999999999999\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"cannot be read", done.stderr)


@unittest.skipUnless(can_have_a_terminal(), "no pseudo-terminals here")
class Terminal(unittest.TestCase):
    def printed(self, server, *arguments):
        """What the client prints on a terminal that shows it."""
        terminal, other_side = pty.openpty()
        tty.setraw(other_side)
        subprocess.run(
            [program("butterdb-client"), "--port", str(server.port), *arguments], stdin=subprocess.DEVNULL,
            stdout=other_side, stderr=subprocess.PIPE, env=clean_environment(), timeout=TIMEOUT)
        os.close(other_side)
        text = b""
        try:
            while chunk := os.read(terminal, 65536):
                text += chunk
        except OSError:  # the other side is closed
            pass
        os.close(terminal)
        return text

    def test_no_value_controls_the_terminal(self):
        with Server() as server:
            value = "\u00e4 \x1b[31m\u009b1m\u202e\u061c\u2066\r\t\n\u05e9"
            run("butterdb-client", "--port", server.port, "PUT", "k", value)
            escaped = rb"\xc2\x9b1m\xe2\x80\xae\xd8\x9c\xe2\x81\xa6"
            self.assertEqual(
                self.printed(server, "GET", "k"),
                b'"\xc3\xa4 \\x1b[31m' + escaped + b'\\r\\t\\n\xd7\xa9"\n')
            # --raw keeps only what lays a text out.
            self.assertEqual(
                self.printed(server, "--raw", "GET", "k"),
                b"\xc3\xa4 \\x1b[31m" + escaped + b"\\x0d\t\n\xd7\xa9\n")
            # In a pipe it gives every byte back.
            done = run("butterdb-client", "--port", server.port, "--raw", "GET", "k")
            self.assertEqual(done.stdout, value.encode() + b"\n")

    def test_no_error_controls_the_terminal(self):
        with Server() as server:
            self.assertIn(
                rb"unknown command '\xe2\x80\xae'; HELP", self.printed(server, "--raw", "\u202e"))

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
