#!/usr/bin/env python3
"""The benchmark kit: its arithmetic and its arguments (without --real), and one tiny scenario on real Kafka and Redis (with
it). What the figures are is nobody's business here; that they are there is."""
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

import kit_figures
import kit_options
import kit_peers
import kit_scenarios
import model
import stages

HERE = pathlib.Path(__file__).resolve().parent
OF_A_RUN = {"load_average", "operations", "completed", "submit_per_s", "end_to_end_per_s", "redis_us_per_operation",
            "redis_commands_per_operation", "redis_bytes_per_operation", "kafka_requests_per_operation",
            "kafka_bytes_per_operation", "network_bytes_per_operation"}
PROCESSES = ("kafka", "redis", "coordinator", "worker", "load", "others")


class Peers(unittest.TestCase):
    """What stands in the way of a peer is said before anything is measured."""

    def refused(self, name, **replaced):
        with contextlib.ExitStack() as stack:
            for what, how in replaced.items():
                stack.enter_context(unittest.mock.patch.object(kit_peers, what, how))
            with self.assertRaises(RuntimeError) as caught:
                kit_peers.prepare([name])
        return str(caught.exception)

    def test_program_that_is_missing(self):
        for name, peer in kit_peers.PEERS.items():
            for needed in peer.needs:
                said = self.refused(name, program=lambda program, needed=needed: program != needed and f"/bin/{program}")
                self.assertTrue(said.startswith(f"{name}: {needed} is not installed; "), said)
                self.assertIn("go.dev" if needed == "go" else "deploy/deps --peers", said)

    def test_go_that_is_too_old(self):
        said = self.refused("nats", program=lambda program: f"/bin/{program}",
                            output=lambda *_command, **_options: "go version go1.19.8 linux/amd64\n")
        self.assertEqual(said, "nats: Go 1.21 or later is needed, from https://go.dev/dl (Debian 12 has one that is too old): "
                               "go version go1.19.8 linux/amd64")

    def test_servers_outside_of_path_are_found(self):
        """PostgreSQL's, where Debian has them; only where it is installed."""
        found = kit_peers.program("initdb")
        self.assertTrue(found is None or os.access(found, os.X_OK))
        self.assertIsNone(kit_peers.program("no-such-server"))

    def test_go_peers_say_which_version(self):
        for name in ("river", "nats"):
            self.assertRegex(kit_peers.version(name), r"^\d+\.\d+\.\d+$")


class Figures(unittest.TestCase):
    def test_median_and_spread(self):
        figure = kit_figures.summary([{"x": 4}, {"x": 1}, {"x": 3}, {"x": 2}, {"x": 100}])["x"]
        self.assertEqual(figure, {"median": 3, "least": 1, "most": 100, "values": [4, 1, 3, 2, 100]})
        self.assertEqual(kit_figures.spread({"median": 50, "least": 40, "most": 60}), 40)

    def test_what_a_run_lacks_is_null(self):
        figures = kit_figures.summary([{"x": 4, "y": 1}, {"x": 2}])
        self.assertEqual(figures["y"], {"median": 1, "least": 1, "most": 1, "values": [1, None]})
        self.assertIsNone(kit_figures.summary([{"z": None}])["z"]["median"])

    def test_ratios_are_of_medians(self):
        a, b = [{"x": 10, "zero": 0}, {"x": 30, "zero": 0}, {"x": 20, "zero": 0}], [{"x": 1}, {"x": 50}, {"x": 25}]
        self.assertEqual(kit_figures.ratios(a, b), {"x": 1.25})

    def test_line_is_one_line(self):
        line = kit_figures.line({"scenario": "s"}, [{"x": 1}, {"x": 2}])
        self.assertNotIn("\n", line)
        self.assertEqual(json.loads(line)["runs"], 2)
        self.assertEqual(json.loads(line)["figures"]["x"]["median"], 1.5)

    def test_table_has_a_row_for_each(self):
        rows = [("a", [{"end_to_end_per_s": 1000, "cpu_us_per_operation_redis": 20.5}]), ("b", [{"p99_ms": 3.5}])]
        head, first, second = kit_figures.table(rows)
        self.assertIn("ops/s", head)
        self.assertIn("1,000", first)
        self.assertIn("redis 20.5", first)
        self.assertIn("3.50", second)
        self.assertNotIn("Redis us", head)

    def test_times_of_another_scenario(self):
        runs = {"one": [{"end_to_end_per_s": 100}], "two": [{"end_to_end_per_s": 190}, {"end_to_end_per_s": 180}, {"end_to_end_per_s": 200}]}
        self.assertEqual(list(kit_figures.times_lines([("two", "one", 1.95), ("three", "one", 2.9)], runs)),
                         ["two: 1.90 times one (meant: 1.95 at least)"])

    def test_balance_of_several(self):
        self.assertEqual(kit_figures.balance({"coordinator-1": 2.0, "coordinator-2": 1.5, "worker-1": 9}, "coordinator"), 0.75)
        self.assertIsNone(kit_figures.balance({"coordinator": 2.0, "worker": 9}, "coordinator"))
        self.assertIsNone(kit_figures.balance({"coordinator-1": 0, "coordinator-2": 0}, "coordinator"))

    def test_ratio_table(self):
        """Of what was measured: neither how many there were nor how busy the machine was."""
        rows = [("s", [{"p99_ms": 4.0, "load_average": 1, "operations": 5}], [{"p99_ms": 2.0, "load_average": 9, "operations": 5}])]
        lines = kit_figures.ratio_table(rows)
        self.assertEqual(len(lines), 2)
        self.assertTrue(lines[1].endswith("0.500"))


def costs_line(**changed):
    """A line of the kit, of an operation that costs ten of everything."""
    figures = {figure: {"median": 10} for figure in model.NEEDED} | {name: {"median": value} for name, value in changed.items()}
    return json.dumps({"scenario": "rate/named/64/noop", "figures": figures})


class Model(unittest.TestCase):
    def needs(self, rate, *words, **changed):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("a table\n" + costs_line(**changed) + "\n")
            file.flush()
            costs, options = model.parse([file.name, *words])
        return {resource.name: resource for resource in model.needs(costs, rate, options)}

    def test_cpu(self):
        """10 us at 100,000/s is one core; Redis has one for a primary, the others as many as the machine has."""
        needs = self.needs(100000, "--busy", "50", "--cores", "1", "--replication", "3")
        self.assertEqual([needs[name].machines for name in ("Redis primaries, by CPU", "coordinators", "brokers, by CPU")], [2, 2, 6])

    def test_memory_grows_with_retention(self):
        day, week = (self.needs(100000, "--retention-h", hours, redis_bytes_per_operation=500)["Redis primaries, by memory"].machines
                     for hours in ("24", "168"))
        self.assertEqual(day, 84)               # 4.3e12 bytes by 48 GiB
        self.assertAlmostEqual(week / day, 7, delta=0.1)

    def test_what_runs_out_first(self):
        needs = self.needs(10**7, redis_bytes_per_operation=500)
        first = model.first_to_run_out(needs.values())
        self.assertEqual(first.name, "Redis primaries, by memory")
        self.assertGreater(first.machines, first.limit)

    def test_a_figure_that_lacks_is_named(self):
        with self.assertRaisesRegex(ValueError, "has no kafka_bytes_per_operation"):
            model.read_costs([costs_line(kafka_bytes_per_operation=None)])
        with self.assertRaisesRegex(ValueError, "no scenario 'rate/x'"):
            model.read_costs([costs_line()], "rate/x")


class Stages(unittest.TestCase):
    def test_every_stage_of_the_header_is_known(self):
        names = list(stages.stages())
        self.assertEqual((names[0], names[-1], len(names)), ("due", "seen", 11))

    def test_moments_of_all_processes_are_joined(self):
        """The first of a stage counts, and what lacks a stage does not."""
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "1.stages").write_text("1000 due A\n2000 due B\n9000 seen A\n")
            (pathlib.Path(folder) / "2.stages").write_text("4000 read A\n3000 read A\n")
            found = stages.moments(folder)
        count, lines = stages.table(found, {"due": "", "read": "", "seen": ""})
        self.assertEqual(count, 1)
        self.assertEqual([line.split()[:5] for line in lines[2:]],
                         [["read", "2.000", "2.000", "2.000", "2.000"], ["seen", "6.000", "6.000", "8.000", "8.000"]])


class Scenarios(unittest.TestCase):
    def test_names_are_unique(self):
        names = [scenario.name for scenario in kit_scenarios.SCENARIOS]
        self.assertEqual(len(names), len(set(names)))

    def test_every_shape_slots_and_handler_is_there(self):
        names = {scenario.name for scenario in kit_scenarios.SCENARIOS}
        for shape in ("plain", "parent", "named", "sequence", "merging"):
            for rest in ("64/noop", "4096/noop", "64/5ms", "4096/5ms", "64/http", "4096/http", "64/persistent"):
                self.assertIn(f"rate/{shape}/{rest}", names)
        self.assertIn("latency/named/64/noop", names)
        self.assertIn("cold/named/64/noop", names)

    def test_what_is_compared_is_there(self):
        for name, other, _ in kit_scenarios.TIMES:
            self.assertEqual(len(kit_scenarios.chosen([name])), 1)
            self.assertEqual(len(kit_scenarios.chosen([other])), 1)

    def test_usual_ones_are_there(self):
        for pattern in kit_scenarios.USUAL + kit_scenarios.QUICK:
            self.assertTrue(kit_scenarios.chosen([pattern]), pattern)

    def test_configuration(self):
        [scenario] = kit_scenarios.chosen(["rate/merging/64/http"])
        text = scenario.config("p7", 4711, "/bin/handler")
        self.assertEqual(text.split("\n")[:7], ["[queue]", "prefix = p7", "shards = 16", "[worker]", "concurrency = 64",
                                                "[type ExternalObject]", "concurrency = 64"])
        self.assertIn("url = http://127.0.0.1:4711/", text)


class Arguments(unittest.TestCase):
    def refused(self, *words):
        with self.assertRaises(SystemExit) as end, open(os.devnull, "w") as nowhere:
            old, sys.stderr = sys.stderr, nowhere
            try:
                kit_options.parse(words)
            finally:
                sys.stderr = old
        self.assertEqual(end.exception.code, 64)

    def test_defaults(self):
        options = kit_options.parse([])
        self.assertEqual((options.operations, options.rate, options.seconds, options.runs), (100000, 500, 20, 5))
        self.assertEqual(options.scenarios, kit_scenarios.chosen(kit_scenarios.USUAL))

    def test_only_and_all(self):
        self.assertEqual([s.name for s in kit_options.parse(["--only", "cold/*"]).scenarios], ["cold/named/64/noop"])
        self.assertEqual(kit_options.parse(["--all"]).scenarios, kit_scenarios.SCENARIOS)

    def test_what_is_wrong(self):
        self.refused("0")
        self.refused("--only", "no/such")
        self.refused("--beside", "nobody")
        self.refused("--runs", "0")
        self.refused("--compare", "one")
        self.refused("--compare", "/no/build", "/no/build")


class Real(unittest.TestCase):
    def kit(self, *words):
        return subprocess.run([sys.executable, "-B", HERE / "kit.py", *map(str, words)], capture_output=True, text=True)

    def check_rate(self, line, build):
        self.assertEqual((line["scenario"], line["build"], line["runs"], line["failed"]),
                         ("rate/named/64/noop", build, 1, None))
        names = set(line["figures"])
        self.assertLessEqual(OF_A_RUN | {f"cpu_us_per_operation_{name}" for name in PROCESSES}
                             | {f"cpu_s_{name}" for name in PROCESSES}, names)
        for name, figure in line["figures"].items():
            self.assertEqual(set(figure), {"median", "least", "most", "values"}, name)
            self.assertEqual(len(figure["values"]), 1, name)
        for name in OF_A_RUN - {"load_average", "redis_bytes_per_operation"}:
            self.assertGreater(line["figures"][name]["median"], 0, name)
        self.assertEqual(line["figures"]["completed"]["median"], kit_options.QUICK.operations)

    def test_two_builds(self):
        """The same build twice: what is measured for one is for the other, and the ratios are printed."""
        build = os.environ["BGOP_BIN"]
        done = self.kit("--quick", "--compare", build, build)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        for line, name in zip(lines, ("A", "B")):
            self.check_rate(line, name)
        self.assertEqual([line["limit"] for line in lines[2:]], ["redis_hset", "kafka_produce", "kafka_consume"])
        for line in lines[2:]:
            self.assertGreater(line["figures"]["per_s"]["median"], 0)
        self.assertRegex(done.stdout, r"(?m)^rate/named/64/noop +redis_commands_per_operation .* \d+\.\d{3}$")

    def test_what_does_not_complete_fails(self):
        """A build whose worker never comes: exit code 1, and the line says so."""
        with tempfile.TemporaryDirectory() as folder:
            build = pathlib.Path(folder)
            (build / "bgop-coordinator").symlink_to(pathlib.Path(os.environ["BGOP_BIN"]) / "bgop-coordinator")
            (build / "bgop-worker").write_text("#!/bin/sh\nexec sleep 1000\n")
            (build / "bgop-worker").chmod(0o755)
            done = self.kit("--quick", "--no-limits", "--compare", build, build)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("FAILED rate/named/64/noop", done.stdout)
        self.assertIn('"completed":0', done.stdout)


if __name__ == "__main__":
    real = "--real" in sys.argv
    names = ["Real"] if real else ["Figures", "Stages", "Scenarios", "Arguments"]
    unittest.main(argv=[sys.argv[0], *names])
