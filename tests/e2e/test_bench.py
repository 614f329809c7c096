"""butterdb-bench: the seed's suite, options, output forms, and servers that are wrong."""

import csv
import io
import json
import os
import pty
import re
import signal
import socket
import subprocess
import threading
import time
import unittest

from harness import TIMEOUT, Server, clean_environment, main, program, run


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
            self.assertLessEqual(row["latency_us_p50"], row["latency_us_p99"])
            self.assertLessEqual(row["latency_us_p99"], row["latency_us_max"])
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
        while open(f"/proc/{child}/comm").read() != "butterdb\n":
            pass
        bench.send_signal(signal.SIGTERM)
        self.assertEqual(bench.wait(TIMEOUT), 128 + signal.SIGTERM)
        self.assert_ended(child)

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
        self.assertRegex(seen, rb"\r +[\d.]+ s +\d+ ops +\d+ ops/s")


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
                          ["--duration", "1", "--ops", "1"], ["--spawn", "--port", "1"], ["--nonsense"]):
            done = run("butterdb-bench", *arguments)
            self.assertEqual((done.returncode, done.stdout), (2, b""), arguments)
            self.assertEqual(len(done.stderr.splitlines()), 1, done)

    def against(self, replies):
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
        done = run("butterdb-bench", "--port", listener.getsockname()[1], "--clients", 1, "--ops",
                   50, "--timeout", 5)
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

    def test_a_lost_connection_is_told(self):
        done = self.against([b"OK\n", b"OK\n", b""])
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"Lost:          1 connections", done.stdout)


if __name__ == "__main__":
    main()
