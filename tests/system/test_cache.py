"""The cache: equal questions, plain and streamed; Redis missing, killed, frozen and back."""
import signal
import time

import pytest

from harness import FAST, Dealer, Gateway, free_port, http_json, model, provider, wait_for


def config(mock, **cache):
    return {"providers": [provider("a", mock)], "models": [model("smart", "a/m"), model("other", "a/m")], "retry": FAST, "cache": {"ttl": "1h", **cache}}


def test_equal_questions_are_answered_once_by_the_provider_in_every_form(start):
    mock = start.mock()
    gateway = start.gateway(config(mock))
    assert gateway.chat("same").source == "primary"
    for stream in (False, True):
        hit = gateway.chat("same", stream)
        assert hit.source == "cache" and hit.complete("same"), hit
        with Dealer(gateway.zmq_url) as d:
            hit = d.chat("same", stream)
        assert hit.source == "cache" and hit.complete("same"), hit
    usage = gateway.chat("same", True, stream_options={"include_usage": True}).events[-1]
    assert usage["choices"] == [] and usage["usage"]["completion_tokens"] == 60
    assert len(mock.seen()) == 1
    # a stream is stored too, and serves a plain request
    assert gateway.chat("streamed first", True).source == "primary"
    plain = gateway.chat("streamed first")
    assert plain.source == "cache" and plain.complete("streamed first") and plain.body["usage"]["completion_tokens"] == 60
    assert plain.body["object"] == "chat.completion" and plain.body["choices"][0]["finish_reason"] == "stop"


def test_what_can_change_the_answer_makes_it_another_question(start):
    mock = start.mock()
    gateway = start.gateway(config(mock))
    gateway.chat("q")
    assert gateway.chat("q", temperature=0.5).source == "primary"
    assert gateway.chat("q", model="other").source == "primary"
    assert gateway.chat("q", unknown_field={"x": 1}).source == "primary"
    assert gateway.chat("q", headers={"x-mainstay-cache": "off"}).source == "primary"
    assert gateway.chat("q", headers={"x-mainstay-cache": "refresh"}).source == "primary"
    assert gateway.chat("q").source == "cache"


def test_clients_do_not_read_each_others_answers_unless_shared(start):
    mock = start.mock()
    clients = {"clients": [{"name": "one", "key": "key-one-0123456789"}, {"name": "two", "key": "key-two-0123456789"}]}
    one, two = {"x-api-key": "key-one-0123456789"}, {"x-api-key": "key-two-0123456789"}
    apart = start.gateway({**config(mock), **clients})
    assert [apart.chat("q", headers=h).source for h in (one, two, one)] == ["primary", "primary", "cache"]
    together = start.gateway({**config(mock, shared=True), **clients})
    assert [together.chat("q", headers=h).source for h in (one, two)] == ["primary", "cache"]


def test_tools_and_incomplete_or_fallback_answers(start):
    mock, b = start.mock(), start.mock("b")
    gateway = start.gateway({"providers": [provider("a", mock), provider("b", b)], "models": [model("smart", "a/m", fallbacks=["b/m"])],
                             "retry": FAST, "cache": {"ttl": "1h"}})
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]
    first = gateway.chat("use the tool for Rome", tools=tools)
    streamed = gateway.chat("use the tool for Rome", True, tools=tools)
    assert streamed.source == "cache" and streamed.done
    call = first.body["choices"][0]["message"]["tool_calls"][0]
    pieces = [c["delta"]["tool_calls"][0] for e in streamed.events for c in e["choices"] if c["delta"].get("tool_calls")]
    assert pieces[0]["function"]["name"] == "weather" and "".join(p["function"].get("arguments", "") for p in pieces) == call["function"]["arguments"]
    mock.script({"status": 404})
    assert gateway.chat("from the fallback").source == "fallback"
    assert gateway.chat("from the fallback").source == "fallback", "a fallback's answer was stored under the primary's name"


def test_redis_is_shared_by_nodes_and_survives_them(start, tmp_path):
    mock, redis = start.mock(), start.redis()
    first = start.gateway(config(mock, redis={"url": redis.url}))
    assert first.chat("shared").source == "primary"
    second = start.gateway(config(mock, redis={"url": redis.url}))
    wait_for(lambda: second.ctl("cache")["redis"] == "up")
    wait_for(lambda: second.chat("shared").source == "cache")
    assert second.ctl("cache")["redis_hits"] >= 1
    second.ctl("cache", "clear")
    assert second.chat("shared").source == "primary"


def quick(gateway, question):
    began = time.monotonic()
    answer = gateway.chat(question)
    assert answer.complete(question)
    return time.monotonic() - began


@pytest.mark.parametrize("how", ["frozen", "killed", "missing"])
def test_redis_gone_costs_nothing_anybody_notices_logs_once_and_heals(start, how):
    mock = start.mock()
    redis = start.redis() if how != "missing" else None
    port = redis.port if redis else free_port()
    gateway = start.gateway(config(mock, redis={"url": f"redis://127.0.0.1:{port}/0"}))
    if redis:
        wait_for(lambda: gateway.ctl("cache")["redis"] == "up")
        assert quick(gateway, "before") < 1
    if how == "frozen":
        redis.signal(signal.SIGSTOP)
    elif how == "killed":
        redis.kill()
    from harness import SLOW
    slowest = max(quick(gateway, f"without redis {i}") for i in range(30))
    assert slowest < 0.25 * SLOW, f"{slowest} s"
    wait_for(lambda: gateway.ctl("cache")["redis"] == "down")
    assert gateway.log().count("is unavailable") == 1, gateway.log()
    if how == "frozen":
        redis.signal(signal.SIGCONT)
    else:
        redis = start.redis(port)
    wait_for(lambda: gateway.ctl("cache")["redis"] == "up", 20)
    assert gateway.log().count("is unavailable") == 1 and gateway.log().count("answers") >= 1

    def stored():
        """a new answer reaches redis"""
        before = gateway.ctl("cache")
        gateway.chat(f"after {time.monotonic()}")
        second = gateway.ctl("cache")
        return second["redis"] == "up" and second["stored"] > before["stored"]

    wait_for(stored)
    wait_for(gateway.at_rest)
