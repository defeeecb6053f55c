"""The replay of the field's tables: every part runs, says all of its columns, and nobody is lost in it. No claims about numbers."""
import json
import math
import os
import pathlib
import random
import subprocess
import sys
import types

import pytest

from harness import BIN, MOCK, SLOW

BENCH = pathlib.Path(__file__).resolve().parents[2] / "tools/bench"
sys.path.insert(0, str(BENCH))

from field import dead_provider, herd, retry_policies, slow_providers, stages, step_in_rate, tables  # noqa: E402
from field.world import World, model, provider  # noqa: E402
from programs import Invalid  # noqa: E402

PARTS = (retry_policies, step_in_rate, dead_provider, stages, slow_providers)


def run(*options, **env):
    return subprocess.run([BENCH / "scenarios", *map(str, options)], capture_output=True, text=True, timeout=240 * SLOW,
                          env={**os.environ, "MAINSTAY_BIN": str(BIN), "MAINSTAY_MOCK": str(MOCK), **env})


def numbers_in(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [n for one in value for n in numbers_in(one)]
    return [value] if isinstance(value, (int, float)) else []


def test_every_part_runs_and_nobody_is_lost(tmp_path):
    done = run("--short", "--json", tmp_path / "out.json")
    assert done.returncode == 0, done.stdout + done.stderr
    out = json.loads((tmp_path / "out.json").read_text())
    assert out["valid"] and out["short"]
    assert list(out["parts"]) == [part.NAME for part in PARTS]
    for part in PARTS:
        result = out["parts"][part.NAME]
        assert f"{part.NAME}: {part.TITLE}" in done.stdout and f"{part.NAME}: " in done.stderr
        assert result["rows"] and all(math.isfinite(n) for n in numbers_in(result)), result
        for row in result["rows"]:
            assert row["calls"] > 0
            for share in ("answered", "availability", "degraded"):
                assert 0 <= row.get(share, 0) <= 1, row
        assert "\n".join(part.shown(result)) in done.stdout  # what is printed is what was measured
    assert "\033" not in done.stdout  # no colours but on a terminal


def test_a_part_can_be_asked_for_alone(tmp_path):
    done = run("--short", "--only", "slow-providers", "--json", tmp_path / "out.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(json.loads((tmp_path / "out.json").read_text())["parts"]) == ["slow-providers"]
    assert run("--only", "nothing").returncode == 2


@pytest.mark.parametrize("fault", [{"status": 200, "body": "another answer"}, {"fault": "html"}])
def test_an_answer_that_is_not_the_questions_makes_the_replay_invalid(tmp_path, fault):
    with World(tmp_path, print) as world:
        wrong = world.mock("wrong", {"skip": 3, "times": 1, **fault})
        straight = types.SimpleNamespace(http=wrong.port)  # asked without the daemon, which may know better
        with pytest.raises(Invalid):
            world.load(straight, "--requests", 10).outcome()
        gateway = world.gateway([provider(wrong)], model(wrong))
        assert world.asked(gateway, "--requests", 10).ok == 10


def test_columns_are_aligned_whatever_stands_in_them():
    lines = list(tables.table(["what", "n"], [["a", "1"], ["a longer one", "1,000"]]))
    assert lines[2:] == ["a                 1", "a longer one  1,000"]
    assert list(tables.bars({"a": 2.0, "bb": 1.0}, "x", size=4)) == ["a   #### 2.0 x", "bb  ##   1.0 x"]


def test_recovery_is_counted_from_the_end_of_the_rush_to_the_last_second_of_trouble():
    def second(n, errors=0, p50_ms=5):
        return {"second": n, "ok": 10, "errors": errors, "p50_us": p50_ms * 1000}
    assert step_in_rate.recovered_after([second(0), second(4, errors=1), second(5), second(6, p50_ms=900), second(7)], 5) == 2
    assert step_in_rate.recovered_after([second(0), second(4, errors=1), second(5)], 5) == 0


def test_in_the_simulated_herd_every_client_is_answered_or_counted_as_failed():
    for name in herd.JITTERS:
        row = herd.simulated(name, 500, random.Random(7))
        assert round(row["answered"] * 500) + row["failed"] == 500
        assert 0 <= row["extra_per_call"] <= herd.RETRIES
    fixed, spread = (herd.simulated(name, 1000, random.Random(7)) for name in ("linear, none", "exponential, full"))
    assert spread["failed"] < fixed["failed"]
