"""Traces and logs: W3C trace context through both doors to the providers, spans to an OpenTelemetry collector, a line per request for people or
machines; neither ever holds a prompt, an answer or a key."""
import collections
import http.server
import json
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

from harness import BIN, FAST, Dealer, free_port, http_json, model, provider, wait_for

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE, SPAN = PARENT.split("-")[1:3]


class Collector:
    """Takes OTLP/HTTP; `says` gives the statuses of its next answers, 200 afterwards."""

    def __init__(self):
        self.posts, self.headers, self.says = [], [], collections.deque()
        self.held, self.gate = 0, None  # posts that wait for the gate
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if outer.gate:
                    outer.held += 1
                    outer.gate.wait(20)
                status = outer.says.popleft() if outer.says else 200
                if status == 200:
                    outer.headers.append((self.path, dict(self.headers)))
                    outer.posts.append(json.loads(body))
                self.send_response(status)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def spans(self):
        return [s for p in self.posts for r in p["resourceSpans"] for scope in r["scopeSpans"] for s in scope["spans"]]

    def trace(self, trace_id):
        return [s for s in self.spans() if s["traceId"] == trace_id]


@pytest.fixture
def collector():
    c = Collector()
    yield c
    c.server.shutdown()
    c.server.server_close()


def headers_seen(mock):
    """of the calls, oldest first"""
    bodies = http_json(mock.port, "GET", "/mock/bodies?n=1000")[2]
    return [b["headers"] for b in (bodies["bodies"] if isinstance(bodies, dict) else bodies)]


def config(a, b, **more):
    return {"providers": [provider("a", a), provider("b", b)], "models": [model("smart", "a/m1", fallbacks=["b/m2"])], "retry": FAST, **more}


def values(span):
    return {x["key"]: next(iter(x["value"].values())) for x in span["attributes"]}


def test_without_a_collector_the_callers_trace_is_passed_on(start):
    a, b = start.mock("a", keep_bodies=10), start.mock("b")
    g = start.gateway(config(a, b))
    assert g.chat("one", headers={"traceparent": PARENT, "tracestate": "vendor=1"}).complete("one")
    with Dealer(g.zmq_url) as d:
        assert d.chat("two", headers={"traceparent": PARENT}).complete("two")
    assert g.chat("three", headers={"traceparent": PARENT[:-3]}).complete("three")  # not valid: as if it were not there
    assert g.chat("four").complete("four")
    one, two, three, four = headers_seen(a)
    assert (one["traceparent"], one["tracestate"]) == (PARENT, "vendor=1")
    assert two["traceparent"] == PARENT and "tracestate" not in two
    assert "traceparent" not in three and "traceparent" not in four


def test_a_trace_is_told_as_a_tree_of_spans(start, collector):
    a, b = start.mock("a"), start.mock("b", keep_bodies=10)
    a.script({"model": "m1", "status": 500})
    g = start.gateway(config(a, b, cache={"ttl": "1h"}, tracing={"endpoint": collector.url, "sample": 0, "headers": {"x-token": "collector-secret-1"}}))
    answer = g.chat("what is secret in here", stream=True, headers={"traceparent": PARENT})
    assert answer.source == "fallback"
    spans = wait_for(lambda: (lambda s: s if any(x["kind"] == 3 for x in s) and any(x["kind"] == 2 for x in s) else None)(collector.trace(TRACE)))
    root = next(s for s in spans if s["kind"] == 2)
    assert root["parentSpanId"] == SPAN and root["name"] == "chat smart"
    told = values(root)
    assert told["mainstay.request_id"] == answer.headers["x-request-id"] and told["mainstay.source"] == "fallback"
    assert told["mainstay.degraded"] == "server_error" and told["http.response.status_code"] == "200"
    calls = sorted((s for s in spans if s["kind"] == 3), key=lambda s: int(s["startTimeUnixNano"]))
    assert len(calls) >= 2 and all(s["parentSpanId"] == root["spanId"] for s in calls)
    assert values(calls[0])["error.type"] == "server_error" and calls[0]["status"]["code"] == 2
    last = values(calls[-1])
    assert (last["gen_ai.request.model"], last["mainstay.provider"], last["gen_ai.usage.output_tokens"]) == ("m2", "b", "60")
    assert (last["server.address"], last["server.port"]) == ("127.0.0.1", str(b.port)) and "status" not in calls[-1]
    assert calls[-1]["events"][0]["name"] == "first token"
    parts = {s["name"] for s in spans if s["kind"] == 1}
    assert {"cache", "flight", "queue", "pause"} <= parts
    assert len({s["spanId"] for s in spans}) == len(spans)
    for s in spans:
        assert int(s["startTimeUnixNano"]) <= int(s["endTimeUnixNano"])
    assert headers_seen(b)[-1]["traceparent"] == f"00-{TRACE}-{calls[-1]['spanId']}-01"
    path, headers = collector.headers[0]
    assert path == "/v1/traces" and headers["x-token"] == "collector-secret-1"
    everything = json.dumps(collector.posts) + g.log()
    for secret in ("what is secret", "echo:", "secret-a-k1", "collector-secret-1"):
        assert secret not in everything


def test_who_is_in_the_sample(start, collector):
    a, b = start.mock("a", keep_bodies=500), start.mock("b")
    g = start.gateway(config(a, b, tracing={"endpoint": collector.url, "sample": 0.5}))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: g.chat(f"q{i}"), range(200)))
    not_sampled = PARENT[:-1] + "0"
    assert g.chat("said no", headers={"traceparent": not_sampled}).status == 200
    flags = [h["traceparent"].split("-") for h in headers_seen(a) if "traceparent" in h]
    sampled = {t for _, t, _, flag in flags if flag == "01"}
    assert 60 < len(sampled) < 140 and len(flags) == len(sampled) + 1 and not_sampled.split("-")[1] in {t for _, t, _, flag in flags if flag == "00"}
    wait_for(lambda: {s["traceId"] for s in collector.spans() if s["kind"] == 2} == sampled)
    assert not collector.trace(TRACE)
    wait_for(lambda: g.metric("mainstay_traced_requests_total", result="sent") == len(sampled))
    assert len(collector.posts) < 40  # many in one post


def test_a_collector_that_is_full_or_away_costs_no_caller_anything(start, collector):
    a, b = start.mock("a"), start.mock("b")
    collector.says.extend([503, 400])
    g = start.gateway(config(a, b, tracing={"endpoint": collector.url, "sample": 1}))
    assert g.chat("tried twice, then refused").status == 200
    wait_for(lambda: g.metric("mainstay_traced_requests_total", result="dropped") == 1)
    assert g.chat("taken").status == 200
    wait_for(lambda: g.metric("mainstay_traced_requests_total", result="sent") == 1)
    g.ctl("drill", "crash", "tracer")
    collector.server.shutdown()
    collector.server.server_close()
    assert all(g.chat(f"nobody there {i}").status == 200 for i in range(5))
    wait_for(lambda: "it is tried again" in g.log())
    assert g.at_rest()


def test_what_is_left_goes_when_the_node_ends(start, collector):
    a, b = start.mock("a"), start.mock("b")
    g = start.gateway(config(a, b, tracing={"endpoint": collector.url, "sample": 1}))
    assert g.chat("last words").status == 200
    assert g.stop() == 0
    assert len([s for s in collector.spans() if s["kind"] == 2]) == 1


def test_a_reload_may_end_tracing_while_a_post_is_under_way(start, collector):
    a, b = start.mock("a"), start.mock("b")
    collector.gate = threading.Event()
    g = start.gateway(config(a, b, tracing={"endpoint": collector.url, "sample": 1}))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: g.chat(f"q{i}"), range(200)))
    wait_for(lambda: collector.held == 1)
    g.write({k: v for k, v in g.config.items() if k != "tracing"})
    g.ctl("reload")
    collector.gate.set()
    wait_for(lambda: g.metric("mainstay_traced_requests_total") == 200)
    assert g.metric("mainstay_traced_requests_total", result="dropped") > 0
    assert g.chat("and on").status == 200 and all(x["restarts"] == 0 for x in g.ctl("actors")["actors"])


def test_the_log_for_machines(start):
    a, b = start.mock("a"), start.mock("b")
    g = start.gateway(config(a, b, logs={"requests": "all"}, models=[model("smart", "a/m1", retry={"max_retries": 0})]), log_format="json")
    a.script({"times": 1, "status": 500})
    bad, good = g.chat("my own words"), g.chat("my own words")
    lines = wait_for(lambda: (lambda all: all if sum("request_id" in x for x in all) == 2 else None)([json.loads(x) for x in g.log().splitlines()]))
    assert all(set(x) >= {"time", "level", "message"} for x in lines)
    requests = {x["request_id"]: x for x in lines if "request_id" in x}
    failed, answered = requests[bad.headers["x-request-id"]], requests[good.headers["x-request-id"]]
    assert (failed["level"], failed["outcome"], failed["status"], failed["client"], failed["model"]) == ("warning", "server_error", bad.status, "local", "smart")
    assert (answered["level"], answered["source"], answered["output_tokens"]) == ("info", "primary", 60)
    assert "my own words" not in g.log()


def test_the_log_for_people_and_its_bound(start):
    a, b = start.mock("a"), start.mock("b")
    g = start.gateway(config(a, b, models=[model("smart", "a/m1", retry={"max_retries": 0})], breaker={"failure_threshold": 10000, "min_calls": 10000},
                             retry={**FAST, "max_retries": 0}))
    assert g.chat("fine").status == 200
    assert g.chat("nobody", model="nobody").status == 404
    a.script({"status": 500})
    with ThreadPoolExecutor(16) as pool:
        ids = [x.headers["x-request-id"] for x in pool.map(lambda i: g.chat(f"q{i}"), range(400))]
    wait_for(lambda: "more requests failed within that second" in g.log() or all(i in g.log() for i in ids))
    lines = [x for x in g.log().splitlines() if " request req_" in x]
    assert lines and all("server_error" in x or "overloaded" in x or "circuit" in x for x in lines), lines[:3]
    a.reset()
    g.write({**g.config, "logs": {"requests": "none"}})
    g.ctl("reload")
    before = len(lines)
    a.script({"status": 500})
    g.chat("no line")
    wait_for(g.at_rest)
    assert len([x for x in g.log().splitlines() if " request req_" in x]) == before


@pytest.mark.parametrize("section,fault", [
    ({"tracing": {}}, "needs an endpoint"), ({"tracing": {"endpoint": "ftp://x"}}, "http"), ({"tracing": {"endpoint": "http://x", "sample": 2}}, "sample"),
    ({"tracing": {"endpoint": "http://x", "headers": {"a b": "x"}}}, "no name of a header"), ({"logs": {"requests": "some"}}, "failed, all or none")])
def test_wrong_sections_are_told(section, fault, tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text(yaml.safe_dump({"doors": {"http": {"listen": f"127.0.0.1:{free_port()}"}},
                                    "providers": [{"name": "a", "base_url": "http://127.0.0.1:1/v1", "keys": [{"name": "k", "secret": "s"}]}],
                                    "models": [model("smart", "a/m")], **section}))
    done = subprocess.run([BIN / "mainstayd", "--config", file, "--check"], capture_output=True, text=True)
    assert done.returncode == 2 and fault in done.stderr
