"""The benchmark and the soak: they run, they judge as they say, and they refuse to judge what was not answered. No claims about time."""
import importlib.machinery
import importlib.util
import json
import math
import os
import pathlib
import subprocess
import sys

import pytest

from harness import BIN, SLOW

BENCH = pathlib.Path(__file__).resolve().parents[2] / "tools/bench"
sys.path.insert(0, str(BENCH))

import load  # noqa: E402
import several_nodes  # noqa: E402
from programs import Invalid  # noqa: E402
from quantity import Quantity, summary  # noqa: E402
from scenarios import scenarios  # noqa: E402
from sizes import FULL, SHORT  # noqa: E402


def script(name):
    loader = importlib.machinery.SourceFileLoader(name, str(BENCH / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


def run(command, seconds):
    # A sanitizer keeps what is freed for a while; what the daemon itself keeps is to be seen beside that.
    sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4"
    env = {**os.environ, "MAINSTAY_BIN": str(BIN), "ASAN_OPTIONS": sanitizer.strip(":")}
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, env=env, timeout=seconds * SLOW)


def test_the_journals_bench_runs_and_judges(tmp_path):
    done = run([BENCH / "journal", "--requests", 2000, "--directory", tmp_path, "--json", tmp_path / "journal.json"], 100)
    assert done.returncode in (0, 1) and not done.stderr, done.stderr
    out = json.loads((tmp_path / "journal.json").read_text())
    assert done.returncode == (0 if out["accepted_per_s"] >= 5000 else 1) and out["answered_per_s"] > 0 and out["per_commit"] > 1


def test_every_scenario_runs_and_every_answer_is_complete(tmp_path):
    done = run([BENCH / "run", "--short", "--json", tmp_path / "bench.json", "--markdown", tmp_path / "bench.md"], 200)
    assert done.returncode == 0, done.stdout + done.stderr
    out = json.loads((tmp_path / "bench.json").read_text())
    assert out["valid"] and out["short"]
    assert [s["name"] for s in out["scenarios"]] == [s.name for s in scenarios(SHORT)]
    table = (tmp_path / "bench.md").read_text().splitlines()
    assert len(table) == sum(len(s["rows"]) for s in out["scenarios"])
    assert all(line.count("|") == 7 for line in table)
    for scenario in out["scenarios"]:
        assert scenario["rows"]
        for row in scenario["rows"]:
            assert math.isfinite(row["result"]["median"]), row
            assert row["quantity"] in done.stdout


def test_what_it_costs_to_be_one_of_several_nodes_is_measured(tmp_path):
    done = run([BENCH / "cluster", "--short", "--json", tmp_path / "cluster.json"], 100)
    assert done.returncode == 0, done.stdout + done.stderr
    out = json.loads((tmp_path / "cluster.json").read_text())
    assert out["valid"] and [s["name"] for s in out["scenarios"]] == [s.name for s in several_nodes.scenarios(SHORT)]
    targets = {(s.name, q.key): q.target for s in several_nodes.scenarios(FULL) for q in s.quantities if q.target is not None}
    assert targets == {("lease", "cpu_us"): 1.05, ("forward", "p50_us"): 400, ("frozen", "p99_us"): 1.2}


def test_every_number_that_is_meant_to_hold_is_measured():
    targets = {(s.name, q.key): q.target for s in scenarios(FULL) for q in s.quantities if q.target is not None}
    assert targets == {
        ("plain-32", "cpu_us"): 3.5, ("prompt-100k", "cpu_us"): 3.0, ("latency", "p50_us"): 250, ("stream-20ms", "cpu_us"): 2.5,
        ("stream-20ms", "first_us"): 300, ("open-streams", "growth"): 1.3, ("open-streams", "half_kb"): 40, ("open-streams", "many_kb"): 40,
        ("cache-hit", "cpu_us"): 1.5, ("anthropic-plain", "cpu_us"): 1.5, ("anthropic-stream", "cpu_us"): 1.5,
        ("observed", "cpu_us"): 1.10, ("scrape", "percent"): 1, ("idle", "percent"): 3, ("idle", "mb"): 40}


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 429}, {"fault": "cut"}, {"fault": "reset"}])
@pytest.mark.parametrize("stream", [0, 1])
def test_a_single_failed_answer_makes_the_run_invalid(tmp_path, fault, stream, start):
    mock = start.mock()
    mock.script({"skip": 7, "times": 1, **fault})
    with pytest.raises(Invalid):
        load.run(tmp_path, ("--http", f"127.0.0.1:{mock.port}"), "any", requests=20, connections=2, stream=stream)
    assert load.run(tmp_path, ("--http", f"127.0.0.1:{mock.port}"), "any", requests=20, connections=2, stream=stream)["ok"] == 20


def test_ratios_are_taken_within_a_round_and_their_median_is_judged():
    rounds = [{"nginx": {"x": n}, "mainstay": {"x": m}} for n, m in ((10, 20), (20, 80), (30, 90))]
    out = summary(Quantity("x", "work", "µs", "ratio", 2.5), rounds)
    assert out["result"] == {"median": 3, "min": 2, "max": 4}
    assert out["holds"] is False
    assert summary(Quantity("x", "work", "µs", "ratio", 3), rounds)["holds"] is True
    assert summary(Quantity("x", "work", "µs", "ratio"), rounds)["holds"] is None


def test_what_a_side_adds_is_taken_from_the_direct_one_of_the_same_round():
    rounds = [{"direct": {"x": d}, "nginx": {"x": d + 5}, "mainstay": {"x": d + m}} for d, m in ((100, 30), (900, 10), (500, 20))]
    out = summary(Quantity("x", "latency", "µs", "added", 19), rounds)
    assert out["result"] == {"median": 20, "min": 10, "max": 30}
    assert out["added"]["nginx"]["median"] == 5
    assert out["holds"] is False


def test_the_soak_compares_the_end_with_the_first_minute():
    judged = script("soak").judged
    steady = judged([(t, 20 if t < 30 else 50, 40) for t in range(601)], 600)
    assert (steady["settled_s"], steady["begin_mb"], steady["end_mb"]) == (60, 50, 50)
    assert steady["end_mb"] <= steady["at_most_mb"]
    leaking = judged([(t, 50 + t / 30, 40) for t in range(601)], 600)
    assert leaking["end_mb"] > leaking["at_most_mb"]


def test_half_a_minute_of_both_doors_leaves_the_memory_it_found(tmp_path):
    done = run([BENCH / "soak", "--minutes", "0.5", "--rate", round(200 / SLOW), "--json", tmp_path / "soak.json"], 120)
    assert done.returncode == 0, done.stdout + done.stderr
    out = json.loads((tmp_path / "soak.json").read_text())
    assert out["requests"] >= 25 * 200 / SLOW
    assert out["faults"] > 0  # and yet every answer was complete
