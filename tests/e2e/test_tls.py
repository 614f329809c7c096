"""TLS: the same server over another stream; who may come in with which certificate."""

import contextlib
import errno
import fcntl
import os
import pty
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import termios
import unittest
from pathlib import Path

from certificates import Authority
from harness import TIMEOUT, Connection, Server, clean_environment, main, program, run


class TlsServer(Server):
    def __init__(self, certificate, key, *options, **more):
        super().__init__("--tls-port", "0", "--tls-cert", certificate, "--tls-key", key, *options, **more)

    def connect_tls(self, context, name="localhost"):
        raw = socket.create_connection(("127.0.0.1", self.tls_port), TIMEOUT)
        try:
            return Connection(context.wrap_socket(raw, server_hostname=name, suppress_ragged_eofs=False))
        except BaseException:
            raw.close()
            raise


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.authority = Authority()
        cls.certificate, cls.key = cls.authority.sign("server")
        cls.trusting = ssl.create_default_context(cafile=cls.authority.certificate)

    def serve(self, *options, **more):
        return TlsServer(self.certificate, self.key, *options, **more)

    def test_both_dialects_and_pipelines(self):
        with self.serve() as server:
            with server.connect_tls(self.trusting) as c:
                self.assertEqual(c.exchange(b"PUT name samarth\nGET name\nDEL name\nEXIT\n"), b"OK\nsamarth\nDELETED\n")
            with server.connect_tls(self.trusting) as c:
                c.send(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n" * 5000)
                for _ in range(5000):
                    self.assertEqual(c.line(), b"+OK\r")

    def test_single_bytes_and_large_values(self):
        with self.serve() as server, server.connect_tls(self.trusting) as c:
            for byte in b"PUT a 1\n":
                c.send(bytes([byte]))
            self.assertEqual(c.line(), b"OK")
            value = bytes(range(256)) * 40_000
            c.send(b"*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$%d\r\n%s\r\n" % (len(value), value))
            self.assertEqual(c.line(), b"+OK\r")
            c.send(b"*2\r\n$3\r\nGET\r\n$1\r\nb\r\n*1\r\n$4\r\nQUIT\r\n")
            self.assertEqual(c.rest(), b"$%d\r\n%s\r\n+OK\r\n" % (len(value), value))

    def test_the_same_store_without_tls(self):
        with self.serve() as server, server.connect_tls(self.trusting) as c, server.connect() as plain:
            self.assertEqual(c.ask(b"PUT a 1"), b"OK")
            self.assertEqual(plain.ask(b"GET a"), b"1")
            plain.send(b"WAITKEY b 0\n")
            self.assertEqual(c.ask(b"PUT b 2"), b"OK")
            self.assertEqual(plain.line(), b"2")
            c.send(b"WAITKEY c 0\n")
            self.assertEqual(plain.ask(b"PUT c 3"), b"OK")
            self.assertEqual(c.line(), b"3")

    def test_tls_alone(self):
        with self.serve("--port", "off", port=None) as server:
            self.assertIsNone(server.port)
            with server.connect_tls(self.trusting) as c:
                self.assertEqual(c.ask(b"PING"), b"+PONG\r")

    def test_certificates_made_as_the_operations_page_says_satisfy_strict_clients(self):
        text = (Path(__file__).resolve().parents[2] / "docs/operations.md").read_text()
        recipe = re.search(r"(?ms)^```\n(openssl req -x509 .*?)^```$", text).group(1)
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["sh", "-ec", recipe], cwd=folder, check=True, capture_output=True, timeout=TIMEOUT)
            context = ssl.create_default_context(cafile=f"{folder}/authority.pem")
            context.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python 3.13 has it by default
            with TlsServer(f"{folder}/server.pem", f"{folder}/server.key") as server, \
                    server.connect_tls(context, "db.example.com") as c:
                self.assertEqual(c.ask(b"PING"), b"+PONG\r")

    def test_versions(self):
        # With the suites of TLS 1.1 too: it is its version that is refused.
        with self.serve("--tls-ciphers", "ALL:@SECLEVEL=0") as server:
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context = ssl.create_default_context(cafile=self.authority.certificate)
                context.minimum_version = context.maximum_version = version
                with server.connect_tls(context) as c:
                    self.assertEqual(c.ask(b"PING"), b"+PONG\r")
            old = ssl.create_default_context(cafile=self.authority.certificate)
            old.set_ciphers("ALL:@SECLEVEL=0")
            with self.subTest("TLS 1.1"):
                try:
                    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
                except ValueError:
                    self.skipTest("this Python knows no TLS 1.1")
                self.assertRaises((ssl.SSLError, OSError), server.connect_tls, old)

    def test_no_renegotiation(self):
        with self.serve() as server:
            done = subprocess.run(
                ["openssl", "s_client", "-connect", f"127.0.0.1:{server.tls_port}", "-tls1_2", "-CAfile",
                 self.authority.certificate], input=b"R\n", capture_output=True, timeout=TIMEOUT)
            self.assertIn(b"no renegotiation", done.stdout + done.stderr)

    def test_client_certificates(self):
        stranger = Authority()
        with self.serve("--tls-ca", self.authority.certificate) as server:
            own = ssl.create_default_context(cafile=self.authority.certificate)
            own.load_cert_chain(*self.authority.sign_client("client"))
            with server.connect_tls(own) as c:
                self.assertEqual(c.ask(b"PING"), b"+PONG\r")
            foreign = ssl.create_default_context(cafile=self.authority.certificate)
            foreign.load_cert_chain(*stranger.sign_client("client"))
            for context in (self.trusting, foreign):
                with self.assertRaises((ssl.SSLError, OSError, AssertionError)):
                    with server.connect_tls(context) as c:
                        c.ask(b"PUT a 1")
            with server.connect() as plain:
                self.assertEqual(plain.ask(b"DBSIZE"), b"0")
            self.assertEqual(server.info("tls_handshakes_failed"), "2")
            self.assertEqual(server.stderr().count("a TLS handshake failed: "), 1)

    def client_context(self, certificate_and_key):
        context = ssl.create_default_context(cafile=self.authority.certificate)
        context.load_cert_chain(*certificate_and_key)
        return context

    def expect_refused(self, server, context):
        """The client fails, by the latest when it reads: under TLS 1.3 its handshake is over before the server's."""
        with self.assertRaises((ssl.SSLError, OSError, AssertionError)):
            with server.connect_tls(context) as c:
                c.ask(b"PING")

    def test_a_client_certificate_must_be_for_clients(self):
        for purpose in (None, "serverAuth", "emailProtection", "anyExtendedKeyUsage"):
            with self.subTest(purpose), self.serve("--tls-ca", self.authority.certificate) as server:
                self.expect_refused(server, self.client_context(self.authority.sign("other", purpose=purpose)))
                server.await_log("a TLS handshake failed: ")
                self.assertIn("unsuitable certificate purpose (extendedKeyUsage lacks clientAuth)", server.stderr())
        both = self.client_context(self.authority.sign("both", purpose="serverAuth,clientAuth"))
        with self.serve("--tls-ca", self.authority.certificate) as server, server.connect_tls(both) as c:
            self.assertEqual(c.ask(b"PING"), b"+PONG\r")

    def test_a_revoked_client_certificate_is_refused_and_sighup_reads_the_list_again(self):
        authority = Authority()
        identity = authority.sign("server")
        first, second, third = (authority.sign_client(name) for name in ("first", "second", "third"))

        def context(files):
            trusting = ssl.create_default_context(cafile=authority.certificate)
            trusting.load_cert_chain(*files)
            return trusting

        def expect_served(files):
            with server.connect_tls(context(files)) as c:
                self.assertEqual(c.ask(b"PING"), b"+PONG\r")

        crl = authority.revoke(first[0])
        with TlsServer(*identity, "--tls-ca", authority.certificate, "--tls-crl", crl) as server:
            self.expect_refused(server, context(first))
            server.await_log(": certificate revoked")
            expect_served(second)
            authority.revoke(second[0])
            server.process.send_signal(signal.SIGHUP)
            server.await_log("read the certificates again")
            self.expect_refused(server, context(second))
            expect_served(third)
            Path(crl).write_text("no CRL\n")
            server.process.send_signal(signal.SIGHUP)
            server.await_log(f"the old certificates stay: cannot use the revoked certificates {crl}: ")
            self.expect_refused(server, context(second))
            expect_served(third)

    def test_suites_have_authenticated_encryption_and_forward_secrecy_unless_the_list_is_wider(self):
        certificate, key = self.authority.sign("rsa", algorithm="rsa:2048")
        old_suites = ("ECDHE-RSA-AES256-SHA384", "ECDHE-RSA-AES128-SHA", "AES256-GCM-SHA384", "AES128-SHA")
        modern_suites = ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305")

        def context(suite):
            only = ssl.create_default_context(cafile=self.authority.certificate)
            only.maximum_version = ssl.TLSVersion.TLSv1_2
            only.set_ciphers(suite)
            return only

        def expect_served(suite):
            with server.connect_tls(context(suite)) as c:
                self.assertEqual((c.ask(b"PING"), c.sock.cipher()[0]), (b"+PONG\r", suite))

        with TlsServer(certificate, key) as server:
            for suite in modern_suites:
                expect_served(suite)
            for suite in old_suites:
                with self.subTest(suite):
                    self.assertRaises((ssl.SSLError, OSError), server.connect_tls, context(suite))
        with TlsServer(certificate, key, "--tls-ciphers", ":".join(old_suites)) as server:
            for suite in old_suites:
                expect_served(suite)

    def test_what_is_no_handshake_is_closed(self):
        with self.serve() as server:
            for nonsense in (b"PING\n", b"*1\r\n$4\r\nPING\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff", b"\0" * 1000):
                with socket.create_connection(("127.0.0.1", server.tls_port), TIMEOUT) as raw:
                    raw.settimeout(TIMEOUT)
                    try:
                        raw.sendall(nonsense)
                        raw.shutdown(socket.SHUT_WR)
                        while raw.recv(1000):
                            pass
                    except OSError as error:  # the server may have closed it before each of them
                        self.assertIn(error.errno, (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN))
            with server.connect_tls(self.trusting) as c:
                self.assertEqual(c.ask(b"PING"), b"+PONG\r")

    def test_a_handshake_that_never_ends_is_closed_and_holds_no_drain(self):
        with self.serve("--request-timeout", "1") as server:
            with socket.create_connection(("127.0.0.1", server.tls_port), TIMEOUT) as raw:
                raw.settimeout(TIMEOUT)
                self.assertEqual(raw.recv(100), b"")
        with self.serve() as server:
            with socket.create_connection(("127.0.0.1", server.tls_port), TIMEOUT) as raw:
                raw.sendall(b"\x16\x03\x01")
                while server.info("connected_clients") != "2":
                    pass
                self.assertEqual(server.stop(), 0)
                self.assertNotIn("cutting", server.stderr())

    def test_who_only_looks_whether_a_server_is_there_is_no_failure(self):
        with self.serve() as server:
            for _ in range(3):
                socket.create_connection(("127.0.0.1", server.tls_port), TIMEOUT).close()
            with server.connect_tls(self.trusting) as c:  # accepted behind them
                self.assertEqual(c.ask(b"PING"), b"+PONG\r")
            while server.info("connected_clients") != "1":
                pass
            self.assertEqual(server.info("tls_handshakes_failed"), "0")
            self.assertNotIn("warning", server.stderr())

    def test_certificates_are_renewed_while_it_runs(self):
        with tempfile.TemporaryDirectory() as folder:
            files = [shutil.copy(path, f"{folder}/{name}") for path, name in ((self.certificate, "pem"), (self.key, "key"))]

            def renew(*paths):
                for source, path in zip(paths, files):
                    shutil.copy(source, path)
                before = server.stderr().count("\n")
                server.process.send_signal(signal.SIGHUP)
                while server.stderr().count("\n") == before:
                    pass

            def certificate():
                with server.connect_tls(self.trusting) as c:
                    self.assertEqual(c.ask(b"PING"), b"+PONG\r")
                    return c.sock.getpeercert()["subject"][0][0][1]

            with TlsServer(*files) as server, server.connect_tls(self.trusting) as old:
                self.assertEqual(certificate(), "server")
                renew(*self.authority.sign("renewed"))
                self.assertEqual(certificate(), "renewed")
                renew(self.authority.certificate, self.key)
                self.assertIn("the old certificates stay: cannot use the key", server.stderr())
                self.assertEqual(certificate(), "renewed")
                self.assertEqual(old.ask(b"PING"), b"+PONG\r")

    def test_an_encrypted_key_is_refused_and_no_pass_phrase_is_asked_for_at_the_terminal(self):
        terminal, end = pty.openpty()
        self.addCleanup(os.close, terminal)
        self.addCleanup(os.close, end)

        def own_terminal():
            os.setsid()
            fcntl.ioctl(end, termios.TIOCSCTTY, 0)

        on_terminal = {"stdin": end, "preexec_fn": own_terminal}
        for form in ("pkcs8", "traditional"):
            encrypted = self.authority.encrypt(self.key, "sesame", form)
            with self.subTest(form), tempfile.TemporaryDirectory() as folder:
                key = shutil.copy(self.key, f"{folder}/key")
                with TlsServer(self.certificate, key, **on_terminal) as server:
                    shutil.copy(encrypted, key)
                    server.process.send_signal(signal.SIGHUP)
                    server.await_log(f"the old certificates stay: cannot use the key {key}: it is encrypted; decrypt it first")
                    with server.connect_tls(self.trusting) as c:
                        self.assertEqual(c.ask(b"PING"), b"+PONG\r")
                done = subprocess.run(
                    [program("butterdb"), "--port", "0", "--tls-port", "0", "--tls-cert", self.certificate, "--tls-key", key],
                    capture_output=True, timeout=TIMEOUT, env=clean_environment(), **on_terminal)
                self.assertEqual(done.returncode, 1)
                self.assertIn(b"it is encrypted; decrypt it first", done.stderr)

    def test_the_end_is_said_by_both(self):
        with self.serve() as server:
            with server.connect_tls(self.trusting) as c:
                self.assertEqual(c.ask(b"PING"), b"+PONG\r")
                c.sock.unwrap().close()  # raises when the server says nothing
            with server.connect_tls(self.trusting) as idle:
                self.assertEqual(idle.ask(b"PING"), b"+PONG\r")
                self.assertEqual(server.stop(), 0)
                self.assertEqual(idle.rest(), b"")
            self.assertNotIn("warning", server.stderr())

    def expect_clean_end(self, c):
        self.assertEqual(c.rest(), b"")  # raises if there was no close_notify

    def test_a_connection_that_the_server_closes_ends_with_close_notify(self):
        with self.subTest("idle time-out"), self.serve("--idle-timeout", "1") as server:
            with server.connect_tls(self.trusting) as c:
                self.assertEqual(c.ask(b"PING"), b"+PONG\r")
                self.expect_clean_end(c)
        with self.subTest("CLIENT KILL"), self.serve() as server:
            with server.connect_tls(self.trusting) as c, server.connect() as other:
                number = c.ask(b"CLIENT ID")
                self.assertEqual(other.ask(b"CLIENT KILL ID " + number), b"1")
                self.expect_clean_end(c)
        with self.subTest("client memory"), self.serve("--max-client-memory", "1MiB") as server:
            with server.connect_tls(self.trusting) as c:
                self.assertEqual(c.ask(b"MULTI"), b"OK")
                reply = b"+QUEUED"
                while reply == b"+QUEUED":  # each is answered before the next is sent: no input is unread at the end
                    c.send(b"*3\r\n$3\r\nPUT\r\n$1\r\na\r\n$300000\r\n" + b"v" * 300_000 + b"\r\n")
                    reply = c.sock.recv(1000).strip()
                self.assertEqual(reply, b"")
        with self.subTest("drain"), self.serve() as server:
            with server.connect_tls(self.trusting) as c:
                self.assertEqual(c.ask(b"PING"), b"+PONG\r")
                server.process.send_signal(signal.SIGTERM)
                self.expect_clean_end(c)
            self.assertEqual(server.wait(), 0)

    def test_a_slow_reader_that_is_closed_gets_whole_records_and_no_error_of_one(self):
        with self.serve("--write-timeout", "1") as server:
            with server.connect() as other:
                other.ask(b"SETRANGE a 30000000 x")
            with server.connect_tls(self.trusting) as c:
                c.send(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n")
                while server.info("write_timeout_disconnections") == "0":
                    pass
                received = b""
                with contextlib.suppress(ssl.SSLEOFError):  # close_notify had no place if a record was cut
                    while chunk := c.sock.recv(65536):
                        received += chunk
                self.assertTrue(received.startswith(b"$30000001\r\n"))
                self.assertEqual(received.strip(b"\0"), b"$30000001\r\n")

    def test_who_leaves_without_a_word_is_no_failure(self):
        with self.serve() as server:
            with server.connect_tls(self.trusting) as c:
                c.send(b"WAITKEY a 60000\n")
                raw = socket.socket(fileno=socket.dup(c.sock.fileno()))
                while server.info("blocked_clients") == "0":
                    pass
                raw.shutdown(socket.SHUT_WR)
                self.assertEqual(c.line(), b"NOT_FOUND")
                raw.close()
            while server.info("connected_clients") != "1":
                pass
            self.assertNotIn("warning", server.stderr())

    def test_who_sends_on_reads_why_it_was_closed(self):
        with self.serve() as server, server.connect_tls(self.trusting) as c, server.connect() as other:
            c.send(b"*x\r\n")
            raw = socket.socket(fileno=socket.dup(c.sock.fileno()))
            for _ in range(20):
                raw.sendall(b"x" * 1000)  # raises once the server has reset the connection
                self.assertEqual(other.ask(b"PING"), b"+PONG\r")
            raw.close()
            self.assertTrue(c.line().startswith(b"-ERR Protocol error"))
            self.assertEqual(c.rest(), b"")

    def test_drain_answers_what_was_received(self):
        with self.serve() as server:
            with server.connect_tls(self.trusting) as c:
                self.assertEqual(c.ask(b"PING"), b"+PONG\r")
                server.process.send_signal(signal.SIGSTOP)
                c.send(b"PUT a 1\n" * 1000)
                server.process.send_signal(signal.SIGTERM)
                server.process.send_signal(signal.SIGCONT)
                self.assertEqual(c.rest(), b"OK\n" * 1000)
            self.assertEqual(server.wait(), 0)

    def test_password_under_tls_and_narrow_limits(self):
        with self.serve(env=clean_environment(BUTTERDB_PASSWORD="sesame")) as server:
            with server.connect_tls(self.trusting) as c:
                self.assertEqual(c.ask(b"GET a"), b"ERROR NOAUTH Authentication required.")
                self.assertEqual(c.ask(b"AUTH sesame"), b"+OK\r")
            with server.connect_tls(self.trusting) as c:
                c.send(b"*2\r\n$4\r\nECHO\r\n$100000\r\n")
                self.assertEqual(c.rest(), b"-ERR Protocol error: unauthenticated bulk length\r\n")

    def test_our_programs(self):
        with self.serve() as server:
            def client(*arguments):
                return run("butterdb-client", "--port", server.tls_port, *arguments)
            ca = ["--tls-ca", self.authority.certificate]
            self.assertEqual(client(*ca, "PUT", "a", "1").stdout, b"OK\n")
            self.assertEqual(client("--tls-insecure", "GET", "a").stdout, b"1\n")
            unknown = client("--tls", "GET", "a")
            self.assertEqual((unknown.returncode, unknown.stdout), (1, b""))
            self.assertIn(b"certificate verify failed: ", unknown.stderr)
            self.assertIn(b"--tls-ca names who must have signed it", unknown.stderr)
            for load in (["--pipeline", 16, "--ops", 2000], ["--rate", 2000, "--duration", 0.5]):
                bench = run("butterdb-bench", "--port", server.tls_port, *ca, "--clients", 4, *load)
                self.assertEqual(bench.returncode, 0, bench)
                self.assertIn(b"Wrong Replies: 0", bench.stdout)

    def test_our_client_says_what_is_wrong_with_a_name(self):
        with TlsServer(*self.authority.sign("elsewhere", "DNS:elsewhere")) as server:
            misnamed = run("butterdb-client", "--port", server.tls_port, "--tls-ca", self.authority.certificate, "GET", "a")
            self.assertEqual(misnamed.returncode, 1)
            self.assertIn(b"certificate verify failed: it is not for localhost", misnamed.stderr)

    @unittest.skipUnless(shutil.which("redis-cli"), "redis-cli is not installed (tools/setup installs it)")
    def test_redis_cli(self):
        with self.serve() as server:
            done = subprocess.run(
                ["redis-cli", "-h", "localhost", "-p", str(server.tls_port), "--tls", "--cacert", self.authority.certificate,
                 "SET", "a", "1"], capture_output=True, timeout=TIMEOUT)
            self.assertEqual(done.stdout, b"OK\n", done)

    def test_wrong_options(self):
        other, _ = self.authority.sign("other")
        for status, options in (
                (2, ["--tls-port", "0"]), (2, ["--tls-cert", self.certificate]), (2, ["--port", "off"]),
                (2, ["--tls-port", "x", "--tls-cert", self.certificate, "--tls-key", self.key]),
                (1, ["--tls-port", "0", "--tls-cert", "/nonexistent", "--tls-key", self.key]),
                (1, ["--tls-port", "0", "--tls-cert", self.certificate, "--tls-key", "/nonexistent"]),
                (1, ["--tls-port", "0", "--tls-cert", other, "--tls-key", self.key]),
                (1, ["--tls-port", "0", "--tls-cert", self.key, "--tls-key", self.key]),
                (1, ["--tls-port", "0", "--tls-cert", self.certificate, "--tls-key", self.key, "--tls-ca", self.key]),
                (2, ["--tls-crl", self.certificate]), (2, ["--tls-ciphers", "ALL"]),
                (2, ["--tls-port", "0", "--tls-cert", self.certificate, "--tls-key", self.key, "--tls-crl", self.certificate]),
                (1, ["--tls-port", "0", "--tls-cert", self.certificate, "--tls-key", self.key, "--tls-ciphers", "none-such"]),
                (1, ["--tls-port", "0", "--tls-cert", self.certificate, "--tls-key", self.key, "--tls-ca",
                     self.authority.certificate, "--tls-crl", self.certificate])):
            with self.subTest(options):
                done = run("butterdb", *(options if "--port" in options else ["--port", "0", *options]))
                self.assertEqual((done.returncode, done.stdout, done.stderr.count(b"\n")), (status, b"", 1), done)


if __name__ == "__main__":
    main()
