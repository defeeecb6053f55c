"""Every feature through every caller's official SDK to every provider's dialect, plain and streamed; the table in docs/protocol.md is what this proves.
MAINSTAY_WRITE_DOCS=1 writes it anew."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from harness import FAST, SLOW, expected_text, install_from_npm, model, provider
from test_openapi import DIALECTS

PAIRINGS = pathlib.Path(__file__).parent / "pairings"
PROTOCOL = pathlib.Path(__file__).resolve().parents[2] / "docs/protocol.md"
BEGIN, END = "<!-- pairings: written by tests/system/test_pairings.py -->\n", "<!-- end of pairings -->\n"
KEY = "key-of-the-pairings"
FAULTS = {"refuses": {"status": 400}, "limits": {"status": 429, "retry_after": "1"}, "breaks": {"status": 500}}


@pytest.fixture(scope="module")
def world(start_module, tmp_path_factory):
    node = shutil.which("node")
    assert node, "node is needed: apt-get install nodejs npm"
    install_from_npm(PAIRINGS)
    mocks = {d: start_module.mock(d, keep_bodies=2) for d in DIALECTS}
    for mock in mocks.values():
        mock.script(*({"model": f"*-{name}", **rule} for name, rule in FAULTS.items()))
    gateway = start_module.gateway({
        "clients": [{"name": "sdk", "key": KEY}], "providers": [provider(d, m, dialect=d) for d, m in mocks.items()],
        "models": [model(d, f"{d}/{d}-model") for d in DIALECTS] + [model(f"{d}-{f}", f"{d}/{d}-{f}") for d in DIALECTS for f in FAULTS],
        "retry": {**FAST, "max_retries": 0, "failover_wait": "100ms"}, "deadline": "20s"})
    file = tmp_path_factory.mktemp("pairings") / "world.json"
    file.write_text(json.dumps({"openai": f"http://127.0.0.1:{gateway.http}/v1", "anthropic": f"http://127.0.0.1:{gateway.http}", "key": KEY,
                                "mocks": {d: f"http://127.0.0.1:{m.port}" for d, m in mocks.items()}}))
    done = subprocess.run([node, PAIRINGS / "main.mjs", file], capture_output=True, text=True, timeout=240 * SLOW)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return {**json.loads(done.stdout), "file": file}


def test_every_feature_works_in_every_pairing(world):
    failed = [r for r in world["results"] if r["state"] == "FAIL"]
    assert not failed, f"{len(failed)} of {len(world['results'])}:\n" + "\n".join(f"{r['feature']}: {r['caller']} to {r['provider']}, {r['how']}: {r['reason']}" for r in failed[:12])
    assert len(world["results"]) == 4 * 3 * 2 * 18


def test_not_a_word_of_a_conversation_is_lost(world):
    wrong = [t for t in world["texts"] if t["text"] != expected_text(t["conversation"])]
    assert not wrong, f"{len(wrong)} of {len(world['texts'])}: {wrong[:3]}"
    assert len(world["texts"]) == (5 + 5 + 5 + 3) * 3 * 2


def test_the_fake_providers_are_taken_for_the_real_ones_by_their_vendors_sdks(world):
    """Each SDK straight at the fake provider of its vendor: nothing of ours between them."""
    done = subprocess.run([shutil.which("node"), PAIRINGS / "vendors.mjs", world["file"]], capture_output=True, text=True, timeout=60 * SLOW)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert done.stdout.splitlines()[-1] == "all as the real ones"


def table(results):
    """A row for each feature, a column for each pairing."""
    callers = list(dict.fromkeys(r["caller"] for r in results))
    shown = {"ok": "yes", "none": "–"}
    lines = ["| | " + " | ".join(f"{c} → {p}" for c in callers for p in DIALECTS) + " |", "|---" * (1 + len(callers) * len(DIALECTS)) + "|"]
    for feature in dict.fromkeys(r["feature"] for r in results):
        cells = []
        for caller in callers:
            for p in DIALECTS:
                states = {r["state"] for r in results if (r["feature"], r["caller"], r["provider"]) == (feature, caller, p)}
                cells.append(shown.get(states.pop(), "no") if len(states) == 1 else "no")
        lines.append(f"| {feature} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def test_the_table_of_the_protocol_is_what_was_proved(world):
    text = PROTOCOL.read_text()
    head, _, rest = text.partition(BEGIN)
    written, _, tail = rest.partition(END)
    proved = table(world["results"])
    if os.environ.get("MAINSTAY_WRITE_DOCS"):
        PROTOCOL.write_text(head + BEGIN + proved + END + tail)
    else:
        assert written == proved
