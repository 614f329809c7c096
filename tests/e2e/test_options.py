"""Options of the server: command line, environment, file; what is wrong is said in one line."""

import os
import socket
import tempfile
import unittest

from harness import Server, clean_environment, main, run


class Wrong(unittest.TestCase):
    def refused(self, status, *arguments, env=None):
        done = run("butterdb", *arguments, env=env)
        self.assertEqual(done.returncode, status, done)
        self.assertEqual(done.stdout, b"")
        lines = done.stderr.decode().splitlines()
        self.assertEqual(len(lines), 1, lines)
        self.assertTrue(lines[0].startswith("butterdb: "), lines)
        return lines[0]

    def test_values(self):
        for arguments in (
                ["--port", "-1"], ["--port", "65536"], ["--port", "abc"], ["--port", ""],
                ["--port"], ["--max-memory", "1gbx"], ["--max-memory", "-1"],
                ["--max-memory", "99999999999999999999"], ["--max-memory", "20000000TiB"],
                ["--max-memory", "0"], ["--max-memory", "1000"], ["--eviction", "lru"], ["--max-memory", ""], ["--max-clients", "0"],
                ["--max-key", "0"], ["--max-value", "1TiB"], ["--idle-timeout", "-1"],
                ["--log-level", "loud"], ["--nonsense"], ["stray"],
                ["--port", "1", "--port", "2"]):
            with self.subTest(arguments):
                self.refused(2, *arguments)

    def test_environment(self):
        for name, value, reason in (
                ("BUTTERDB_PORT", "x", "port is a number from 0 to 65535, or off, not 'x'"),
                ("BUTTERDB_MAX_MEMORY", "1x", "max-memory is a size from 1MiB to 4194304TiB, not '1x'"),
                ("BUTTERDB_BIND", "nowhere", "bind takes IP addresses, not 'nowhere'")):
            line = self.refused(2, env=clean_environment(**{name: value}))
            self.assertEqual(line, f"butterdb: {name}: {reason}")
        line = self.refused(2, "--port", "y", env=clean_environment(BUTTERDB_PORT="x"))
        self.assertIn("butterdb: --port is a number from 0 to 65535, or off, not 'y'", line)

    def test_addresses(self):
        self.assertIn("takes IP addresses", self.refused(2, "--port", 0, "--bind", "nowhere"))
        self.refused(2, "--print-config", "--tls-port", 5)
        self.refused(1, "--port", 0, "--bind", "192.0.2.1")
        self.refused(1, "--port", 0, "--unix-socket", "/nonexistent/folder/socket")
        self.refused(1, "--port", 0, "--unix-socket", "/" + "x" * 200)
        with tempfile.NamedTemporaryFile() as file:
            self.assertIn("no socket", self.refused(1, "--port", 0, "--unix-socket", file.name))

    def test_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            line = self.refused(1, "--port", taken.getsockname()[1])
            self.assertIn("--port", line)

    def test_files(self):
        self.refused(1, "--config", "/nonexistent")
        self.refused(1, env=clean_environment(BUTTERDB_CONFIG="/nonexistent"))
        with tempfile.TemporaryDirectory() as folder:
            self.refused(1, "--config", folder)
            path = os.path.join(folder, "butterdb.conf")
            form = "a line is NAME = VALUE"
            for text, number, reason in (
                    (b"prot = 1\n", 1, "unknown option 'prot'"),
                    (b"# a comment\n\nport = x\n", 3, "port is a number from 0 to 65535, or off, not 'x'"),
                    (b"port = 1\r\nmax-memory = 1x\r\n", 2,
                     "max-memory is a size from 1MiB to 4194304TiB, not '1x'"),
                    (b"eviction = lru\n", 1, "eviction: lru not in {clock,none}"),
                    (b"[section]\nport = 1\n", 1, "there are no sections: " + form),
                    (b"port 7420\n", 1, "'port 7420' has no '=': " + form),
                    (b"port = 1\nport = 2\n", 2, "port is given twice, on line 1 too"),
                    (b"config = x\n", 1, "config is an option of the command line alone"),
                    (b"bind = nowhere\n", 1, "bind takes IP addresses, not 'nowhere'"),
                    (b"port = 1\ntls-port = 5\n", 2, "tls-port needs --tls-cert and --tls-key"),
                    (b"unix-socket = \"/tmp/a\n", 1, "a quote does not end"),
                    (b"\xff\xfep\0o\0r\0t\0", 1, "the file is in UTF-16; it has to be in UTF-8")):
                with self.subTest(text), open(path, "wb") as file:
                    file.write(text)
                    file.flush()
                    for line in (self.refused(2, "--config", path),
                                 self.refused(2, env=clean_environment(BUTTERDB_CONFIG=path))):
                        self.assertEqual(line, f"butterdb: {path}:{number}: {reason}")


class Right(unittest.TestCase):
    def config(self, *arguments, **env):
        done = run("butterdb", "--print-config", *arguments, env=clean_environment(**env))
        self.assertEqual(done.returncode, 0, done)
        return dict(line.split(" = ") for line in done.stdout.decode().splitlines()
                    if not line.startswith("#"))

    def test_sizes(self):
        for text, shown in (
                ("64MiB", "64MiB"), ("64mb", "64MiB"), ("1048576", "1MiB"), ("1GiB", "1GiB"),
                ("2000000", "2000000"), ("2 GiB", "2GiB")):
            self.assertEqual(self.config("--max-memory", text)["max-memory"], shown)

    def test_command_line_beats_environment_beats_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("port = 1001\nmax-clients = 1001\nmax-key = 1KiB\n# comment\n")
            file.flush()
            seen = self.config(
                "--config", file.name, "--port", "1003",
                BUTTERDB_PORT="1002", BUTTERDB_MAX_CLIENTS="1002")
            self.assertEqual(seen["port"], "1003")
            self.assertEqual(seen["max-clients"], "1002")
            self.assertEqual(seen["max-key"], "1KiB")
            self.assertEqual(self.config(BUTTERDB_CONFIG=file.name)["port"], "1001")

    def test_printed_configuration_gives_itself_again(self):
        arguments = ["--port", 0, "--bind", "127.0.0.1", "--bind", "127.0.0.2", "--max-memory",
                     "100MiB", "--idle-timeout", 7, "--log-level", "error"]
        first = run("butterdb", "--print-config", *arguments).stdout
        for text in (first, run("butterdb", "--print-config").stdout):
            with tempfile.NamedTemporaryFile("wb") as file:
                file.write(text)
                file.flush()
                again = run("butterdb", "--config", file.name, "--print-config")
                self.assertEqual(again.stdout, text, again)
        with tempfile.NamedTemporaryFile("wb") as file:
            file.write(first)
            file.flush()
            with Server("--config", file.name) as server:
                self.assertEqual(
                    server.addresses,
                    [f"127.0.0.1:{server.port}", f"127.0.0.2:{server.port}"])

    def test_limits_take_effect(self):
        with Server("--max-key", "3", "--max-value", "1KiB", "--max-memory", "1MiB") as server:
            with server.connect() as c:
                self.assertEqual(c.ask(b"PUT abc 1234"), b"OK")
                self.assertIn(b"--max-key", c.ask(b"PUT abcd 1"))
                self.assertIn(b"--max-value", c.ask(b"PUT abc " + b"x" * 1025))
                self.assertEqual(c.ask(b"GET abc"), b"1234")
        with Server("--max-memory", "1MiB") as server:
            with server.connect() as c:
                self.assertEqual(c.ask(b"PUT abc 1234"), b"OK")
                reply = b"OK"
                number = 0
                while reply == b"OK":
                    number += 1
                    reply = c.ask(b"PUT %d v" % number)
                self.assertTrue(reply.startswith(b"ERROR OOM "), reply)
                self.assertEqual(c.ask(b"GET abc"), b"1234")

    def test_a_port_of_kubernetes_is_none(self):
        link = clean_environment(BUTTERDB_PORT="tcp://10.0.0.1:9090")
        self.assertEqual(self.config(BUTTERDB_PORT="tcp://10.0.0.1:9090")["port"], "9090")
        self.assertEqual(self.config(BUTTERDB_TLS_PORT="tcp://10.0.0.1:9091")["tls-port"], "off")
        with Server(env=link) as server:
            self.assertIn("as Kubernetes sets it: ignored", server.stderr())
            self.assertEqual(run("butterdb-client", "--port", server.port, "PING", env=link).stdout, b"+PONG\n")

    def test_a_file_may_have_signs_of_comments_in_quotes(self):
        for socket in ('"/tmp/a #b"', "'/tmp/a #b'", "/tmp/o'x"):
            with self.subTest(socket), tempfile.NamedTemporaryFile("w") as file:
                file.write(f"# a comment\n  # another = 1\nunix-socket = {socket} # a third\nbacklog = 7# a fourth\n")
                file.flush()
                seen = self.config("--config", file.name)
                self.assertEqual((seen["unix-socket"], seen["backlog"]), ('"' + socket.strip("\"'") + '"', "7"))

    def test_a_file_may_begin_with_a_byte_order_mark_and_have_lists(self):
        with tempfile.NamedTemporaryFile("wb") as file:
            file.write(b"\xef\xbb\xbfmax-memory = 2 GiB\r\nbind = [127.0.0.1, '127.0.0.2']\r\nbind = 127.0.0.3\r\n")
            file.flush()
            seen = self.config("--config", file.name)
            self.assertEqual(seen["max-memory"], "2GiB")
            self.assertEqual(seen["bind"], '["127.0.0.1", "127.0.0.2", "127.0.0.3"]')

    def test_several_addresses_in_the_environment(self):
        with Server(env=clean_environment(BUTTERDB_BIND="127.0.0.1,127.0.0.2")) as server:
            self.assertEqual(
                server.addresses, [f"127.0.0.1:{server.port}", f"127.0.0.2:{server.port}"])

    def test_help_and_version(self):
        for name in ("butterdb", "butterdb-client", "butterdb-bench"):
            self.assertIn(b"--port", run(name, "--help").stdout)
            self.assertRegex(run(name, "--version").stdout, rb"^" + name.encode() + rb" \d+\.\d+")


if __name__ == "__main__":
    main()
