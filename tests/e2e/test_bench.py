"""butterdb-bench: the seed's suite, options, output forms, and servers that are wrong."""

import csv
import io
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

from harness import TIMEOUT, Server, can_have_a_terminal, clean_environment, main, program, run


ROOT = Path(__file__).resolve().parents[2]


class Suite(unittest.TestCase):
    def assert_ended(self, process_id):
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                with open(f"/proc/{process_id}/status") as file:
                    status = file.read()
            except (FileNotFoundError, ProcessLookupError):
                return
            if "State:\tZ" in status:
                return
            self.assertLess(time.monotonic(), deadline, status)

    def test_the_seeds_two_tests(self):
        with Server() as server:
            done = run("butterdb-bench", "--port", server.port, "--ops", 500)
            text = done.stdout.decode()
            self.assertEqual(done.returncode, 0, done)
            self.assertIn("Test 1 - Baseline Run (4 clients x 500 ops each)", text)
            self.assertIn("  Total Ops:     2,000\n", text)
            self.assertIn("  Wrong Replies: 0\n", text)
            for name in ("Total Time", "Throughput", "Avg Latency", "p50 Latency", "p95 Latency",
                         "p99 Latency", "Max Latency", "Hit Ratio", "CPU Usage", "Memory"):
                self.assertRegex(text, rf"(?m)^  {name}: +[\d.]+")
            self.assertIn("Test 2 - Scaling with Concurrent Clients\n", text)
            counts = re.findall(r"(?m)^ +(\d+) clients -> [\d.]+ ops/s, [\d.]+ ms avg, .*CPU", text)
            self.assertEqual(counts, ["1", "2", "4", "8", "16", "32"])

    def test_zeros_before_a_number_do_not_make_it_octal(self):
        done = run("butterdb-bench", "--spawn", "--clients", "010", "--ops", "010")
        self.assertIn(b"Run (10 clients x 10 ops each)", done.stdout)

    def test_it_starts_a_server_of_its_own(self):
        done = run("butterdb-bench", "--spawn", "--clients", 8, "--ops", 100)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn(b"Run (8 clients x 100 ops each)", done.stdout)

    def test_json_and_csv_say_the_same(self):
        arguments = ["--spawn", "--clients", "1,3", "--ops", 200, "--pipeline", 16, "--keys", 50]
        rows = json.loads(run("butterdb-bench", *arguments, "--format", "json").stdout)
        table = list(csv.DictReader(io.StringIO(
            run("butterdb-bench", *arguments, "--format", "csv").stdout.decode())))
        self.assertEqual([row["clients"] for row in rows], [1, 3])
        for row, other in zip(rows, table):
            self.assertEqual(list(row), list(other))
            self.assertEqual(row["operations"], 200 * row["clients"])
            self.assertEqual(int(other["operations"]), row["operations"])
            self.assertEqual(row["pipeline"], 16)
            self.assertGreater(row["hits"], 0)
            self.assertEqual(row["wrong_replies"], 0)
            self.assertLessEqual(row["latency_us_p50"], row["latency_us_p99"] or row["latency_us_max"])
            self.assertLessEqual(row["latency_us_p99"] or 0, row["latency_us_max"])
            self.assertEqual(row["protocol"], "text")
            self.assertIn(row["bottleneck"], ("client", "server", "both", "neither"))
            self.assertGreater(row["server_resident_bytes"], 0)

    def test_duration_mix_and_sizes(self):
        done = run(
            "butterdb-bench", "--spawn", "--clients", 2, "--duration", 0.2, "--mix", "10:90:0",
            "--keys", 20, "--key-size", 30, "--value-size", 500, "--format", "json")
        row = json.loads(done.stdout)[0]
        self.assertGreater(row["operations"], 100)
        self.assertGreater(row["hits"], row["operations"] / 2)

    def test_the_same_seed_sends_the_same_requests(self):
        seen = []
        for seed in (5, 5, 6):
            listener = socket.create_server(("127.0.0.1", 0))
            received = []

            def serve():
                for _ in range(2):  # one asks for INFO, one brings the load
                    peer, _ = listener.accept()
                    while data := peer.recv(65536):
                        received.append(data)
                        peer.sendall(b"OK\n" * data.count(b"\n"))
                    peer.close()

            thread = threading.Thread(target=serve)
            thread.start()
            run("butterdb-bench", "--port", listener.getsockname()[1], "--clients", 1, "--ops",
                300, "--seed", seed)
            thread.join()
            listener.close()
            seen.append(b"".join(received))
        self.assertEqual(seen[0], seen[1])
        self.assertNotEqual(seen[0], seen[2])

    def test_a_deep_pipeline_does_not_block_itself(self):
        done = run(
            "butterdb-bench", "--spawn", "--clients", 1, "--keys", 100, "--value-size", 1000,
            "--mix", "50:50:0", "--pipeline", 50_000, "--ops", 100_000, "--format", "json")
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(json.loads(done.stdout)[0]["operations"], 100_000)

    def test_no_server_is_left_behind(self):
        bench = subprocess.Popen(
            [program("butterdb-bench"), "--spawn", "--clients", "1", "--duration", "30"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean_environment())
        children = f"/proc/{bench.pid}/task/{bench.pid}/children"
        child = ""
        while not child:
            with open(children) as file:
                child = file.read().strip()
        while Path(f"/proc/{child}/comm").read_text() != "butterdb\n":
            pass
        bench.send_signal(signal.SIGTERM)
        self.assertEqual(bench.wait(TIMEOUT), 128 + signal.SIGTERM)
        self.assert_ended(child)

    @unittest.skipUnless(can_have_a_terminal(), "no pseudo-terminals here")
    def test_progress_is_shown_on_a_terminal(self):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(program("butterdb-bench"),
                     ["butterdb-bench", "--spawn", "--clients", "1", "--duration", "1"])
        seen = b""
        try:
            while chunk := os.read(terminal, 65536):
                seen += chunk
        except OSError:  # the terminal's end
            pass
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0)
        self.assertRegex(seen, rb"\r.* +[\d.]+ s +\d+ ops/s +p99 [\d.]+ ms +0 errors +\d+ s left")


class Load(unittest.TestCase):
    def rows(self, *arguments, status=0):
        done = run("butterdb-bench", *arguments, "--format", "json")
        self.assertEqual(done.returncode, status, done)
        return json.loads(done.stdout)

    def test_every_protocol_finds_its_own_values(self):
        with Server() as server:
            for protocol in ("text", "resp"):
                row = self.rows("--port", server.port, "--protocol", protocol, "--clients", 3, "--ops", 500, "--keys", 60,
                                "--preload", "--verify", "--mix", "40:40:20", "--pipeline", 7)[0]
                self.assertEqual((row["protocol"], row["wrong_replies"], row["lost_writes"]), (protocol, 0, 0))
                self.assertGreater(row["hits"], 100)

    @unittest.skipUnless(shutil.which("memcached"), "memcached is not installed (tools/setup installs it)")
    def test_memcached(self):
        row = self.rows("compare", "memcached", "--rounds", 2, "--duration", 0.2, "--keys", 500, "--verify", "--clients", 5)[0]
        self.assertEqual((row["server"], row["protocol"], row["lost_writes"]), ("memcached", "memcache", 0))
        self.assertGreater(row["hits"], 0)
        self.assertGreater(row["server_cpu_percent"], 0)

    def test_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path = folder + "/s"
            with Server("--unix-socket", path):
                self.assertEqual(self.rows("--unix-socket", path, "--clients", 2, "--ops", 50)[0]["operations"], 100)

    def test_open_loop(self):
        for arrivals in ("poisson", "even"):
            row = self.rows("--spawn", "--clients", 4, "--rate", 2000, "--duration", 0.5, "--arrivals", arrivals,
                            "--warm-up", 0.1, "--poll", "--keys", 100, "--verify")[0]
            self.assertEqual(row["rate"], 2000)
            self.assertEqual(row["wrong_replies"] + row["lost_writes"], 0)
            if arrivals == "even":
                self.assertLess(abs(row["operations"] - 1000), 10)
            else:
                self.assertLess(abs(row["operations"] - 1000), 200)

    def test_a_stall_is_in_the_open_loops_latencies(self):
        """A server that stands still for 0.3 s: with --rate, all that was due meanwhile waited."""
        listener = socket.create_server(("127.0.0.1", 0))

        def serve():
            for _ in range(2):
                peer, _ = listener.accept()
                answered = 0
                while data := peer.recv(65536):
                    lines = data.count(b"\n")
                    answered += lines
                    if answered > 100 and answered - lines <= 100:
                        threading.Event().wait(0.3)
                    peer.sendall(b"NOT_FOUND\n" * lines)
                peer.close()

        thread = threading.Thread(target=serve)
        thread.start()
        rows = self.rows("--port", listener.getsockname()[1], "--clients", 1, "--rate", 1000, "--duration", 1, "--arrivals",
                         "even", "--poll", "--mix", "0:100:0")
        thread.join()
        listener.close()
        self.assertGreater(rows[0]["latency_us_p95"], 200_000)

    def test_threads_share_the_clients(self):
        row = self.rows("--spawn", "--clients", 5, "--threads", 3, "--ops", 300, "--keys", 50, "--verify")[0]
        self.assertEqual((row["threads"], row["operations"], row["lost_writes"]), (3, 1500, 0))

    def test_commands_and_named_mixes(self):
        with Server() as server:
            row = self.rows("--port", server.port, "--protocol", "resp", "--clients", 2, "--ops", 200, "--keys", 9, "--command",
                            "1:INCR counter:{key}", "--command", "3:SETEX {key} 100 {value}")[0]
            self.assertEqual((row["operations"], row["refusals"]), (400, 0))
            with server.connect() as c:
                self.assertNotEqual(c.ask(b"EXISTS counter:aaaaaaaa counter:baaaaaaa"), b"0")
            for letter in "abcdef":
                row = self.rows("--port", server.port, "--clients", 2, "--ops", 100, "--keys", 300, "--preload", "--mix", f"ycsb-{letter}")[0]
                self.assertGreaterEqual(row["operations"], 200)

    def test_a_command_that_the_server_refuses_is_found_before_the_test(self):
        with Server() as server:
            for task in (["--port", server.port], ["compare", f"here={server.port}", "--keys", 10, "--protocol", "text"]):
                done = run("butterdb-bench", *task, "--command", "9:GET {key}", "--command", "NONSENSE {key}")
                self.assertEqual((done.returncode, done.stdout), (1, b""))
                self.assertRegex(done.stderr, rb"the server refuses 'NONSENSE \{key\}': INVALID unknown command 'NONSENSE'")
            with server.connect() as c:
                self.assertRegex(c.exchange(b"INFO commandstats\nEXIT\n"), rb"cmdstat_get:calls=2,")
            done = run("butterdb-bench", "--port", server.port, "--command", "EXIT")
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.assertIn(b"no reply to 'EXIT': the server closed the connection", done.stderr)

    def test_scale(self):
        done = run("butterdb-bench", "scale", "--spawn", "--clients", "1,2,8", "--ops", 50)
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(re.findall(rb"(?m)^ +(\d+) clients -> ", done.stdout), [b"1", b"2", b"8"])

    def test_search(self):
        done = run("butterdb-bench", "search", "--slo", "p90<1s", "--spawn", "--clients", 4, "--duration", 0.1, "--rate", 300_000)
        self.assertEqual(done.returncode, 0, done)
        self.assertRegex(done.stdout, rb"p90<1s (holds up to \d+ ops/s|does not hold)")

    def test_compare(self):
        text = run("butterdb-bench", "compare", "butterdb", "floor", "--rounds", 2, "--duration", 0.2, "--clients", 4, "--mix", "0:100:0",
                   "--keys", 1000, timeout=60).stdout.decode()
        self.assertRegex(text, r"(?m)^butterdb +\d+ +[\d.]+ ms +[\d.]+ us +-?[\d.]+ ")
        self.assertRegex(text, r"(?m)^floor +\d+ +[\d.]+ ms +[\d.]+ us +n/a +[\d.]+ \([\d.]+ to [\d.]+\)")
        with Server() as server:
            rows = self.rows("compare", f"here={server.port}", f"again=127.0.0.1:{server.port}",
                             "--rounds", 2, "--duration", 0.1, "--clients", 2, "--keys", 100)
            self.assertEqual(sorted(row["server"] for row in rows), ["again", "again", "here", "here"])
            self.assertTrue(all(row["server_cpu_percent"] for row in rows))

    def test_baseline(self):
        """The baseline's figures are of an earlier run, made so much better or worse that no machine's mood matters."""
        arguments = ["--spawn", "--clients", 2, "--ops", 2000]
        rows = list(csv.DictReader(io.StringIO(run("butterdb-bench", *arguments, "--format", "csv").stdout.decode())))
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
            def run_with_baseline(server, times_as_good, *arguments):
                file.seek(0)
                file.truncate()
                table = csv.DictWriter(file, rows[0].keys())
                table.writeheader()
                for row in rows:
                    figures = {"operations_per_second": float(row["operations_per_second"]) * times_as_good,
                               "server_cpu_us_per_operation": float(row["server_cpu_us_per_operation"]) / times_as_good}
                    table.writerow(row | figures | {"server": server or row["server"]})
                file.flush()
                return run("butterdb-bench", *arguments, "--baseline", file.name)

            self.assertEqual(run_with_baseline(None, 1e-6, *arguments).returncode, 0)
            with Server() as server:
                here = ["--port", server.port, "--clients", 2, "--ops", 2000]
                name = f"localhost:{server.port}"
                self.assertEqual(run_with_baseline(name, 1e-6, *here).returncode, 0)
                worse = run_with_baseline(name, 1e6, *here)
                self.assertEqual(worse.returncode, 1)
                self.assertIn(b"worse than the baseline: ", worse.stderr)
                self.assertIn(b"operations_per_second", worse.stderr)
            other = run("butterdb-bench", "--spawn", "--clients", 3, "--ops", 10, "--baseline", file.name)
            self.assertEqual(other.returncode, 1)
            self.assertIn(b"has no test like butterdb, Run (3 clients x 10 ops each): its server is 'localhost:", other.stderr)
            self.assertEqual(other.stdout, b"")

    def test_a_baseline_that_cannot_be_compared_is_refused_before_the_run(self):
        with tempfile.NamedTemporaryFile("wb", suffix=".csv") as file:
            def refusal(*arguments):
                done = run("butterdb-bench", "--spawn", "--clients", 1, "--ops", 10, *arguments, "--baseline", file.name)
                self.assertEqual((done.returncode, done.stdout), (1, b""))
                return done.stderr.decode()

            self.assertIn("has no column server", refusal())
            file.write(run("butterdb-bench", "--spawn", "--clients", 1, "--ops", 10, "--format", "csv").stdout)
            file.flush()
            self.assertIn("its mix is '50:PUT; 40:GET; 10:DEL', not '100:GET'", refusal("--mix", "0:100:0"))
            self.assertIn("its value_size is '16', not '17'", refusal("--value-size", 17))
            self.assertIn("its clients is '1', not '2'", refusal("--clients", 2))
            self.assertIn("its pipeline is '1', not '16'", refusal("--pipeline", 16))
            self.assertIn("its protocol is 'text', not 'resp'", refusal("--protocol", "resp"))
            self.assertIn("its test is 'Run (1 client x 10 ops each)', not 'Scaling'", refusal("scale"))

    def test_a_title_has_the_numbers_of_the_command_line(self):
        with tempfile.NamedTemporaryFile("r", suffix=".html") as page:
            arguments = ["--spawn", "--clients", 1, "--duration", 0.4, "--rate", 1234.5]
            title = "Run (1 client x 0.4 s, 1,234.5 ops/s asked)"
            text = run("butterdb-bench", *arguments, "--report", page.name).stdout.decode()
            self.assertIn(f"\n{title}\n", text)
            self.assertIn(title, page.read())
        table = run("butterdb-bench", *arguments, "--format", "csv").stdout.decode()
        self.assertEqual(next(csv.DictReader(io.StringIO(table)))["test"], title)
        for row in self.rows("search", "--slo", "p99<1s", "--spawn", "--clients", 1, "--duration", 0.3, "--rate", 1e5):
            self.assertRegex(row["test"], r"^Search \(1 client x 0.3 s, [\d,]+ ops/s asked\)$")

    def test_an_open_loop_lasts_for_its_duration(self):
        """However few requests there are, and however early the last one is answered."""
        row = self.rows("--spawn", "--clients", 2, "--rate", 4, "--duration", 1, "--arrivals", "even")[0]
        self.assertGreaterEqual(row["seconds"], 1)
        self.assertAlmostEqual(row["operations_per_second"], row["operations"] / row["seconds"], delta=0.001)

    def test_the_documented_comparison_needs_nothing_but_installed_programs(self):
        calls = re.findall(r"`butterdb-bench (compare [^`]+)`", (ROOT / "docs/benchmarks.md").read_text().split("## The load tool")[1])
        arguments = calls[0].split()
        for name in arguments[1:arguments.index("--mix")]:
            if not shutil.which(name) and not name.startswith("butterdb"):
                self.skipTest(f"{name} is not installed (tools/setup installs it)")
        with tempfile.TemporaryDirectory() as folder:
            for name in ("butterdb", "butterdb-bench"):
                shutil.copy(program(name), folder)
            done = subprocess.run(
                [folder + "/butterdb-bench", *arguments, "--rounds", "1", "--duration", "0.1", "--keys", "100", "--clients", "2"],
                capture_output=True, env=clean_environment(), timeout=TIMEOUT)
        self.assertEqual(done.returncode, 0, done)

    def test_a_test_without_a_reply_is_one(self):
        done = run("butterdb-bench", "--spawn", "--clients", 1, "--rate", 0.1, "--duration", 0.1, "--arrivals", "even")
        self.assertEqual(done.returncode, 0, done)

    def test_no_reply_that_can_be_read_ends_it_at_once(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def serve():
                for reply in (b"+OK\r\n", b"@garbage\r\n"):  # to INFO, and to the load, of which it reads little
                    peer, _ = listener.accept()
                    peer.recv(100)
                    peer.sendall(reply)
                    peers.append(peer)

            peers = []
            thread = threading.Thread(target=serve)
            thread.start()
            done = run("butterdb-bench", "--port", listener.getsockname()[1], "--protocol", "resp", "--clients", 1, "--pipeline", 5000,
                       "--value-size", 8000, "--mix", "100:0:0", "--timeout", 0)
            thread.join()
            for peer in peers:
                peer.close()
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"cannot be read", done.stderr)

    def test_refusals_are_no_lost_writes(self):
        with Server("--max-memory", "4MiB") as server:
            row = self.rows("--port", server.port, "--clients", 2, "--ops", 3000, "--pipeline", 32, "--keys", 2000, "--value-size", 9000,
                            "--mix", "50:40:10", "--verify", status=1)[0]
            self.assertGreater(row["refusals"], 0)
            self.assertEqual(row["lost_writes"] + row["wrong_replies"], 0)
            text = run("butterdb-bench", "--port", server.port, "--clients", 1, "--ops", 2000, "--keys", 2000, "--value-size", 9000,
                       "--mix", "100:0:0").stdout
            self.assertIn(b" refused:OOM\n", text)

    def test_nobody_else_is_measured(self):
        with Server() as server:
            done = run("butterdb-bench", "compare", f"a={server.port}:{program('butterdb')} --port {server.port}", "--duration", 0.1)
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.assertIn(b"listens on port %d already" % server.port, done.stderr)

    def test_hgrm(self):
        with tempfile.NamedTemporaryFile("r") as file:
            run("butterdb-bench", "--spawn", "--clients", 2, "--ops", 500, "--hgrm", file.name)
            lines = file.read().splitlines()
        self.assertEqual(lines[0].split(), ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"])
        self.assertIn("Total count    =         1000]", lines[-2])
        self.assertEqual(lines[-4].split()[1:], ["1.000000000000", "1000"])


class Wrong(unittest.TestCase):
    def test_no_server(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        done = run("butterdb-bench", "--port", port)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"start one with: butterdb", done.stderr)
        self.assertIn(b"--spawn", done.stderr)

    def test_usage(self):
        for arguments in (["--clients", "0"], ["--clients", "1,x"], ["--ops", "0"],
                          ["--mix", "50:50"], ["--mix", "50:40:20"], ["--mix", "50:40:10x"],
                          ["--format", "xml"], ["--keys", 27, "--key-size", 1],
                          ["--duration", "1", "--ops", "1"], ["--spawn", "--port", "1"], ["--nonsense"],
                          ["--rate", "10"], ["--rate", "10", "--duration", "1", "--pipeline", "2"], ["--value-size", "9-3"],
                          ["--value-size", "5:0"], ["--keys-by", "zipf:2"], ["--keys-by", "x"], ["--preload"],
                          ["--verify", "--clients", "4"], ["--mix", "ycsb-z"], ["--command", "0:GET {key}"],
                          ["--protocol", "memcache", "--command", "GET {key}"], ["search", "--slo", "p99"],
                          ["search", "--slo", "p101<1ms"], ["search"], ["compare"],
                          ["search", "--slo", "p99<1ms", "--ops", "5"], ["search", "--slo", "p99<1ms", "--clients", "1,2"],
                          ["compare", "butterdb", "--clients", "1,2"], ["compare", "butterdb", "--spawn"], ["--keys-by", "hot:0.5"],
                          ["--keys-by", "uniform:1"], ["--verify", "--keys", "100", "--command", "DEL {keys}"], ["--baseline", "/nowhere"],
                          ["--duration", "nan"], ["--tolerance", "nan"], ["--ops", "0x10"],
                          ["search", "--slo", "p99<1ms", "--baseline", __file__]):
            done = run("butterdb-bench", *arguments)
            self.assertEqual((done.returncode, done.stdout), (2, b""), arguments)
            self.assertEqual(len(done.stderr.splitlines()), 1, done)

    def against(self, replies, *arguments):
        """A server whose every reply is one of `replies`, in turn; "" closes the connection."""
        listener = socket.create_server(("127.0.0.1", 0))

        def serve():
            for _ in range(2):
                peer, _ = listener.accept()
                number = 0
                while data := peer.recv(65536):
                    reply = replies[number % len(replies)]
                    number += 1
                    if not reply:
                        break
                    peer.sendall(reply * data.count(b"\n"))
                peer.close()

        thread = threading.Thread(target=serve)
        thread.start()
        done = run("butterdb-bench", "--port", listener.getsockname()[1], "--clients", 1, "--timeout", 5,
                   *(arguments or ["--ops", 50]))
        thread.join()
        listener.close()
        return done

    def test_replies_are_checked(self):
        done = self.against([b"wrong\n"])
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, rb"Wrong Replies: 50\n")
        done = self.against([b"OK\n"])
        self.assertEqual(done.returncode, 1)
        self.assertNotRegex(done.stdout, rb"Wrong Replies: 0\n")

    def replies_too_many(self, reply_to, *arguments, at_the_end=b""):
        """Runs a load against a server that answers each request by `reply_to` of its number."""
        listener = socket.create_server(("127.0.0.1", 0))

        def serve():
            for _ in range(2):  # one asks for INFO, one brings the load
                peer, _ = listener.accept()
                requests = peer.makefile("rb")
                number = 0
                try:
                    while request := requests.readline():
                        peer.sendall(b"OK\n" if request == b"INFO\n" else reply_to(number))
                        number += request != b"INFO\n"
                    if number > 0:
                        peer.sendall(at_the_end)
                except OSError:
                    pass
                requests.close()
                peer.close()

        thread = threading.Thread(target=serve)
        thread.start()
        done = run("butterdb-bench", "--port", listener.getsockname()[1], "--clients", 1, "--mix", "100:0:0", "--format", "json",
                   *arguments)
        thread.join()
        listener.close()
        row = json.loads(done.stdout)[0]
        self.assertEqual(done.returncode, 1 if row["surplus_replies"] else 0, done)
        return row

    def test_replies_that_no_request_asked_for_are_an_error(self):
        twice_now_and_then = lambda number: b"OK\nOK\n" if number % 7 == 6 else b"OK\n"
        for arguments in (["--ops", 50], ["--ops", 50, "--pipeline", 4], ["--rate", 500, "--duration", 0.5],
                          ["search", "--slo", "p99<1s", "--rate", 500, "--duration", 0.1]):
            with self.subTest(arguments):
                row = self.replies_too_many(twice_now_and_then, *arguments)
                self.assertEqual((row["surplus_replies"], row["operations"], row["operations_per_second"]), (1, 0, 0))
                self.assertEqual((row["latency_us_p50"], row["latency_us_max"]), (None, None))
                self.assertEqual(row["latency_refused"], "the server sent a reply that no request asked for")

    def test_a_reply_before_its_request_is_an_error(self):
        """Even if there are as many replies as requests in the end."""
        for arguments in (["--ops", 50], ["--rate", 50, "--arrivals", "even", "--duration", 1]):
            with self.subTest(arguments):
                row = self.replies_too_many(lambda number: b"" if number % 2 else b"OK\nOK\n", *arguments)
                self.assertEqual(row["surplus_replies"], 1)

    def test_a_surplus_reply_after_the_last_one_is_an_error(self):
        for arguments in (["--ops", 50], ["--ops", 48, "--pipeline", 4], ["--rate", 500, "--duration", 0.1]):
            with self.subTest(arguments):
                once = lambda number: b"OK\n"
                self.assertEqual(self.replies_too_many(once, *arguments)["surplus_replies"], 0)
                self.assertEqual(self.replies_too_many(once, *arguments, at_the_end=b"OK\n")["surplus_replies"], 1)

    def test_refusals_are_counted_by_codes_that_a_server_cannot_make_up(self):
        done = self.against([b"ERROR \x1b[31m\xc2\x9b text\n"])
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"Errors:        50 refused:other\n", done.stdout)
        self.assertNotRegex(done.stdout + done.stderr, rb"[\x1b\x9b]")
        done = self.against([b"ERROR E%d x\n" % number for number in range(1000)], "--ops", 500)
        kinds = re.findall(rb"refused:(\w+)\n", done.stdout)
        self.assertEqual((len(kinds), b"other" in kinds), (65, True))

    def test_an_open_loop_ends_with_its_last_connection(self):
        done = self.against([b"OK\n", b"OK\n", b""], "--rate", 1000, "--duration", 10 * TIMEOUT)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"Errors:        1 connection\n", done.stdout)

    def test_a_lost_connection_is_told(self):
        done = self.against([b"OK\n", b"OK\n", b""])
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"Errors:        1 connection\n", done.stdout)
        self.assertIn(b"the server closed the connection", done.stdout)


if __name__ == "__main__":
    main()
