"""Features that a target lacks: passed over for one that has them, and dropped where the caller allows it and nobody has."""
import time

import pytest

from harness import FAST, Dealer, chat_body, model, provider, wait_for

TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]
JSON = {"type": "json_object"}
NO_TOOLS = {"tools": True, "status": 400, "body": {"error": {"message": "tiny:latest does not support tools", "type": "api_error", "param": None, "code": None}}}
NO_JSON = {"json": True, "status": 400, "body": {"error": {"message": "Invalid parameter: 'response_format' of type 'json_object' is not supported with this model.",
                                                          "type": "invalid_request_error", "param": "response_format", "code": None}}}
MAY = {"x-mainstay-partial": "tools, json"}
ASK = "use the tool for Rome"


def config(*mocks, fallbacks=(), **more):
    providers = [provider(m.name, m) for m in mocks]
    return {"providers": providers, "models": [model("smart", *(f"{m.name}/m" for m in mocks if m.name not in fallbacks), fallbacks=[f"{f}/m" for f in fallbacks])],
            "retry": FAST, **more}


def is_partial(answer, dropped, question, **more):
    h = answer.headers
    assert answer.complete(question, **more), answer
    assert h["x-mainstay-degraded"] == "true" and h["x-mainstay-reason"] == "partial" and h["x-mainstay-dropped"] == dropped, h
    return True


@pytest.mark.parametrize("dialect", ["anthropic", "gemini"])
def test_what_messages_and_tools_say_that_a_dialect_lacks_is_named(start, dialect):
    mock = start.mock()
    strict, lax = provider("strict", mock, dialect=dialect), provider("lax", mock, dialect=dialect, unsupported="drop")
    gateway = start.gateway({"providers": [strict, lax], "models": [model("strict", "strict/m"), model("lax", "lax/m")], "retry": FAST})
    named = [{"role": "user", "name": "ann", "content": "who?"}]
    tools = [{"type": "function", "function": {**TOOLS[0]["function"], "returns": "x"}}]
    for more, place, what in (({"messages": named}, "messages[0].name", "messages[].name"),
                              ({"tools": tools}, "tools[0].function.returns", "tools[].function.returns"),
                              ({"stream_options": {"pace": 1}}, "stream_options.pace", "stream_options.pace")):
        stream = "stream_options" in more
        refused = gateway.chat("who?", stream, model="strict", **more)
        assert refused.status == 400 and (refused.error["code"], refused.error["param"]) == ("unsupported_parameter", place), refused
        answer = gateway.chat("who?", stream, model="lax", **more)
        assert answer.complete("who?") and answer.headers["x-mainstay-dropped"] == what, answer
    assert len(mock.seen()) == 3  # nobody was asked what would have been lost


def test_a_caller_who_allows_it_is_answered_without_what_nobody_has(start):
    mock = start.mock()
    mock.script(NO_TOOLS, NO_JSON)
    gateway = start.gateway({**config(mock), "cache": {"ttl": "1h"}})
    for stream in (False, True):
        answer = gateway.chat(ASK, stream, headers=MAY, tools=TOOLS, tool_choice="auto", parallel_tool_calls=False)
        assert is_partial(answer, "tools", ASK) and answer.attempts == 2 and answer.source == "backup"
        answer = gateway.chat("say json", stream, headers=MAY, response_format=JSON)
        assert is_partial(answer, "json", "say json") and answer.attempts == 2
        answer = gateway.chat("both", stream, headers=MAY, response_format=JSON, tools=TOOLS)
        assert is_partial(answer, "tools, json", "both") and answer.attempts == 3
        with Dealer(gateway.zmq_url) as d:
            assert is_partial(d.chat(ASK, stream, headers=MAY, tools=TOOLS), "tools", ASK)
    # nothing of it was cached: neither under the whole question nor under what is left of it
    assert gateway.chat(ASK).source == "primary"
    whole = gateway.chat(ASK)
    assert whole.source == "cache" and "x-mainstay-dropped" not in whole.headers
    assert gateway.metric("mainstay_breaker_state") == 0
    assert gateway.metric("mainstay_attempts_total", outcome="unsupported_feature") >= 10
    assert gateway.metric("mainstay_cache_total", result="hit") == 1
    wait_for(gateway.at_rest)


def test_without_leave_the_error_says_what_is_missing(start):
    mock = start.mock()
    mock.script(NO_TOOLS, NO_JSON)
    gateway = start.gateway({**config(mock), "degradation": {"canned": {"general": "later"}}})
    for headers in ({}, {"x-mainstay-partial": "none"}, {"x-mainstay-partial": "json"}):
        for stream in (False, True):
            refused = gateway.chat(ASK, stream, headers=headers, tools=TOOLS)
            assert refused.status == 400 and refused.error["message"] == "tiny:latest does not support tools" and refused.error["code"] == "unsupported_feature", refused
            assert refused.attempts == 1 and refused.headers["x-should-retry"] == "false"
    bad = gateway.chat(ASK, headers={"x-mainstay-partial": "everything"}, tools=TOOLS)
    assert bad.status == 400 and bad.error["code"] == "invalid_header"


def test_the_configuration_may_allow_it_for_a_client_and_a_header_decides(start):
    mock = start.mock()
    mock.script(NO_TOOLS)
    clients = [{"name": "lenient", "key": "key-one-0123456789", "partial": ["tools"]}, {"name": "strict", "key": "key-two-0123456789"}]
    gateway = start.gateway({**config(mock), "clients": clients})
    lenient, strict = {"x-api-key": "key-one-0123456789"}, {"x-api-key": "key-two-0123456789"}
    assert is_partial(gateway.chat(ASK, headers=lenient, tools=TOOLS), "tools", ASK)
    assert gateway.chat(ASK, headers=strict, tools=TOOLS).status == 400
    assert gateway.chat(ASK, headers={**lenient, "x-mainstay-partial": "none"}, tools=TOOLS).status == 400
    assert is_partial(gateway.chat(ASK, headers={**strict, "x-mainstay-partial": "tools"}, tools=TOOLS), "tools", ASK)


@pytest.mark.parametrize("fallbacks", [(), ("able",)])
def test_another_target_that_can_gives_the_whole_answer(start, fallbacks):
    tiny, able = start.mock("tiny"), start.mock("able")
    tiny.script(NO_TOOLS)
    gateway = start.gateway(config(tiny, able, fallbacks=fallbacks))
    for i in range(4):
        answer = gateway.chat(ASK, i % 2 == 1, headers=MAY, tools=TOOLS, temperature=i)
        assert answer.status == 200 and answer.provider == "able" and "x-mainstay-dropped" not in answer.headers, answer
        assert answer.headers["x-mainstay-degraded"] == ("true" if fallbacks else "false")
        if fallbacks:
            assert answer.headers["x-mainstay-reason"] == "unsupported_feature"
    assert gateway.metric("mainstay_breaker_state") == 0


def test_an_incapable_fallback_is_asked_whole_first_and_in_part_while_those_that_can_are_down(start):
    able, tiny = start.mock("able"), start.mock("tiny")
    able.script({"status": 404})
    tiny.script(NO_TOOLS)
    gateway = start.gateway(config(able, tiny, fallbacks=("tiny",)))
    answer = gateway.chat(ASK, headers=MAY, tools=TOOLS)
    assert is_partial(answer, "tools", ASK) and answer.source == "fallback" and answer.provider == "tiny" and answer.attempts == 3
    able.script()
    gateway.ctl("breakers", "able", "open")
    began = time.monotonic()
    answer = gateway.chat(ASK, headers=MAY, tools=TOOLS)
    assert is_partial(answer, "tools", ASK) and answer.attempts == 2
    assert time.monotonic() - began < 10  # failover_wait of 3 s, not the deadline
    gateway.ctl("breakers", "able", "auto")
    answer = gateway.chat(ASK, headers=MAY, tools=TOOLS)
    assert answer.provider == "able" and answer.headers["x-mainstay-degraded"] == "false"


def test_a_conversation_that_used_tools_is_not_cut_from_them(start):
    mock = start.mock()
    mock.script(NO_TOOLS)
    gateway = start.gateway(config(mock))
    used = [{"role": "user", "content": "q"}, {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "1", "content": "sunny"}]
    refused = gateway.chat("", headers=MAY, tools=TOOLS, messages=used)
    assert refused.status == 400 and refused.error["code"] == "unsupported_feature" and refused.attempts == 1


def test_attempts_and_deadline_bind_it(start):
    mock = start.mock()
    mock.script(NO_TOOLS)
    gateway = start.gateway({**config(mock), "retry": {**FAST, "attempts": 1}})
    refused = gateway.chat(ASK, headers=MAY, tools=TOOLS)
    assert refused.status == 400 and refused.attempts == 1
    late = start.gateway(config(mock))
    mock.script({**NO_TOOLS, "latency_ms": 300}, {"tools": False, "latency_ms": 5000})
    began = time.monotonic()
    answer = late.chat(ASK, headers={**MAY, "x-mainstay-deadline-ms": "1000"}, tools=TOOLS)
    assert answer.status == 504 and answer.attempts == 2 and time.monotonic() - began < 4


def test_a_stale_answer_comes_only_when_no_part_does(start):
    mock = start.mock()
    gateway = start.gateway({**config(mock), "cache": {"ttl": "1ms", "stale": "1h"}})
    assert gateway.chat("q", tools=TOOLS).source == "primary"
    time.sleep(0.01)
    mock.script(NO_TOOLS)
    assert is_partial(gateway.chat("q", headers=MAY, tools=TOOLS), "tools", "q")
    mock.script(NO_TOOLS, {"status": 404})
    old = gateway.chat("q", headers=MAY, tools=TOOLS)
    assert old.source == "stale" and old.headers["x-mainstay-reason"] == "model_missing" and "x-mainstay-dropped" not in old.headers, old
    strict = gateway.chat("q", tools=TOOLS)
    assert strict.source == "stale" and strict.headers["x-mainstay-reason"] == "unsupported_feature", strict


def test_a_part_is_neither_repeated_nor_the_answer_of_a_durable_request(start, tmp_path):
    mock = start.mock()
    mock.script(NO_TOOLS)
    gateway = start.gateway({**config(mock), "journal": {"path": str(tmp_path / "journal.db")}})
    key = {"idempotency-key": "one"}
    assert is_partial(gateway.chat(ASK, headers={**MAY, **key}, tools=TOOLS), "tools", ASK)
    with Dealer(gateway.zmq_url) as d:
        d.send(b"7", b"chat", chat_body(ASK, tools=TOOLS), {**MAY, "durable": True})
        assert d.receive()[1] == "accepted"
        _, kind, headers, _ = d.receive()
        assert kind == "reply" and headers["x-mainstay-dropped"] == "tools", headers
        mock.script()
        again = gateway.chat(ASK, headers={**MAY, **key}, tools=TOOLS)
        assert "x-mainstay-dropped" not in again.headers and again.body["choices"][0]["message"]["tool_calls"]
        d.send(b"7", b"collect")
        while (got := d.receive())[1] == "accepted":
            pass
        assert got[1] == "reply" and "x-mainstay-dropped" not in got[2] and got[3]["choices"][0]["message"]["tool_calls"], got
