"""Answers to similar questions: on the ladder when nobody answers, or always where the file says so; what they are kept apart by; the threshold; what an actor's death and a reload do."""
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import FAST, SLOW, Dealer, expected_text, model, provider, wait_for

DOWN = {"status": 404}  # opens no circuit, which would be waited for
KEPT, ASKED, OTHER = "What is the capital of France?", "please tell me: what's the capital of France", "What is the capital of Germany?"


def config(mock, cache=None, **similar):
    return {"providers": [provider("a", mock)], "models": [model("smart", "a/m"), model("other", "a/m")], "retry": {**FAST, "max_retries": 0},
            "cache": {"ttl": "1h", "similar": {"method": "lexical", **similar}, **(cache or {})}}


def tier(gateway):
    """what the console says of it"""
    return next(t for t in gateway.ctl("cache")["tiers"] if t["tier"] == "similar")


def kept(gateway, question, **how):
    """Answered by the provider and taken in."""
    before = tier(gateway)["entries"]
    assert gateway.chat(question, **how).source == "primary"
    wait_for(lambda: tier(gateway)["entries"] == before + 1)


def is_similar(answer, question, reason, attempts=1):
    h = answer.headers
    assert answer.status == 200 and answer.source == "similar" and answer.text == expected_text(question), answer
    assert h["x-mainstay-degraded"] == "true" and h["x-mainstay-reason"] == reason and "x-mainstay-provider" not in h, h
    assert attempts is None or answer.attempts == attempts
    return True


def test_when_nobody_answers_a_similar_question_has_an_answer_and_another_has_none(start):
    mock = start.mock()
    gateway = start.gateway(config(mock))
    kept(gateway, KEPT)
    assert gateway.chat(ASKED).source == "primary", "as long as a provider answers, it is asked"
    gateway.ctl("cache", "clear")
    kept(gateway, KEPT)
    mock.script(DOWN)
    for stream in (False, True):
        is_similar(gateway.chat(ASKED, stream), KEPT, "model_missing")
        with Dealer(gateway.zmq_url) as d:
            is_similar(d.chat(ASKED, stream), KEPT, "model_missing")
        assert gateway.chat(OTHER, stream).status == 502
    assert gateway.chat(ASKED, headers={"x-mainstay-cache": "off"}).status == 502
    is_similar(gateway.chat(ASKED, headers={"x-mainstay-cache": "refresh"}), KEPT, "model_missing")
    is_similar(gateway.chat(KEPT, messages=[{"role": "user", "content": [{"type": "text", "text": ASKED}]}]), KEPT, "model_missing")
    wait_for(lambda: gateway.metric("mainstay_cache_total", tier="similar", result="hit") == 6)
    t = tier(gateway)
    assert t["hits"] == 6 and t["entries"] == 1 and t["bytes"] > 0 and gateway.ctl("cache")["similar_misses"] == 2
    assert gateway.metric("mainstay_request_seconds_count", source="similar") == 6
    mock.script()
    assert gateway.chat(ASKED).source == "primary"
    wait_for(gateway.at_rest)


def test_a_killed_provider_a_deadline_and_an_open_circuit(start):
    mock = start.mock()
    gateway = start.gateway(config(mock))
    kept(gateway, KEPT)
    mock.script({"fault": "silence"})
    is_similar(gateway.chat(ASKED, headers={"x-mainstay-deadline-ms": "300"}), KEPT, "deadline")
    gateway.ctl("breakers", "a", "open")
    is_similar(gateway.chat(ASKED, headers={"x-mainstay-deadline-ms": "300"}), KEPT, "overloaded", 0)
    gateway.ctl("breakers", "a", "auto")
    mock.kill()
    is_similar(gateway.chat(ASKED, headers={"x-mainstay-deadline-ms": "5000"}), KEPT, "connect_failed", None)
    assert gateway.chat(OTHER, headers={"x-mainstay-deadline-ms": "2000"}).status in (502, 503, 504)
    wait_for(gateway.at_rest)


def test_what_else_the_answer_depends_on_keeps_questions_apart(start):
    mock = start.mock()
    clients = {"clients": [{"name": "one", "key": "key-one-0123456789"}, {"name": "two", "key": "key-two-0123456789"}]}
    one, two = {"x-api-key": "key-one-0123456789"}, {"x-api-key": "key-two-0123456789"}
    gateway = start.gateway({**config(mock), **clients})
    kept(gateway, KEPT, headers=one)
    system = {"role": "system", "content": "Be brief."}
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
    user = {"role": "user", "content": ASKED}
    mock.script(DOWN)
    assert gateway.chat(ASKED, headers=two).status == 502
    different = ({"model": "other"}, {"temperature": 0.5}, {"seed": 1}, {"unknown_field": 1}, {"messages": [system, user]}, {"messages": [*turns, user]},
                 {"messages": [{**user, "name": "bob"}]}, {"messages": [user, {"role": "assistant", "content": "Par"}]},
                 {"messages": [{"role": "user", "content": [{"type": "text", "text": ASKED}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}]},
                 {"response_format": {"type": "json_object"}}, {"tools": [{"type": "function", "function": {"name": "f"}}]}, {"n": 2})
    for fields in different:
        assert gateway.chat(ASKED, headers=one, **fields).status == 502, fields
    is_similar(gateway.chat(ASKED, headers=one), KEPT, "model_missing")
    mock.script()
    gateway.ctl("cache", "clear")
    assert gateway.chat(KEPT, headers=one, messages=[system, *turns, {"role": "user", "content": KEPT}]).source == "primary"
    wait_for(lambda: tier(gateway)["entries"] == 1)
    mock.script(DOWN)
    assert gateway.chat(ASKED, headers=one, messages=[system, *turns, user]).source == "similar"
    assert gateway.chat(ASKED, headers=one, messages=[turns[0], {"role": "assistant", "content": "good day"}, user]).status == 502
    together = start.gateway({**config(mock, {"shared": True}), **clients})
    mock.script()
    kept(together, KEPT, headers=one)
    mock.script(DOWN)
    is_similar(together.chat(ASKED, headers=two), KEPT, "model_missing")


def test_only_whole_plain_answers_of_the_first_choice_are_kept(start):
    a, b = start.mock(), start.mock("b")
    gateway = start.gateway({**config(a), "providers": [provider("a", a), provider("b", b)], "models": [model("smart", "a/m", fallbacks=["b/m"])]})
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]
    gateway.chat("What is the weather in Rome?", tools=tools)
    gateway.chat("Tell me about the weather in Oslo", n=2)
    gateway.chat("Tell me about the weather in Bergen", max_tokens=5)  # cut off by its limit
    a.script(DOWN)
    assert gateway.chat("What is the weather in Paris?").source == "fallback"
    a.script()
    kept(gateway, "Describe the weather in Madrid")
    b.script(DOWN)
    a.script(DOWN)
    for question in ("what's the weather in Rome", "about the weather in Oslo", "about the weather in Bergen", "what's the weather in Paris"):
        assert gateway.chat(question).status == 502, question
    assert gateway.chat("please describe the weather in Madrid").source == "similar"


def test_a_stale_answer_goes_before_a_similar_one_and_that_before_a_canned_one(start):
    mock = start.mock()
    gateway = start.gateway({**config(mock, {"ttl": "1ms", "stale": "1h"}), "degradation": {"canned": {"general": "later"}}})
    kept(gateway, KEPT)
    mock.script(DOWN)
    assert gateway.chat(KEPT).source == "stale"
    is_similar(gateway.chat(ASKED), KEPT, "model_missing")
    assert gateway.chat(OTHER).source == "canned"
    mock.script({"status": 400, "body": {"error": {"message": "no", "type": "invalid_request_error"}}})
    assert gateway.chat(ASKED).status == 400, "the caller's own fault is not papered over"


def test_always_means_before_a_provider_is_asked(start):
    mock = start.mock()
    gateway = start.gateway(config(mock, use="always"))
    kept(gateway, KEPT)
    is_similar(gateway.chat(ASKED), KEPT, "similar", 0)
    assert gateway.chat(KEPT).source == "cache"
    assert gateway.chat(ASKED, headers={"x-mainstay-cache": "refresh"}).source == "primary"
    assert gateway.chat(OTHER).source == "primary" and gateway.ctl("cache")["similar"] == "lexical, always"


def test_the_threshold_falls_while_providers_fail_and_returns(start):
    mock = start.mock()
    gateway = start.gateway(config(mock, threshold=0.82))
    threshold = lambda: gateway.ctl("cache")["similar_threshold"]

    def ask(how_many, name):
        for i in range(how_many):
            gateway.chat(f"{name} {i}")

    kept(gateway, "How do I sort a list in Python?")
    near = "How do I quickly sort a list in Python?"  # 17 of 21 parts: 0.81
    ask(25, "good")
    mock.script(DOWN)
    assert threshold() == 0.82 and gateway.chat(near).status == 502
    mock.script({"status": 500})
    ask(2, "bad")
    wait_for(lambda: threshold() == pytest.approx(0.779))
    gateway.ctl("drill", "crash", "similar")
    wait_for(lambda: next(a for a in gateway.ctl("actors")["actors"] if a["name"] == "similar")["restarts"] == 1)
    wait_for(lambda: threshold() == pytest.approx(0.779))
    mock.script(DOWN)
    is_similar(gateway.chat(near), "How do I sort a list in Python?", "model_missing")
    mock.script()
    ask(30, "good again")
    wait_for(lambda: threshold() == 0.82)
    mock.script(DOWN)
    assert gateway.chat(near).status == 502


SOUP, SOUP_ASKED = "What is the best recipe for tomato soup?", "could I have the best recipe for a tomato soup"


def embedded_config(chat, model_at, **similar):
    """a model that embeds, at a provider of its own; the mock's vectors are made of words: its measure is another than a real model's"""
    base = config(chat, None, method="embedding", provider="e", model="e-small", **{"threshold": 0.75, "timeout": "500ms", **similar})
    return {**base, "providers": [provider("a", chat), provider("e", model_at)]}


def test_an_embedding_model_finds_what_means_the_same(start):
    mock, e = start.mock(), start.mock("e")
    gateway = start.gateway(embedded_config(mock, e))
    kept(gateway, SOUP)
    assert [r["path"] for r in e.seen()] == ["/v1/embeddings"] and gateway.ctl("cache")["similar"] == "embedding, degraded"
    mock.script(DOWN)
    for stream in (False, True):
        is_similar(gateway.chat(SOUP_ASKED, stream), SOUP, "model_missing")
    for other in ("What is the best recipe for onion bread?", "What is the best recipe for 2 tomato soups?", "what is not the best recipe for tomato soup"):
        assert gateway.chat(other).status == 502, other
    assert gateway.chat(SOUP_ASKED, temperature=0.1).status == 502
    wait_for(lambda: gateway.metric("mainstay_cache_total", tier="similar", result="hit") == 2)
    wait_for(gateway.at_rest)


def test_an_embedding_model_that_is_gone_or_silent_is_a_miss(start):
    mock, e = start.mock(), start.mock("e")
    gateway = start.gateway(embedded_config(mock, e))
    kept(gateway, SOUP)
    mock.script(DOWN)
    e.script({"path": "/v1/embeddings", "fault": "silence"})
    began = time.monotonic()
    assert gateway.chat(SOUP_ASKED).status == 502
    assert 0.4 < time.monotonic() - began < 2 * SLOW
    wait_for(gateway.at_rest)
    e.script({"path": "/v1/embeddings", "status": 500})
    assert gateway.chat(SOUP_ASKED).status == 502
    e.script({"path": "/v1/embeddings", "status": 200, "body": {"data": []}})
    assert gateway.chat(SOUP_ASKED).status == 502
    e.script()
    is_similar(gateway.chat(SOUP_ASKED), SOUP, "model_missing")
    e.kill()
    assert gateway.chat(SOUP_ASKED).status == 502
    mock.script()
    assert gateway.chat("Explain tides").source == "primary", "nobody's answer depends on it"
    wait_for(gateway.at_rest)


def test_always_embeds_a_question_once(start):
    mock, e = start.mock(), start.mock("e")
    gateway = start.gateway(embedded_config(mock, e, use="always"))
    kept(gateway, SOUP)
    assert len(e.seen()) == 1
    is_similar(gateway.chat(SOUP_ASKED), SOUP, "similar", 0)
    gateway.ctl("drill", "crash", "similar")
    wait_for(lambda: next(a for a in gateway.ctl("actors")["actors"] if a["name"] == "similar")["restarts"] == 1)
    wait_for(lambda: gateway.chat(SOUP_ASKED, headers={"x-mainstay-cache": "use"}).source in ("similar", "cache"))
    wait_for(gateway.at_rest)


def test_a_look_up_does_not_wait_for_its_models_capacity(start):
    mock, e = start.mock(), start.mock("e")
    base = embedded_config(mock, e, use="always", timeout="20s")
    base["providers"][1] = provider("e", e, ({"name": "k", "concurrency": 1},))
    gateway = start.gateway(base)
    kept(gateway, SOUP)
    e.script({"path": "/v1/embeddings", "fault": "silence"})
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(gateway.chat, "Explain volcanoes")
        wait_for(lambda: len(e.seen()) == 2)
        began = time.monotonic()
        assert gateway.chat("Explain glaciers").source == "primary"  # its only place is taken
        assert time.monotonic() - began < 5 * SLOW
        e.script()
        e.kill()
        assert first.result().source == "primary"
    wait_for(gateway.at_rest)


def test_a_question_that_is_under_way_when_the_model_changes_finds_nothing(start):
    mock, e = start.mock(), start.mock("e")
    gateway = start.gateway(embedded_config(mock, e, use="always", timeout="20s"))
    kept(gateway, SOUP)
    e.script({"path": "/v1/embeddings", "latency_ms": 3000})
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(gateway.chat, SOUP_ASKED)
        wait_for(lambda: len(e.seen()) == 2)
        changed = gateway.config
        changed["cache"]["similar"]["model"] = "e-large"
        gateway.write(changed)
        gateway.ctl("reload")
        assert asked.result().source == "primary"
    wait_for(gateway.at_rest)


def test_its_actors_death_loses_nothing_and_clearing_everything(start):
    mock = start.mock()
    gateway = start.gateway(config(mock))
    kept(gateway, KEPT)
    mock.script(DOWN)
    for i in range(1, 4):
        gateway.ctl("drill", "crash", "similar")
        wait_for(lambda: next(a for a in gateway.ctl("actors")["actors"] if a["name"] == "similar")["restarts"] == i)
        wait_for(lambda: gateway.chat(ASKED).source == "similar")
    cleared = gateway.ctl("cache", "clear")
    assert cleared["cleared"] == "all tiers" and tier(gateway)["entries"] == 0
    assert gateway.chat(ASKED).status == 502


def test_entries_are_bounded_and_end_with_the_caches(start):
    mock = start.mock()
    gateway = start.gateway(config(mock, entries=2))
    for topic in ("volcanoes", "glaciers", "tides"):
        gateway.chat(f"Explain {topic}")
    wait_for(lambda: tier(gateway)["evictions"] == 1)
    mock.script(DOWN)
    assert [gateway.chat(f"please explain {t}").status for t in ("volcanoes", "glaciers", "tides")] == [502, 200, 200]
    mock.script()
    short = start.gateway(config(mock, {"ttl": "400ms", "stale": "0ms"}))
    kept(short, KEPT)
    mock.script(DOWN)
    wait_for(lambda: short.chat(ASKED).status == 502)


def test_a_reload_turns_it_on_and_off(start):
    mock = start.mock()
    plain = config(mock)
    del plain["cache"]["similar"]
    gateway = start.gateway(plain)
    assert gateway.ctl("cache")["similar"] == "not configured"
    doors = {k: gateway.config[k] for k in ("node", "doors")}
    gateway.write({**config(mock), **doors})
    gateway.signal(signal.SIGHUP)
    wait_for(lambda: gateway.ctl("cache")["similar"] == "lexical, degraded")
    kept(gateway, KEPT)
    mock.script(DOWN)
    is_similar(gateway.chat(ASKED), KEPT, "model_missing")
    gateway.write({**plain, **doors})
    gateway.signal(signal.SIGHUP)
    wait_for(lambda: gateway.ctl("cache")["similar"] == "not configured")
    assert gateway.chat(ASKED).status == 502
