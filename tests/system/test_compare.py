"""compare: each target of a model is asked the same, by itself, in the operator's name."""
import json
import subprocess

import pytest

from harness import BIN, FAST, SLOW, model, provider, wait_for


def compare(gateway, *words):
    done = subprocess.run([BIN / "mainstayctl", "--node", f"127.0.0.1:{gateway.admin}", "compare", *words, "--json"], capture_output=True, text=True, timeout=60 * SLOW)
    return done.returncode, done.stdout, done.stderr


def test_targets_are_asked_by_themselves(start):
    a, b, c = start.mock("a", latency_ms=20), start.mock("b", latency_ms=120), start.mock("c")
    c.script({"status": 500})
    g = start.gateway({"providers": [provider("a", a), provider("b", b), provider("c", c)], "models": [model("smart", "a/m1", "b/m2", fallbacks=["c/m3"])],
                       "retry": FAST, "cache": {"ttl": "1h"}, "clients": [{"name": "shop", "key": "key-shop-0123456789", "rpm": 1}]})
    code, out, err = compare(g, "smart", "--times", "3", "--prompt", "How are you?", "--max-tokens", "50")
    assert code == 1, out + err  # one of them never answered
    rows = {row["target"]: row for row in json.loads(out)["targets"]}
    assert list(rows) == ["a/m1", "b/m2", "c/m3"]
    assert all(row["calls"] == 3 for row in rows.values())
    assert (rows["a/m1"]["answered"], rows["a/m1"]["errors"], rows["a/m1"]["output_tokens"]) == (3, "", 50)
    assert 0.02 <= rows["a/m1"]["mean_seconds"] <= rows["a/m1"]["p95_seconds"]
    assert rows["b/m2"]["mean_seconds"] >= 0.12 > rows["a/m1"]["first_token_seconds"] * 1
    assert rows["c/m3"]["answered"] == 0 and rows["c/m3"]["errors"].startswith("3 ")
    assert rows["a/m1"]["usd"] == "not priced"
    assert (len(a.seen()), len(b.seen())) == (3, 3) and len(c.seen()) <= 3  # nobody was asked twice, or in place of another
    assert {x["text"] for x in a.seen()} == {"How are you?"}
    assert g.ctl("cost", "--by", "client")["costs"][0]["client"] == "console"
    wait_for(g.at_rest)


@pytest.mark.parametrize("words,fault", [(["nobody"], "no model named nobody"), (["smart", "--times", "0"], "--times"), (["smart", "more"], "no model named more")])
def test_wrong_orders_are_told(start, words, fault):
    a = start.mock("a")
    g = start.gateway({"providers": [provider("a", a)], "models": [model("smart", "a/m1")]})
    code, out, err = compare(g, *words)
    assert code != 0 and fault in out + err and not a.seen()


def test_a_killed_run_or_recorder_costs_no_result(start):
    a = start.mock("a", latency_ms=300)
    g = start.gateway({"providers": [provider("a", a)], "models": [model("smart", "a/m1")]})
    p = subprocess.Popen([BIN / "mainstayctl", "--node", f"127.0.0.1:{g.admin}", "--json", "compare", "smart", "--times", "2"], stdout=subprocess.PIPE, text=True)
    wait_for(lambda: a.stats()["open"] == 1)
    g.ctl("drill", "crash", "request_run")
    g.ctl("drill", "crash", "metrics_aggregator")
    out, _ = p.communicate(timeout=60 * SLOW)
    assert p.returncode == 0 and '"answered":2' in out, out
