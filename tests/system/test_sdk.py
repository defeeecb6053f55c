"""The official OpenAI SDK for node as an unchanged client: the checks are in sdk/, their world and the verdict here."""
import json
import os
import pathlib
import shutil
import subprocess
import threading

import pytest

from harness import FAST, SLOW, Gateway, expected_text, install_from_npm, model, provider, wait_for

SDK = pathlib.Path(__file__).parent / "sdk"
PATIENCE = 60 * SLOW

# What the provider behind each of these models does wrong. Each has a provider of its own, so that no breaker
# opened by one fault hides another.
FINAL = {
    "provider-500": {"status": 500},
    "provider-503": {"status": 503, "retry_after": "1"},
    "provider-resets": {"fault": "reset"},
    "provider-sends-html": {"fault": "html"},
    "provider-rejects-key": {"error": "invalid_key"},
    "context-too-long": {"error": "context_length"},
    "content-refused": {"error": "content_filter"},
}
FAULTS = {f"{name}-{how}": fault for name, fault in FINAL.items() for how in ("plain", "streamed")} | {
    "provider-silent": {"fault": "silence"},
    "provider-429": {"status": 429, "retry_after": "30"},
    "cut-for-good": {"fault": "cut", "after": 5},
    "stalled-for-good": {"fault": "stall", "after": 5},
    "error-for-good": {"fault": "error_in_stream", "after": 5},
}
RESCUED = {
    "cut-in-the-middle": {"fault": "cut", "after": 7},
    "stalled-in-the-middle": {"fault": "stall", "after": 7},
    "error-in-the-middle": {"fault": "error_in_stream", "after": 7},
    "provider-gone": {"fault": "close"},
}
IMPATIENT = {"timeouts": {"first_byte": "400ms", "idle": "400ms"}}


class SmallBodies(Gateway):
    """Takes bodies of 1 MiB at most, so that one over the limit is quickly sent."""

    def write(self, config):
        config["doors"]["http"]["body_limit"] = "1MiB"
        super().write(config)


@pytest.fixture(scope="module")
def node():
    node = shutil.which("node")
    assert node, "node is needed: apt-get install nodejs npm"
    install_from_npm(SDK)
    return node


def world(start, directory):
    good, bad, dying = start.mock("good"), start.mock("bad"), start.mock("dying", token_ms=20)
    bad.script({"model": "slow-*", "token_ms": 50}, {"model": "silent-*", "fault": "silence"},
               {"key": "secret-two-keys-k1", "status": 429, "retry_after": "30"},
               *({"model": name, **fault} for name, fault in {**FAULTS, **RESCUED}.items()))
    one_retry = {"max_retries": 1}
    providers = [provider("good", good), provider("dying", dying), provider("slow", bad), provider("silent", bad),
                 provider("two-keys", bad, ("k1", "k2"))]
    models = [model("smart", "good/big-model"), model("dying", "dying/m", fallbacks=["good/m"]),
              model("two-keys", "two-keys/two-keys"), model("slow-*", "slow"), model("silent-*", "silent")]
    for name in {**FAULTS, **RESCUED}:
        impatient = IMPATIENT if name == "provider-silent" or name.startswith("stalled") else {}
        providers.append(provider(name, bad, **impatient))
        models.append(model(name, f"{name}/{name}", fallbacks=["good/m"] if name in RESCUED else (), retry=one_retry))
    gateway = start.keep(SmallBodies(directory, {
        "clients": [{"name": "app", "key": "app-key-0123456789"}, {"name": "limited", "key": "limited-key-0123456789", "rpm": 2}],
        "providers": providers, "models": models, "retry": FAST}))
    return gateway, good, bad, dying


def run_checks(node, gateway, bad, dying, *only):
    """Lines as they come, since one of them asks for a kill; the last is the summary."""
    command = [node, SDK / "main.mjs", f"http://127.0.0.1:{gateway.http}/v1", "app-key-0123456789", "limited-key-0123456789",
               f"http://127.0.0.1:{bad.port}", *only]
    env = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI_")}
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        late = threading.Timer(PATIENCE, process.kill)
        late.start()
        try:
            for line in process.stdout:
                print(line, end="")
                lines.append(line)
                if line == "please: kill dying\n":
                    dying.kill()
            process.wait()
        finally:
            late.cancel()
            process.kill()
    assert lines and lines[-1].startswith("{"), f"no summary; {process.returncode}"
    return process.returncode, json.loads(lines[-1])


def test_the_official_sdk_works_unchanged(node, start, tmp_path):
    gateway, good, bad, dying = world(start, tmp_path)
    code, summary = run_checks(node, gateway, bad, dying)
    assert not summary["failed"], "\n".join(f"{f['name']}: {f['reason']}" for f in summary["failed"])
    assert code == 0 and summary["checks"] == summary["passed"] > 0
    wrong = [(question, text) for question, text in summary["complete"] if text != expected_text(question)]
    assert summary["complete"] and not wrong, wrong[:3]
    for question, text in summary["begun"]:
        assert text and text != expected_text(question) and expected_text(question).startswith(text), text
    # The streams of the killed provider went on here.
    assert sum(e["text"].startswith("killed under") for e in good.seen()) == 5
    # Final failures were asked of the gateway once each: x-should-retry kept the SDK from asking again.
    for name in FINAL:
        for how in ("plain", "streamed"):
            assert gateway.metric("mainstay_requests_total", client="app", model=f"{name}-{how}") == 1, name
    wait_for(gateway.at_rest)
