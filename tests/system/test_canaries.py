"""Strings that stand nowhere else in keys, prompts and answers; every way to an error is gone; and none of them is found where it does not belong:
in logs, metrics, traces, the dashboard, the audit, the console, what a crash leaves, or what a caller is told of others' secrets."""
import json
import signal
import socket
import subprocess

import pytest

from harness import BIN, FAST, SLOW, Dealer, chat_body, http_json, model, provider, wait_for
from test_tracing import Collector

PROVIDER_KEY, OTHER_KEY, CLIENT_KEY, WRONG_KEY = "sk-Canary-provider-7f3a9c", "sk-Canary-second-51bd20", "client-Canary-key-0d41e7", "client-Canary-wrong-99ab"
PROMPT, SAID, TOOL, HEADER, PATH, MODEL = "PromptCanaryQZX", "AnswerCanaryWVU", "ToolCanaryKJH", "HeaderCanaryPLM", "PathCanaryNBV", "ModelCanaryTRE"
TOKEN, WEBHOOK = "metrics-Canary-token-3e", "webhook-Canary-secret-77"
SECRETS = (PROVIDER_KEY, OTHER_KEY, CLIENT_KEY, TOKEN, WEBHOOK)
EVERYTHING = (*SECRETS, WRONG_KEY, PROMPT, SAID, TOOL, HEADER, PATH, MODEL)

ECHO = {"error": {"message": f"Bad request: '{PROMPT} {SAID}' with key {PROVIDER_KEY}", "type": "invalid_request_error", "code": None, "param": None}}
FAULTS = {
    "refused": {"status": 400, "body": ECHO}, "refused-key": {"status": 401, "body": {"error": {"message": f"Incorrect API key provided: {PROVIDER_KEY}", "code": "invalid_api_key"}}},
    "forbidden": {"status": 403, "body": ECHO}, "missing": {"status": 404, "body": ECHO}, "limited": {"status": 429, "body": ECHO, "retry_after": "60"},
    "broken": {"status": 500, "body": ECHO}, "overloaded": {"status": 503, "body": ECHO}, "odd": {"status": 418, "body": f"{PROMPT} {PROVIDER_KEY}"},
    "page": {"fault": "html", "body": f"<html>{PROMPT} {SAID} {PROVIDER_KEY}</html>"}, "nothing": {"fault": "empty"}, "half": {"fault": "half_json", "event": 4},
    "reset": {"fault": "reset"}, "silent": {"fault": "silence"}, "cut": {"fault": "cut", "after": 3}, "stalled": {"fault": "stall", "after": 3},
    "junk": {"fault": "junk"}, "error-inside": {"fault": "error_in_stream", "after": 2, "body": ECHO}, "too-long": {"error": "context_length"},
    "filtered": {"error": "content_filter"}, "headers": {"status": 500, "headers": {"x-odd": f"{PROMPT} {PROVIDER_KEY}"}},
}


@pytest.fixture
def house(start, tmp_path):
    collector, bell = Collector(), Collector()
    mocks = {name: start.mock(name, keep_bodies=5) for name in FAULTS}
    good = start.mock("good")
    for name, mock in mocks.items():
        mock.script(FAULTS[name], {**FAULTS[name], "path": "*/embeddings"})
    impatient = {"timeouts": {"first_byte": "300ms", "idle": "300ms"}}
    keys = [{"name": "k1", "secret": PROVIDER_KEY}, {"name": "k2", "secret": OTHER_KEY}]
    gateway = start.gateway({
        "clients": [{"name": "app", "key": CLIENT_KEY, "rpm": 100000, "partial": ["tools"]}],
        "providers": [provider(name, mock, keys, **impatient) for name, mock in mocks.items()] + [provider("good", good, keys)],
        "models": [model(name, f"{name}/m") for name in FAULTS] + [model("good", "good/m"), model("failover", "broken/m", "limited/m", fallbacks=["good/m"])],
        "retry": {**FAST, "max_retries": 1}, "deadline": "2s", "cache": {"ttl": "1h", "similar": {"method": "lexical"}, "sqlite": {"path": str(tmp_path / "c.db")}},
        "journal": {"path": str(tmp_path / "j.db")}, "state": {"path": str(tmp_path / "s.db")},
        "privacy": {"audit": {"path": str(tmp_path / "audit.jsonl")}}, "tracing": {"endpoint": collector.url, "sample": 1.0, "headers": {"x-secret": WEBHOOK}},
        "logs": {"requests": "all"}, "alerts": {"min_requests": 1, "webhook": bell.url, "webhook_secret": WEBHOOK},
        "degradation": {"canned": {"general": "Later."}},
    }, log_level="debug")
    gateway.collector, gateway.bell, gateway.audit = collector, bell, tmp_path / "audit.jsonl"
    yield gateway
    for c in (collector, bell):
        c.server.shutdown()
        c.server.server_close()


MINE = {"authorization": f"Bearer {CLIENT_KEY}"}
QUESTION = f"{PROMPT} {SAID}"  # the mock's answer begins with the question's words


def errors_of_all_kinds(gateway):
    """What callers were told in errors."""
    told = []
    tools = [{"type": "function", "function": {"name": TOOL, "description": PROMPT}}]
    for name in [*FAULTS, "good", "failover"]:
        for stream in (False, True):
            answer = gateway.chat(QUESTION, stream, headers=MINE, model=name, **({"tools": tools} if name == "good" else {}))
            told.append((name, answer.error, answer.headers))
    bad = [(chat_body(QUESTION, model=MODEL), MINE, "/v1/chat/completions"), ({"model": "good", "messages": PROMPT}, MINE, "/v1/chat/completions"),
           (f'{{"model": "good", "{PROMPT}'.encode(), MINE, "/v1/chat/completions"), (chat_body(QUESTION), {"authorization": f"Bearer {WRONG_KEY}"}, "/v1/chat/completions"),
           (chat_body(QUESTION), {"authorization": f"Basic {WRONG_KEY}"}, "/v1/chat/completions"), (chat_body(QUESTION), {"x-api-key": WRONG_KEY}, "/v1/embeddings"),
           (chat_body(QUESTION), MINE, f"/v1/{PATH}?{PATH}"), (chat_body(QUESTION), {**MINE, "x-mainstay-priority": HEADER}, "/v1/chat/completions"),
           (chat_body(QUESTION), {**MINE, "idempotency-key": HEADER + " blank"}, "/v1/chat/completions"), ({"model": "good", "input": [PROMPT, 1]}, MINE, "/v1/embeddings"),
           ({"model": "silent", "input": PROMPT}, MINE, "/v1/embeddings")]
    for body, headers, path in bad:
        status, got, answer = http_json(gateway.http, "POST", path, body, headers)
        assert status >= 400, answer
        told.append((path, answer, got))
    for raw in (f"GET /{PATH} HTTP/1.1\r\nhost: {HEADER}\r\n{HEADER}\r\n\r\n", f"{HEADER}\r\n\r\n", f"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: {HEADER}\r\n\r\n",
                f"POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer {CLIENT_KEY}\r\ntransfer-encoding: {HEADER}\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", gateway.http), 5 * SLOW) as s:
            s.sendall(raw.encode())
            told.append(("raw", s.makefile("rb").read().decode(), {}))
    with Dealer(gateway.zmq_url) as caller:
        told.append(("zmq", caller.chat(QUESTION, headers=MINE, model="broken", request_id=b"1").error, {}))
        told.append(("zmq", caller.chat(QUESTION, headers={"authorization": f"Bearer {WRONG_KEY}"}, request_id=b"2").error, {}))
        for frames in ([b"3", HEADER.encode(), b"{}", b"{}"], [b"4", b"chat", f"{{{HEADER}".encode(), b"{}"], [b"5", b"chat", json.dumps({**MINE, HEADER: [HEADER]}).encode(), b"{}"]):
            caller.socket.send_multipart(frames)
            told.append(("zmq", caller.answer().error, {}))
        caller.send(b"6", b"chat", chat_body(QUESTION, model="broken"), {**MINE, "durable": "true"})
        assert caller.receive()[1] == "accepted"
    return told


def found_in(text, what):
    return [c for c in what if c in text]


def test_no_canary_is_found_where_it_does_not_belong(house):
    told = errors_of_all_kinds(house)
    wait_for(lambda: house.metric("mainstay_requests_total", model="cut") >= 2)
    # A caller hears of its own prompt what the provider said of it, never a key, nor of what stands in another's headers.
    for name, error, headers in told:
        assert not found_in(json.dumps([error, headers]), (*SECRETS, WRONG_KEY, HEADER, PATH)), (name, error, headers)
    places = {"metrics": http_json(house.metrics_port, "GET", "/metrics")[2], "dashboard": http_json(house.metrics_port, "GET", "/")[2]}
    with socket.create_connection(("127.0.0.1", house.metrics_port), 5 * SLOW) as s:  # two frames of what the dashboard shows
        s.sendall(f"GET /events HTTP/1.1\r\nhost: 127.0.0.1:{house.metrics_port}\r\n\r\n".encode())
        seen = b""
        while seen.count(b"\ndata:") < 2 and (piece := s.recv(65536)):
            seen += piece
    assert seen.count(b"\ndata:") >= 2, seen
    places["frames"] = seen.decode()
    for words in (["status"], ["actors"], ["breakers"], ["keys"], ["limits"], ["queue"], ["cache", "stats"], ["models"], ["metrics"], ["alerts"], ["clients"], ["cost"],
                  ["forecast"], ["nodes"], ["pools"], ["journal"], ["requests"], ["requests", "--notable"], ["overview"]):
        places["console " + " ".join(words)] = json.dumps(house.ctl(*words))
    for request in house.ctl("requests")["requests"][:60]:
        places["trace"] = places.get("trace", "") + json.dumps(house.ctl("trace", request["request"]))
    wait_for(lambda: len(house.collector.spans()) > 40)
    wait_for(lambda: house.bell.posts, 30)
    places["spans"], places["alerts"] = json.dumps(house.collector.posts), json.dumps(house.bell.posts)
    house.signal(signal.SIGHUP)
    wait_for(lambda: "reload" in house.log())
    places["audit"] = wait_for(lambda: house.audit.exists() and house.audit.read_text())
    assert places["audit"].count("\n") > 40
    places["log"] = house.log()
    assert places["log"].count("\n") > 40
    for place, text in places.items():
        assert not found_in(text, EVERYTHING), (place, [text[max(0, text.index(c) - 200):text.index(c) + 100] for c in found_in(text, EVERYTHING)])


@pytest.mark.skipif(SLOW > 1, reason="sanitizers have a report of their own")
def test_a_crash_leaves_nothing(house):
    """Neither a core, which would hold every key, nor a word of what was under way."""
    limit = next(line.split() for line in open(f"/proc/{house.pid}/limits") if line.startswith("Max core file size"))
    assert limit[4:6] == ["0", "0"], limit
    house.chat(QUESTION, headers=MINE, model="good")
    before = len(house.log())
    house.signal(signal.SIGSEGV)
    assert house.wait() == -signal.SIGSEGV
    assert not found_in(house.log()[before:], EVERYTHING)
    assert not list(house.directory.glob("core*"))


@pytest.mark.parametrize("part", [f"clients: [ {{ name: app, key: [ {CLIENT_KEY} ] }} ]", f"clients: [ {{ name: app, kee: {CLIENT_KEY} }} ]",
                                  f"clients: [ {{ name: app, key: \"{CLIENT_KEY}\" }}, {{ name: other, key: \"{CLIENT_KEY}\" }} ]",
                                  f"state: {{ path: x, secret: {CLIENT_KEY} }}", f"providers: [ {{ name: a, base_url: \"http://user:{PROVIDER_KEY}@h\", keys: [ {{ name: k, secret: {PROVIDER_KEY} }} ] }} ]",
                                  f"providers: [ {{ name: a, base_url: \"http://h\", proxy: \"http://u:{PROVIDER_KEY}@h/x\", keys: [ {{ name: k, secret: {PROVIDER_KEY} }} ] }} ]",
                                  f"cache: {{ redis: {{ url: \"redis://:{PROVIDER_KEY}@h:x/0\" }} }}"], ids=range(7))
def test_a_wrong_configuration_is_described_without_its_secrets(tmp_path, part):
    file = tmp_path / "m.yaml"
    file.write_text(part + "\n")
    done = subprocess.run([BIN / "mainstayd", "--check", "--config", file], capture_output=True, text=True, timeout=30 * SLOW)
    assert done.returncode == 2 and not found_in(done.stdout + done.stderr, SECRETS), done.stdout + done.stderr
