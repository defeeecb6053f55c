"""What identifies a person leaves in no request: placeholders stand for it at providers, in caches, logs, traces and the audit, and the caller has its own
words back, whole, streamed and collected after a restart; what is denied goes neither in nor out; what has to stay in a region stays there."""
import json
import socket
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness import BIN, FAST, Dealer, chat_body, http_json, model, provider, wait_for

MAIL, PHONE, CARD, ID, IBAN, TICKET = "bob.canary@example.com", "13800138000", "4111-1111-1111-1111", "11010519491231002X", "DE89370400440532013000", "TCK-90210"
SECRETS = [MAIL, PHONE, CARD, ID, IBAN, TICKET]
QUESTION = f"write to {MAIL} or {PHONE} about {CARD} {ID} {IBAN} {TICKET}"
TOLD = "write to [EMAIL_1] or [PHONE_1] about [CARD_1] [ID_NUMBER_1] [IBAN_1] [TICKET_1]"
RULES = {"redact": ["email", "phone", "card", "id_number", "iban", {"name": "ticket", "pattern": "TCK-[0-9]+"}]}
APP, RAW, EU = ({"x-api-key": f"key-{n}-0123456789"} for n in ("app", "raw", "eu"))


def clients(**more):
    return [{"name": n, "key": f"key-{n}-0123456789", **more.get(n, {})} for n in ("app", "raw", "eu")]


def bodies(mock):
    kept = http_json(mock.port, "GET", "/mock/bodies")[2]
    return [b["body"] for b in (kept["bodies"] if isinstance(kept, dict) else kept)]


def said(answer):
    """the text of an answer, plain or streamed"""
    if answer.body and "choices" in answer.body:
        return answer.body["choices"][0]["message"]["content"]
    return "".join(c["delta"].get("content") or "" for e in answer.events for c in e.get("choices", []))


def none_in(text, where):
    found = [s for s in SECRETS if s in text]
    assert not found, (where, found)


@pytest.fixture
def house(start, tmp_path):
    class House:
        audit, journal, cache = tmp_path / "audit.jsonl", tmp_path / "journal.db", tmp_path / "cache.db"

        def __init__(self):
            self.mock = start.mock("p", keep_bodies=100)

        def gateway(self, **more):
            config = {"providers": [provider("p", self.mock)], "models": [model("smart", "p/m")], "retry": {**FAST, "max_retries": 0},
                      "logs": {"requests": "all"}, "privacy": {**RULES, "audit": {"path": str(self.audit), "prompts": True}}, **more}
            self.now = start.gateway(config, log_level="debug")
            return self.now
    return House()


def test_callers_have_their_own_words_back_and_nobody_else_saw_them(house, start, tmp_path):
    spans = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            spans.append(self.rfile.read(int(self.headers["content-length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass
    collector = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    redis = start.redis()
    gateway = house.gateway(cache={"ttl": "1h", "redis": {"url": redis.url}, "sqlite": {"path": str(house.cache)}, "similar": {"method": "lexical", "threshold": 0.6}},
                            tracing={"endpoint": f"http://127.0.0.1:{collector.server_port}", "sample": 1})
    expected = None
    for stream in (False, True):
        for door in ("http", "zmq"):
            for headers in ({"x-mainstay-cache": "off"}, {}, {}, {"idempotency-key": f"k-{stream}-{door}"}, {"idempotency-key": f"k-{stream}-{door}"}):
                if door == "http":
                    answer = gateway.chat(QUESTION, stream=stream, headers=headers)
                else:
                    with Dealer(gateway.zmq_url) as d:
                        answer = d.chat(QUESTION, stream=stream, headers=headers)
                assert answer.status == 200, answer.body
                assert all(s in said(answer) for s in SECRETS) and "_1]" not in said(answer), said(answer)
                expected = expected or said(answer)
                assert said(answer) == expected
    # the same question of somebody else comes from the cache, with that one's own values
    other = gateway.chat(QUESTION.replace(MAIL, "ann@example.org"))
    assert other.headers["x-mainstay-source"] == "cache" and said(other) == expected.replace(MAIL, "ann@example.org")
    assert gateway.metric("mainstay_redactions_total", kind="email") == 21 and gateway.metric("mainstay_redactions_total", kind="ticket") == 21

    sent = bodies(house.mock)
    assert sent and all(json.loads(b)["messages"][0]["content"] == TOLD for b in sent)
    none_in("".join(sent), "the provider")
    wait_for(lambda: len(house.audit.read_text().splitlines()) >= 21)
    lines = house.audit.read_text()
    none_in(lines, "the audit")
    assert json.loads(lines.splitlines()[0])["redacted"] == "email 1, phone 1, card 1, id_number 1, iban 1, ticket 1" and "[EMAIL_1]" in lines
    none_in(gateway.log(), "the log")
    assert "replaced email 1" in gateway.log()
    wait_for(lambda: len("".join(spans)) > 1000)
    none_in("".join(spans), "the trace")
    assert "mainstay.redacted" in "".join(spans)
    none_in(http_json(gateway.metrics_port, "GET", "/metrics")[2], "the metrics")
    stored = wait_for(lambda: [v for v in redis_values(redis.port) if "EMAIL_1" in v])
    none_in("".join(stored), "Redis")
    gateway.stop()
    none_in(b"".join(p.read_bytes() for p in tmp_path.glob("cache.db*")).decode(errors="replace"), "the cache's file")
    collector.shutdown()


def redis_values(port):
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        f = s.makefile("rb")

        def ask(*words):
            s.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
            return reply()

        def reply():
            line = f.readline()
            kind, rest = line[:1], line[1:-2]
            if kind == b"*":
                return [reply() for _ in range(int(rest))]
            if kind == b"$":
                return None if rest == b"-1" else f.read(int(rest) + 2)[:-2]
            return rest
        return [(ask(b"GET", k) or b"").decode(errors="replace") for k in ask(b"KEYS", b"*")]


def test_tools_are_called_with_the_callers_values_in_json(house):
    gateway = house.gateway()
    tools = [{"type": "function", "function": {"name": "send", "parameters": {"type": "object", "properties": {"to": {"type": "string", "description": f"such as {MAIL}"}}, "required": ["to"]}}}]
    for stream in (False, True):
        answer = gateway.chat(f"please use the tool for {MAIL}", stream=stream, tools=tools)
        assert answer.status == 200
    none_in("".join(bodies(house.mock)), "the provider")
    history = [{"role": "user", "content": f"I am {MAIL}"}, {"role": "assistant", "content": None, "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "send", "arguments": json.dumps({"to": MAIL, "id": PHONE})}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": json.dumps({"sent": MAIL})}, {"role": "user", "content": f"and {MAIL}?"}]
    status, _, answer = http_json(gateway.http, "POST", "/v1/chat/completions", {"model": "smart", "messages": history, "tools": tools, "user": MAIL})
    assert status == 200 and MAIL in answer["choices"][0]["message"]["content"]
    last = json.loads(bodies(house.mock)[-1])
    none_in(json.dumps(last), "the provider")
    assert json.loads(last["messages"][1]["tool_calls"][0]["function"]["arguments"]) == {"to": "[EMAIL_1]", "id": "[PHONE_1]"}
    assert last["messages"][2]["tool_call_id"] == "call_1" and last["tools"][0]["function"]["name"] == "send"


def test_each_client_has_its_own_rules(house):
    gateway = house.gateway(clients=clients(raw={"redact": "none"}, eu={"redact": ["phone"], "deny": [{"name": "own", "pattern": "(?i)top secret"}]}))
    for headers, told in ((APP, TOLD), (RAW, QUESTION), (EU, QUESTION.replace(PHONE, "[PHONE_1]"))):
        answer = gateway.chat(QUESTION, headers=headers)
        assert answer.status == 200 and all(s in said(answer) for s in SECRETS)
        assert json.loads(bodies(house.mock)[-1])["messages"][0]["content"] == told
    assert gateway.chat("a top secret thing", headers=EU).status == 400 and gateway.chat("a top secret thing", headers=APP).status == 200


def test_what_is_denied_does_not_come_in(house):
    gateway = house.gateway(privacy={**RULES, "deny": [{"name": "apollo", "pattern": "(?i)project.apollo", "on": "in"}], "audit": {"path": str(house.audit), "prompts": True}},
                            journal={"path": str(house.journal)})
    for stream in (False, True):
        refused = gateway.chat("tell me of Project Apollo", stream=stream)
        error = refused.body["error"]
        assert refused.status == 400 and error["code"] == "denied_content" and "rule apollo" in error["message"] and "project" not in json.dumps(refused.body).lower()
    with Dealer(gateway.zmq_url) as d:
        d.send(b"d", b"chat", chat_body("of project apollo"), {"durable": True})
        _, kind, headers, body = d.receive()
        assert kind == "error" and headers["status"] == 400 and body["error"]["code"] == "denied_content"
    assert bodies(house.mock) == [] and gateway.metric("mainstay_denied_total", rule="apollo", way="in") == 3
    wait_for(lambda: len(house.audit.read_text().splitlines()) == 3)
    for place in (house.audit.read_text(), gateway.log(), b"".join(p.read_bytes() for p in house.journal.parent.glob("journal.db*")).decode(errors="replace")):
        assert "project" not in place.lower()


def test_what_is_denied_does_not_go_out_and_nobody_else_is_asked_for_it(house):
    gateway = house.gateway(privacy={"deny": [{"name": "lake", "pattern": "(?i)echo: quiet lake", "on": "out"}], "audit": {"path": str(house.audit)}},
                            cache={"ttl": "1h"})
    for ask in range(2):  # then from the cache
        answer = gateway.chat("quiet lake and more words")
        assert answer.status == 400 and answer.body["error"]["code"] == "denied_content" and answer.headers["x-should-retry"] == "false"
        assert "quiet" not in json.dumps(answer.body)
    stream = gateway.chat("quiet lake is here", stream=True)
    assert not stream.done and stream.events[-1]["error"]["code"] == "denied_content" and said(stream) == ""
    fine = gateway.chat("a loud lake", stream=True)
    assert fine.done and said(fine).startswith("echo: a loud lake |") and len(said(fine).split()) == 60
    assert gateway.metric("mainstay_denied_total", rule="lake", way="out") == 3 and len(bodies(house.mock)) == 3
    wait_for(gateway.at_rest)
    wait_for(lambda: len(house.audit.read_text().splitlines()) == 4)
    outcomes = [json.loads(l)["outcome"] for l in house.audit.read_text().splitlines()]
    assert outcomes.count("content_filter") == 3 and outcomes.count("ok") == 1


def test_a_durable_request_is_restored_for_whoever_collects_it_also_after_a_restart(house):
    gateway = house.gateway(journal={"path": str(house.journal)})
    with Dealer(gateway.zmq_url) as d:
        for stream, name in ((False, b"plain"), (True, b"streamed")):
            answer = d.chat(QUESTION, stream=stream, headers={"durable": True}, request_id=name)
            assert answer.status == 200 and all(s in said(answer) for s in SECRETS)
        other = d.chat(QUESTION.replace(MAIL, "ann@example.org"), headers={"durable": True}, request_id=b"plain")
        assert other.status == 422  # with other values it is another request
    house.mock.script({"status": 500})
    with Dealer(gateway.zmq_url) as d:
        d.send(b"later", b"chat", chat_body(QUESTION), {"durable": True})
        assert d.receive()[1] == "accepted"
    gateway.kill()
    none_in("".join(bodies(house.mock)), "the provider")
    house.mock.reset()
    gateway = house.gateway(journal={"path": str(house.journal)})
    for name in (b"plain", b"streamed", b"later"):
        with Dealer(gateway.zmq_url) as d:
            d.send(name, b"collect")
            answer = d.answer()
        assert answer.status == 200 and all(s in said(answer) for s in SECRETS) and "_1]" not in said(answer), answer.body
    none_in("".join(bodies(house.mock)), "the provider")
    none_in(house.audit.read_text() + gateway.log(), "audit and log")


def test_what_has_to_stay_in_a_region_stays_there(start):
    eu, us, us2 = (start.mock(n, keep_bodies=10) for n in ("eu", "us", "us2"))
    gateway = start.gateway({
        "providers": [provider("us", us, region="us"), provider("eu", eu, region="eu"), provider("far", us2)],
        "models": [model("smart", "us/m", "eu/m", fallbacks=["far/m"], hedge_after="50ms"), model("abroad", "us/m")],
        "retry": {**FAST, "max_retries": 3}, "cache": {"ttl": "1h"}, "clients": clients(eu={"region": "eu"})})
    asked = lambda: [len(bodies(m)) for m in (eu, us, us2)]
    for i in range(6):
        assert gateway.chat(f"stay {i}", headers=EU, stream=i % 2 == 0).headers["x-mainstay-provider"] == "eu"
        assert gateway.chat(f"stay {i} too", headers={**APP, "x-mainstay-region": "eu"}).headers["x-mainstay-provider"] == "eu"
    assert asked() == [10, 0, 0]  # the last ten are kept
    # an answer from anywhere is none for who has to stay
    anywhere = gateway.chat("common question", headers={**APP, "x-mainstay-region": "us"})
    assert anywhere.headers["x-mainstay-provider"] == "us"
    within = gateway.chat("common question", headers={**APP, "x-mainstay-region": "eu"})
    assert within.headers["x-mainstay-source"] != "cache" and within.headers["x-mainstay-provider"] == "eu"
    # nobody widens
    wider = gateway.chat("x", headers={**EU, "x-mainstay-region": "us"})
    assert wider.status == 403 and wider.body["error"]["code"] == "region_not_allowed" and "eu" in wider.body["error"]["message"]
    for headers, name in ((EU, "abroad"), ({**APP, "x-mainstay-region": "mars"}, "smart")):
        status, _, body = http_json(gateway.http, "POST", "/v1/chat/completions", {**chat_body("x"), "model": name}, headers)
        assert status == 400 and body["error"]["code"] == "no_target_in_region", body
    # the only one there is down: an error, never another region; slow: no hedge abroad
    before = asked()[1:]
    eu.script({"status": 500})
    for stream in (False, True):
        down = gateway.chat("nobody there", headers={**EU, "x-mainstay-deadline-ms": "600"}, stream=stream)
        assert down.status >= 500
    eu.script({"latency_ms": 500, "times": 1})
    assert gateway.chat("slow there", headers={**EU, "x-mainstay-cache": "off"}, stream=True).status in (200, 502, 503, 504)
    assert asked()[1:] == before
    assert gateway.chat("with others", headers=APP).status == 200


def test_a_durable_request_stays_in_the_region_that_its_caller_named_also_after_a_restart(start, tmp_path):
    eu, us = start.mock("eu"), start.mock("us")
    config = {"providers": [provider("us", us, region="us"), provider("eu", eu, region="eu")], "models": [model("smart", "us/m", "eu/m")],
              "retry": {**FAST, "max_retries": 0, "attempts": 1}, "journal": {"path": str(tmp_path / "journal.db")}}
    eu.script({"status": 500})
    gateway = start.gateway(config)
    with Dealer(gateway.zmq_url) as d:
        for i in range(3):  # some are merged, if they may be
            d.send(b"%d" % i, b"chat", chat_body(f"stay {i}"), {"durable": True, "batch": i > 0, "x-mainstay-region": "eu"})
            assert d.receive()[1] == "accepted"
    wait_for(lambda: len(eu.seen()) > 0)
    gateway.kill()
    eu.reset()
    gateway = start.gateway(config)
    for i in range(3):
        with Dealer(gateway.zmq_url) as d:
            d.send(b"%d" % i, b"collect")
            assert d.answer().headers["x-mainstay-provider"] == "eu"
    assert us.seen() == []


def test_the_cache_is_warmed_with_what_callers_will_ask(house, tmp_path):
    gateway = house.gateway(cache={"ttl": "1h"}, privacy={**RULES, "deny": [{"name": "apollo", "pattern": "apollo"}]})
    lines = tmp_path / "questions.jsonl"
    lines.write_text("".join(json.dumps(chat_body(q)) + "\n" for q in (QUESTION, "of apollo")))
    done = subprocess.run([BIN / "mainstayctl", "--node", f"127.0.0.1:{gateway.admin}", "--json", "cache", "warm", str(lines)], capture_output=True, text=True, timeout=60)
    told = json.loads(done.stdout)
    assert told["warmed"] == 1 and told["problems"][0]["problem"] == "is denied by the rule apollo", told
    answer = gateway.chat(QUESTION)
    assert answer.headers["x-mainstay-source"] == "cache" and all(s in said(answer) for s in SECRETS)
    assert [json.loads(b)["messages"][0]["content"] for b in bodies(house.mock)] == [TOLD]


def test_questions_to_be_embedded_are_redacted_and_asked_within_the_region(start):
    eu, us = start.mock("eu", keep_bodies=10), start.mock("us", keep_bodies=10)
    gateway = start.gateway({"providers": [provider("us", us, region="us"), provider("eu", eu, region="eu")], "models": [model("smart", "us/m", "eu/m")],
                             "retry": FAST, "privacy": RULES})
    for region, mock in (("eu", eu), ("us", us)):
        status, headers, body = http_json(gateway.http, "POST", "/v1/embeddings", {"model": "smart", "input": [QUESTION]}, {"x-mainstay-region": region})
        assert status == 200 and headers["x-mainstay-provider"] == region and len(body["data"]) == 1, body
        assert json.loads(bodies(mock)[-1])["input"] == [TOLD]
    assert len(bodies(eu)) == len(bodies(us)) == 1


CALLERS = {"/v1/chat/completions": chat_body(QUESTION), "/v1/completions": {"model": "smart", "prompt": QUESTION}, "/v1/responses": {"model": "smart", "input": QUESTION},
           "/v1/messages": {"model": "smart", "max_tokens": 1000, "messages": [{"role": "user", "content": QUESTION}], "metadata": {"user_id": MAIL}}}


def texts(path, answer):
    """of a whole answer, or of an event, of that path's dialect"""
    if path == "/v1/messages":
        return [b.get("text", "") for b in answer.get("content", [])] + [answer.get("delta", {}).get("text", "")]
    if path == "/v1/responses":
        return [c.get("text", "") for o in answer.get("output", []) for c in o.get("content", [])] + ([answer["delta"]] if answer.get("type") == "response.output_text.delta" else [])
    parts = [c.get("message") or c.get("delta") or {"content": c.get("text")} for c in answer.get("choices", [])]
    return [p.get("content") or "" for p in parts]


@pytest.mark.parametrize("dialect", ["openai", "anthropic", "gemini"])
def test_callers_of_every_dialect_have_their_own_words_back_from_providers_of_every_dialect(start, dialect):
    mock = start.mock("p", keep_bodies=50)
    gateway = start.gateway({"providers": [provider("p", mock, dialect=dialect)], "models": [model("smart", "p/m")], "retry": {**FAST, "max_retries": 0},
                             "privacy": {**RULES, "deny": [{"name": "lake", "pattern": "quiet lake", "on": "out"}]}})
    for path, body in CALLERS.items():
        status, _, answer = http_json(gateway.http, "POST", path, body)
        assert status == 200, answer
        told = "".join(texts(path, answer))
        assert all(s in told for s in SECRETS) and "_1]" not in told, (path, told)
        status, _, raw = http_json(gateway.http, "POST", path, {**body, "stream": True})
        assert status == 200
        events = [json.loads(line[6:]) for line in raw.splitlines() if line.startswith("data: {")]
        streamed = "".join(t for e in events if e.get("type") != "response.completed" for t in texts(path, e))
        assert streamed == told, (path, streamed)
        denied = json.loads(json.dumps(body).replace("write to", "quiet lake"))
        status, headers, answer = http_json(gateway.http, "POST", path, denied)
        assert status == 400 and "rule lake" in answer["error"]["message"] and headers["x-should-retry"] == "false", answer
        status, _, raw = http_json(gateway.http, "POST", path, {**denied, "stream": True})
        assert "rule lake" in raw and "quiet" not in raw.lower(), raw
    none_in("".join(bodies(mock)), "the provider")
    assert len(bodies(mock)) == 4 * len(CALLERS)
