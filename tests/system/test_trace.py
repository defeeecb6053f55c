"""The flight recorder: what became of one request and when, after the fact, and the overview that top and the dashboard draw."""
import pathlib
from concurrent.futures import ThreadPoolExecutor

from harness import FAST, Dealer, model, provider, wait_for


def config(a, b, **more):
    return {"providers": [provider("a", a), provider("b", b)], "models": [model("smart", "a/m1", fallbacks=["b/m2"])], "retry": FAST, **more}


def trace(gateway, answer, check=True):
    name = answer if isinstance(answer, str) else answer.headers["x-request-id"]
    if check:
        wait_for(lambda: "request" in gateway.ctl("trace", name, check=False))
    return gateway.ctl("trace", name, check=False)


def story(told, name="story"):
    return [row["what"] for row in told[name]]


def in_order(steps, *wanted):
    """`wanted` come in this order among the steps"""
    rest = iter(steps)
    return all(any(step == w for step in rest) for w in wanted)


def test_a_plain_request_is_told_with_its_times(start):
    a, b = start.mock("a", latency_ms=40), start.mock("b")
    g = start.gateway(config(a, b))
    told = trace(g, g.chat("hello"))
    assert (told["outcome"], told["status"], told["client"], told["model"], told["kind"]) == ("ok", 200, "local", "smart", "plain")
    assert told["answered_by"] == "primary, a/m1" and "degraded" not in told
    assert story(told) == ["came", "asked", "granted", "sent", "head", "first token", "over", "answered"]
    at = [row["at_ms"] for row in told["story"]]
    assert at == sorted(at) and at[-1] == told["took_ms"] >= 40
    assert told["story"][3]["where"] == "a/m1" and told["story"][3]["detail"] == "key a-k1"
    assert told["story"][4]["detail"] == "HTTP 200"
    assert told["output_tokens"] == 60
    assert 0 < told["overhead_ms"] < told["took_ms"]


def test_retries_and_fallbacks_are_told(start):
    a, b = start.mock("a"), start.mock("b")
    g = start.gateway(config(a, b))
    a.script({"model": "m1", "status": 500})
    told = trace(g, g.chat("hello", stream=True))
    assert told["outcome"] == "ok" and told["degraded"] == "server_error" and told["answered_by"] == "fallback, b/m2"
    assert in_order(story(told), "sent", "head", "over", "paused", "sent", "over", "sent", "first token", "over", "answered")
    overs = [row for row in told["story"] if row["what"] == "over"]
    assert all(row["detail"].startswith("server_error") and row["where"] == "a/m1" for row in overs[:-1])
    assert overs[-1]["detail"].startswith("complete") and overs[-1]["where"] == "b/m2"
    retried = g.ctl("metrics")
    assert (retried["retried"], retried["rescued"]) == (1, 1)
    assert {row["more_calls"]: row["requests"] for row in retried["retries"]} == {str(len(overs) - 1): 1}
    assert g.metric("mainstay_retried_requests_total", outcome="ok") == 1
    assert g.metric("mainstay_retries_per_request_sum", model="smart") == len(overs) - 1
    assert g.metric("mainstay_retry_added_seconds_sum") > 0.04
    # It is among the notable ones; a good one is not.
    a.reset()
    good = trace(g, g.chat("hello once more"))
    assert [r["request"] for r in g.ctl("requests")["requests"]] == [good["request"], told["request"]]
    assert [r["request"] for r in g.ctl("requests", "--notable")["requests"]] == [told["request"]]


def test_failures_and_refusals_are_told(start):
    a, b = start.mock("a"), start.mock("b")
    g = start.gateway(config(a, b))
    a.script({"model": "m1", "status": 400})
    told = trace(g, g.chat("hello"))
    assert (told["outcome"], told["status"]) == ("caller_fault", 400) and story(told)[-1] == "caller_fault"
    told = trace(g, g.chat("hello", model="nobody"))
    assert (told["status"], told["answered_by"]) == (404, "nobody") and told["story"][-1]["detail"] == "model_not_found"
    unknown = trace(g, "req_0", check=False)
    assert "no such request" in unknown["error"]
    assert "say: trace ID" in g.ctl("trace", check=False)["error"]


def test_equal_requests_point_to_the_call_they_shared(start):
    a, b = start.mock("a"), start.mock("b")
    a.script({"latency_ms": 300})
    g = start.gateway(config(a, b, cache={"ttl": "1h"}))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: g.chat("the same"), range(4)))
    shared = [trace(g, x) for x in answers]
    for told in shared:
        assert in_order(story(told), "cache asked", "cache missed", "shared", "answered")
        assert in_order(story(told, "shared_call"), "granted", "sent", "first token", "over", "answered")
    assert len(a.seen()) == 1
    told = trace(g, g.chat("the same"))
    assert story(told) == ["came", "cache asked", "cache hit", "answered"] and told["answered_by"] == "cache" and told["cache"] == "memory hit"


def test_a_durable_request_is_found_by_its_own_name(start, tmp_path):
    a, b = start.mock("a"), start.mock("b")
    g = start.gateway(config(a, b, journal={"path": str(tmp_path / "journal.db")}))
    with Dealer(g.zmq_url) as d:
        assert d.chat("hello", headers={"durable": "true"}, request_id=b"order-17").complete("hello")
    told = wait_for(lambda: (lambda t: t if "request" in t else None)(g.ctl("trace", "order-17", check=False)))
    assert told["durable_id"] == "order-17" and in_order(story(told), "kept", "granted", "sent", "answered")


def test_the_run_that_took_over_is_told(start):
    a, b = start.mock("a"), start.mock("b")
    a.script({"latency_ms": 700})
    g = start.gateway(config(a, b))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(g.chat, "hello")
        wait_for(lambda: g.status()["in_flight"] == 1 and a.stats()["open"] == 1)
        g.ctl("drill", "crash", "request_run")
        told = trace(g, answer.result())
    assert "recovered" in story(told) and told["outcome"] == "ok"


def test_the_recorder_outlives_its_actor_and_is_bounded(start):
    a, b = start.mock("a"), start.mock("b")
    g = start.gateway(config(a, b))
    a.script({"model": "m1", "status": 400, "times": 1})
    bad = g.chat("first")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: g.chat(f"q{i}"), range(1200)))
    g.ctl("drill", "crash", "metrics_aggregator")
    wait_for(lambda: g.ctl("requests", check=False).get("requests"))
    assert trace(g, bad)["outcome"] == "caller_fault"
    assert len(g.ctl("requests")["requests"]) == 50


def test_the_overview_tells_everything_at_a_glance(start):
    a, b = start.mock("a"), start.mock("b")
    clients = [{"name": "shop", "key": "key-shop-0123456789", "rpm": 600, "daily_usd": 5}]
    g = start.gateway(config(a, b, clients=clients, cache={"ttl": "1h"}, breaker={"failure_threshold": 3, "recovery_timeout": "600s"}, prices=str(pathlib.Path(__file__).parents[2] / "config/prices.json")))
    a.script({"model": "m1", "status": 500})
    for i in range(4):
        answer = g.chat(f"hello {i}", headers={"authorization": "Bearer key-shop-0123456789"})
    def whole():
        """an overview gathered after the last request, and after the alert"""
        told = g.ctl("overview")
        return told if sum(c["requests"] for c in told["history"]) == 4 and told["alerts"] else None
    o = wait_for(whole)
    assert (o["node"], o["state"], o["in_flight"]) == ("test", "ready", 0)
    assert sum(c["requests"] for c in o["history"]) == 4 and sum(c["sources"].get("fallback", 0) for c in o["history"]) == 4
    providers = {p["name"]: p for p in o["providers"]}
    assert providers["a"]["state"] == "open" and providers["a"]["circuits"][0]["seconds_left"] > 0
    assert providers["b"]["state"] == "closed" and providers["b"]["calls"] == 4 and not providers["b"]["circuits"]
    assert [k["name"] for k in o["keys"]] == ["a-k1", "b-k1"]
    client = o["clients"][0]
    assert (client["name"], client["requests"], client["failed"], client["daily_usd"]) == ("shop", 4, 0, 5)
    assert client["limits"][0]["kind"] == "rpm" and client["limits"][0]["used"] > 0 and client["output_tokens"] == 240
    assert o["models"][0]["name"] == "smart" and o["models"][0]["requests"] == 4
    assert o["requests"][0]["id"] == answer.headers["x-request-id"] and o["requests"][0]["degraded"]
    assert any(x["signal"] == "breaker_open" for x in o["alerts"])
    assert o["five_minutes"]["overhead"]["p99"] > 0 and o["five_minutes"]["request"]["p50"] > 0
    assert o["cache"]["misses"] == 4 and o["actors"]["up"] == o["actors"]["of"]


def test_streams_are_measured_between_their_tokens(start):
    a, b = start.mock("a", token_ms=20), start.mock("b")
    g = start.gateway(config(a, b))
    g.chat("hello", stream=True)
    p = wait_for(lambda: {row["of"]: row for row in g.ctl("metrics")["latency_5m_seconds"]} if g.metric("mainstay_between_tokens_seconds_count") else None)
    assert 0.015 < p["between_tokens"]["p50"] < 0.03
    assert g.metric("mainstay_between_tokens_seconds_count", provider="a", model="m1") == 1
    assert g.metric("mainstay_recent_seconds", of="between_tokens", percentile="99") > 0.015
    assert g.metric("mainstay_client_tokens_total", client="local", kind="output") == 60
    assert g.metric("mainstay_queue_wait_seconds_count", level="normal") == 1
    assert g.metric("mainstay_actor_messages_total", actor="dispatcher") > 0
    assert 'mainstay_actor_mailbox{actor="rate_governor"}' in g.metrics()
