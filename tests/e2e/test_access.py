"""Who may come in: passwords, protected mode, the unix socket's permissions."""

import contextlib
import os
import re
import resource
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

from certificates import Authority
from harness import INSIDE, SANITIZED, TIMEOUT, Connection, Server, can_have_a_namespace, clean_environment, main, run

DENIED = b"-ERR DENIED ButterDB serves only clients of its own machine"


class Password(unittest.TestCase):
    def file(self, content, mode=0o600):
        """The path of a file with these bytes."""
        file = tempfile.NamedTemporaryFile(suffix=".password")
        self.addCleanup(file.close)
        file.write(content)
        file.flush()
        os.chmod(file.name, mode)
        return file.name

    def check(self, server, word):
        with server.connect() as c:
            self.assertEqual(c.ask(b"GET a"), b"ERROR NOAUTH Authentication required.")
            self.assertTrue(c.ask(b"AUTH nonsense").startswith(b"ERROR WRONGPASS "))
            self.assertEqual(c.ask(b'AUTH "%s"' % word), b"+OK\r")
            self.assertEqual(c.ask(b"PUT a 1"), b"OK")

    def test_from_a_file_with_and_without_line_end(self):
        for content in (b"open sesame", b"open sesame\n", b"open sesame\r\n"):
            with self.subTest(content), Server("--password-file", self.file(content)) as server:
                self.check(server, b"open sesame")

    def test_from_the_environment(self):
        with Server(env=clean_environment(BUTTERDB_PASSWORD="open sesame")) as server:
            self.check(server, b"open sesame")
            self.assertNotIn("sesame", Path(f"/proc/{server.process.pid}/cmdline").read_text())

    def test_odd_files_are_refused(self):
        for content in (b"", b"\n", b"two\nlines\n", b"a\x00b", b"x" * 513, b"x" * 100_000):
            with self.subTest(content[:10]):
                done = run("butterdb", "--port", 0, "--password-file", self.file(content))
                self.assertEqual(done.returncode, 1)
                self.assertIn(b"is to hold one line of 1 to 512 bytes", done.stderr)
        with Server("--password-file", self.file(b"x" * 512 + b"\n")) as server:
            self.check(server, b"x" * 512)
        for path in ("/nonexistent", "/"):
            done = run("butterdb", "--port", 0, "--password-file", path)
            self.assertEqual((done.returncode, done.stderr.count(b"\n")), (1, 1), done)

    def test_two_passwords_are_refused(self):
        done = run("butterdb", "--port", 0, "--password-file", self.file(b"x"),
                   env=clean_environment(BUTTERDB_PASSWORD="y"))
        self.assertEqual(done.returncode, 2, done)
        self.assertIn(b"twice", done.stderr)

    def test_an_empty_one_is_refused_and_not_taken_for_none(self):
        for env in ({"BUTTERDB_PASSWORD": ""}, {"BUTTERDB_PASSWORD_FILE": ""}):
            done = run("butterdb", "--port", 0, env=clean_environment(**env))
            self.assertEqual((done.returncode, done.stderr.count(b"\n")), (2, 1), done)
            self.assertIn(b"for no password", done.stderr)
        with Server("--password-file", self.file(b"sesame"), env=clean_environment(BUTTERDB_PASSWORD_FILE="")) as server:
            self.check(server, b"sesame")
        done = run("butterdb", "--port", 0, "--password-file", "")
        self.assertEqual((done.returncode, done.stderr.count(b"\n")), (2, 1), done)

    def test_it_is_neither_printed_nor_logged(self):
        path = self.file(b"open-sesame", 0o644)
        shown = run("butterdb", "--print-config", "--password-file", path)
        self.assertIn(path.encode(), shown.stdout)
        self.assertNotIn(b"sesame", shown.stdout)
        with Server("--password-file", path) as server, server.connect() as c:
            c.ask(b"AUTH wrong-sesame")
            c.ask(b"AUTH open-sesame")
            for question in (b"CLIENT LIST\n", b"INFO everything\n", b"CONFIG GET *\n"):
                c.send(question + b"ECHO .\n")
                while (line := c.line()) != b".":
                    self.assertNotIn(b"sesame", line)
            log = server.stderr()
            self.assertIn("everybody on this machine can read the password file", log)
            self.assertIn("a wrong password from 127.0.0.1:", log)
            self.assertNotIn("-sesame", log)

    def places_of(self, secret, pid):
        """Where in a process's memory, environment and command line these bytes are."""
        found = [name for name in ("environ", "cmdline") if secret in Path(f"/proc/{pid}/{name}").read_bytes()]
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
                begin, end = (int(bound, 16) for bound in line.split()[0].split("-"))
                if line.split()[1][0] != "r" or line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                    continue
                while begin < end:
                    memory.seek(begin)
                    piece = memory.read(min(end - begin, 1 << 24))
                    if secret in piece:
                        found.append(line)
                    begin += max(len(piece) - len(secret), 4096)
        return found

    @unittest.skipIf(SANITIZED, "the shadow memory of a sanitizer has terabytes")
    def test_x16_it_is_nowhere_in_the_process_in_clear(self):
        short, long = "sesame-7q", "a much longer sesame, of 40 bytes: 7q9xk"
        for word in (short, long):
            path = self.file(word.encode() + b"\n")
            for options, variables in (((), {"BUTTERDB_PASSWORD": word}), (("--password-file", path), {})):
                with self.subTest(word, options=options), \
                        Server(*options, env=clean_environment(**variables)) as server:
                    try:
                        places = self.places_of(word.encode(), server.process.pid)
                        self.assertTrue(self.places_of(b"listening on 127.0.0.1:", server.process.pid))
                    except PermissionError:
                        self.skipTest("no permission to read the memory of a child")
                    self.assertEqual(places, [])
                    self.check(server, word.encode())

    def test_x16_a_file_that_its_group_can_read_gives_a_warning(self):
        for mode, warning in ((0o600, ""), (0o640, "members of its group"), (0o644, "everybody on this machine")):
            path = self.file(b"sesame", mode)
            with self.subTest(mode), Server("--password-file", path) as server:
                expected = f" warning {warning} can read the password file {path}; chmod 600 it\n" if warning else ""
                self.assertTrue(server.stderr().endswith(expected) and bool(server.stderr()) == bool(warning),
                                server.stderr())

    def test_our_programs_say_it(self):
        path = self.file(b"it's \"open\" sesame\n")
        with Server("--password-file", path) as server:
            def client(*arguments, **env):
                return run("butterdb-client", "--port", server.port, *arguments, env=clean_environment(**env))
            self.assertEqual(client("--password-file", path, "PUT", "a", "1").stdout, b"OK\n")
            self.assertEqual(client("GET", "a", BUTTERDB_PASSWORD="it's \"open\" sesame").stdout, b"1\n")
            without = client("GET", "a")
            self.assertEqual((without.returncode, without.stdout[:13]), (1, b"ERROR NOAUTH "))
            wrong = client("GET", "a", BUTTERDB_PASSWORD="no")
            self.assertEqual((wrong.returncode, wrong.stdout), (1, b""))
            self.assertIn(b"the server refuses the password", wrong.stderr)
            bench = run("butterdb-bench", "--port", server.port, "--password-file", path, "--clients", 2, "--ops", 100)
            self.assertEqual(bench.returncode, 0, bench)
            bench = run("butterdb-bench", "--port", server.port, "--clients", 2, "--ops", 100)
            self.assertEqual(bench.returncode, 1, bench)

    @unittest.skipUnless(shutil.which("redis-cli"), "redis-cli is not installed (tools/setup installs it)")
    def test_redis_cli_says_it(self):
        with Server(env=clean_environment(BUTTERDB_PASSWORD="sesame")) as server:
            done = subprocess.run(
                ["redis-cli", "-p", str(server.port), "--pass", "sesame", "--no-auth-warning", "SET", "a", "1"],
                capture_output=True, timeout=TIMEOUT)
            self.assertEqual(done.stdout, b"OK\n")


# Runs in a network namespace of its own, with an address of the machine that is no loopback one.
class ProtectedMode(unittest.TestCase):
    def test_in_a_namespace(self):
        if INSIDE in os.environ:
            self.skipTest("is inside")
        if not can_have_a_namespace():
            self.skipTest("no network namespaces here")
        done = subprocess.run(
            ["unshare", "--net", "sh", "-c",
             "ip link set lo up && ip address add 10.9.8.7/8 dev lo && exec \"$0\" \"$@\"",
             sys.executable, __file__, "ProtectedMode"],
            env={**os.environ, INSIDE: "1"}, capture_output=True, timeout=TIMEOUT)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        self.assertIn(b"OK", done.stderr)
        self.assertIn(b"skipped=1", done.stderr)

    @unittest.skipUnless(INSIDE in os.environ, "runs in a namespace")
    def test_others_are_told_why_they_are_not_served(self):
        with Server("--bind", "0.0.0.0") as server:
            with server.connect("10.9.8.7") as other:
                reply = other.rest()
                self.assertTrue(reply.startswith(DENIED), reply)
                self.assertEqual(reply.count(b"\r\n"), 1)
            with server.connect() as own:
                self.assertEqual(own.ask(b"PUT a 1"), b"OK")
            self.assertEqual(server.info("rejected_connections"), "1")
            self.assertIn("set a password (--password-file) for others at 0.0.0.0:", server.stderr())
            self.assertIn("protected mode: turned away 10.9.8.7:", server.stderr())

    @unittest.skipUnless(INSIDE in os.environ, "runs in a namespace")
    def test_others_are_served_where_it_was_chosen_or_a_password_is_set(self):
        with Server("--bind", "0.0.0.0", "--protected-mode", "no") as server:
            with server.connect("10.9.8.7") as other:
                self.assertEqual(other.ask(b"PING"), b"+PONG\r")
            self.assertIn("whoever reaches this address may read and delete everything: 0.0.0.0:", server.stderr())
        with Server("--bind", "0.0.0.0", env=clean_environment(BUTTERDB_PASSWORD="sesame")) as server:
            with server.connect("10.9.8.7") as other:
                self.assertEqual(other.ask(b"AUTH sesame"), b"+OK\r")


    @unittest.skipUnless(INSIDE in os.environ, "runs in a namespace")
    def test_others_are_served_who_show_a_certificate(self):
        authority = Authority()
        certificate, key = authority.sign("server", "IP:10.9.8.7")
        context = ssl.create_default_context(cafile=authority.certificate)
        context.load_cert_chain(*authority.sign_client("client"))
        tls = ("--tls-port", "0", "--tls-cert", certificate, "--tls-key", key)
        with Server("--bind", "0.0.0.0", *tls, "--tls-ca", authority.certificate, port="off") as server:
            with socket.create_connection(("10.9.8.7", server.tls_port), TIMEOUT) as raw:
                other = Connection(context.wrap_socket(raw, server_hostname="10.9.8.7"))
                self.assertEqual(other.ask(b"PING"), b"+PONG\r")
                other.close()
            self.assertNotIn("warning", server.stderr())
        with Server("--bind", "0.0.0.0", *tls, port="off") as server:
            with socket.create_connection(("10.9.8.7", server.tls_port), TIMEOUT) as raw:
                self.assertEqual(raw.recv(100), b"")
            self.assertIn("protected mode: turned away 10.9.8.7:", server.stderr())


def array(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Administrator(unittest.TestCase):
    """Whatever CONFIG SET has set, an administrator on the same machine can set it back."""

    def values(self, c, name):
        """The least and the greatest value of a setting, or all of its words; none for one that stays."""
        reply = c.ask(b"CONFIG SET %s ?" % name).decode()
        if "immutable" in reply:
            return []
        if words := re.search(r"it is one of (.*)", reply):
            return words[1].split(", ")
        least, most = re.search(r" from (\w+) to (\w+), not", reply).groups()
        if possible := re.search(r"allows (\d+)", c.ask(b"CONFIG SET %s %s" % (name, most.encode())).decode()):
            most = possible[1]
        return [least, most] + (["0"] if "is 0 or" in reply else [])

    def config(self, server, *words):
        """What a new connection is told; in both dialects the same."""
        with server.connect() as c:
            self.assertEqual(c.ask(b"AUTH sesame"), b"+OK\r")
            text = c.ask(b"CONFIG " + b" ".join(words))
            lines = [c.line() for _ in range(int(text.split()[1]))] if text.startswith(b"LIST") else []
        with server.connect() as c:
            self.assertEqual(c.send(array(b"AUTH", b"sesame")).line(), b"+OK\r")
            resp = c.send(array(b"CONFIG", *words)).line()
            self.assertEqual(resp, b"*%d\r" % len(lines) if lines else b"+OK\r")
        return lines or text

    def test_f19_every_setting_at_its_ends_can_be_set_back(self):
        with Server(env=clean_environment(BUTTERDB_PASSWORD="sesame")) as server:
            names = self.config(server, b"GET", b"*")[::2]
            changed = 0
            for name in names:
                with server.connect() as c:
                    self.assertEqual(c.ask(b"AUTH sesame"), b"+OK\r")
                    values = self.values(c, name)
                before = self.config(server, b"GET", name)[1]
                for value in values:
                    with self.subTest(name, value=value), server.connect() as idle, server.connect() as guest:
                        self.assertEqual(idle.ask(b"AUTH sesame"), b"+OK\r")
                        self.assertTrue(guest.ask(b"PING").startswith(b"ERROR NOAUTH"))
                        self.assertEqual(self.config(server, b"SET", name, value.encode()), b"OK")
                        self.assertEqual(self.config(server, b"SET", name, before), b"OK")
                        self.assertEqual(self.config(server, b"GET", name)[1], before)
                        changed += 1
            self.assertGreater(changed, 60)
            self.assertIn("the limit of clients is reached", self.refuse_one(server).stderr())

    def refuse_one(self, server):
        with server.connect() as first:
            first.ask(b"AUTH sesame")
            self.assertEqual(first.ask(b"CONFIG SET max-clients 1"), b"OK")
            with server.connect() as second:
                self.assertEqual(second.exchange(b"PING\n"), b"-ERR max number of clients reached\r\n")
        return server

    def test_f19_an_administrator_comes_in_while_clients_take_every_place_again_and_again(self):
        with Server("--max-clients", "1") as server, server.connect() as only:
            self.assertEqual(only.ask(b"PING"), b"+PONG\r")
            crowd = [server.connect() for _ in range(20)]
            refused = self.administer(server, b"CONFIG SET max-clients 100")
            for each in crowd:
                self.assertEqual(each.rest(), b"-ERR max number of clients reached\r\n")
                each.close()
            self.assertEqual(server.info("rejected_connections"), str(20 + refused))
            self.assertEqual(server.stderr().count("the limit of clients is reached"), 1)

    def administer(self, server, command):
        """Tries until silent connections have made room. Returns how many times it was refused."""
        refused = 0
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            with server.connect() as c, contextlib.suppress(ConnectionError):
                answer = c.ask(command)
                if answer == b"OK":
                    return refused
                self.assertEqual(answer, b"-ERR max number of clients reached\r")
            refused += 1
        self.fail(f"refused {refused} times")

    def test_f19_an_administrator_who_pauses_keeps_its_place_while_clients_of_the_same_machine_retry(self):
        with Server("--max-clients", "1") as server, server.connect() as only:
            self.assertEqual(only.ask(b"PING"), b"+PONG\r")
            with server.connect() as c:
                self.assertEqual(c.ask(b"CLIENT GETNAME"), b"NOT_FOUND")
                for _ in range(200):
                    with server.connect() as other, contextlib.suppress(ConnectionError):
                        other.exchange(b"GET a\n")
                self.assertEqual(c.ask(b"CONFIG SET max-clients 2"), b"OK")

    def test_f19_where_descriptors_are_few_some_are_left_for_administrators(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))

        with Server("--max-clients", "1000", preexec_fn=limit) as server:
            with server.connect() as c:
                c.send(b"CONFIG GET max-clients\n")
                places = int([c.line() for _ in range(3)][2])
            crowd = []
            for _ in range(places):
                crowd.append(server.connect())
                while crowd[-1].ask(b"PING") != b"+PONG\r":  # until the place is free again
                    crowd[-1] = server.connect()
            crowd += [server.connect() for _ in range(30)]
            self.administer(server, b"CONFIG SET max-clients %d" % places)
            self.assertNotIn("cannot accept", server.stderr())
            for each in crowd:
                each.close()


class UnixSocket(unittest.TestCase):
    def test_one_whose_owner_accepts_nobody_is_in_use(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as stuck, socket.socket(socket.AF_UNIX) as waits:
            path = f"{folder}/butterdb.sock"
            stuck.bind(path)
            stuck.listen(0)
            waits.connect(path)
            done = run("butterdb", "--port", "off", "--unix-socket", path)
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.assertIn(b"cannot listen on unix:", done.stderr)

    def test_x10_a_server_that_stops_leaves_the_socket_of_its_successor(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/butterdb.sock"
            with Server("--unix-socket", path) as first:
                os.unlink(path)
                with Server("--unix-socket", path):
                    self.assertEqual(first.stop(), 0)
                    with socket.socket(socket.AF_UNIX) as client:
                        client.connect(path)
                        client.sendall(b"PING\n")
                        self.assertEqual(client.recv(100), b"+PONG\r\n")
                self.assertFalse(os.path.exists(path))

    def test_it_is_never_reachable_for_others(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/butterdb.sock"
            modes = set()
            done = threading.Event()

            def look():
                while not done.is_set():
                    try:
                        modes.add(stat.S_IMODE(os.stat(path).st_mode))
                    except FileNotFoundError:
                        pass

            watcher = threading.Thread(target=look)
            watcher.start()
            try:
                for _ in range(20):
                    with Server("--unix-socket", path, "--protected-mode", "yes"):
                        sock = socket.socket(socket.AF_UNIX)
                        sock.connect(path)
                        sock.sendall(b"PING\n")
                        self.assertEqual(sock.recv(100), b"+PONG\r\n")
                        sock.close()
            finally:
                done.set()
                watcher.join()
            self.assertEqual(modes, {0o600})


if __name__ == "__main__":
    main()
