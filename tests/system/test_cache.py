"""The cache: equal questions, plain and streamed; stale answers; Redis missing, killed, frozen and back; the file; what it does while providers fail."""
import resource
import signal
import sqlite3
import time

import pytest

from harness import FAST, Dealer, Gateway, free_port, http_json, model, provider, wait_for


def config(mock, **cache):
    return {"providers": [provider("a", mock)], "models": [model("smart", "a/m"), model("other", "a/m")], "retry": FAST, "cache": {"ttl": "1h", **cache}}


def tier(gateway, name):
    """what the console says of it"""
    return next(t for t in gateway.ctl("cache")["tiers"] if t["tier"] == name)


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


OLD_AT_ONCE = {"ttl": "1ms", "stale": "1h"}
DOWN = {"status": 404}  # opens no circuit, which would be waited for


def grown_old(gateway, question):
    """Answered by the provider, and too old by now."""
    assert gateway.chat(question).source == "primary"
    time.sleep(0.01)  # five times what it may count as fresh
    return True


def is_stale(answer, question, reason, attempts=None):
    h = answer.headers
    assert answer.complete(question) and answer.source == "stale" and h["x-mainstay-degraded"] == "true" and h["x-mainstay-reason"] == reason, answer
    assert "x-mainstay-provider" not in h and "x-should-retry" not in h and (attempts is None or answer.attempts == attempts)
    return True


def test_an_old_answer_is_given_when_no_provider_has_one_and_says_so(start):
    mock = start.mock()
    gateway = start.gateway({**config(mock, **OLD_AT_ONCE), "retry": {**FAST, "max_retries": 0}})
    grown_old(gateway, "q")
    grown_old(gateway, "q")  # from the provider again: it has a new one
    mock.script(DOWN)
    for stream in (False, True):
        is_stale(gateway.chat("q", stream), "q", "model_missing", 1)
        with Dealer(gateway.zmq_url) as d:
            is_stale(d.chat("q", stream), "q", "model_missing", 1)
    mock.script({"status": 500})
    is_stale(gateway.chat("q", headers={"x-mainstay-cache": "refresh"}), "q", "server_error", 1)
    mock.script(DOWN)
    assert gateway.chat("q", headers={"x-mainstay-cache": "off"}).status == 502
    assert gateway.chat("never asked before").status == 502
    wait_for(lambda: gateway.metric("mainstay_requests_total") == 9)
    assert gateway.metric("mainstay_cache_total", tier="memory", result="stale") == 5 and tier(gateway, "memory")["stale_hits"] == 5
    assert gateway.metric("mainstay_request_seconds_count", source="stale") == 5
    assert gateway.metric("mainstay_requests_total", outcome="ok") == 7 and gateway.metric("mainstay_requests_total", outcome="model_missing") == 2
    mock.script()
    assert gateway.chat("q").source == "primary"
    wait_for(gateway.at_rest)


def test_an_old_answer_comes_at_the_deadline_and_from_behind_open_circuits(start):
    mock = start.mock()
    gateway = start.gateway(config(mock, **OLD_AT_ONCE))
    grown_old(gateway, "q")
    mock.script({"fault": "silence"})
    for stream in (False, True):
        is_stale(gateway.chat("q", stream, headers={"x-mainstay-deadline-ms": "300"}), "q", "deadline", 1)
    assert gateway.chat("never asked before", headers={"x-mainstay-deadline-ms": "300"}).status == 504
    gateway.ctl("breakers", "a", "open")
    is_stale(gateway.chat("q", headers={"x-mainstay-deadline-ms": "300"}), "q", "overloaded", 0)
    gateway.ctl("breakers", "a", "auto")
    mock.kill()
    is_stale(gateway.chat("q", headers={"x-mainstay-deadline-ms": "30000"}), "q", "connect_failed")
    wait_for(gateway.at_rest)


def test_the_callers_own_fault_and_half_an_answer_are_not_papered_over(start):
    mock = start.mock()
    gateway = start.gateway({**config(mock, **OLD_AT_ONCE), "retry": {**FAST, "max_retries": 1}})
    grown_old(gateway, "q")
    for body in ({"error": {"message": "no", "type": "invalid_request_error", "code": "content_filter"}}, {"error": {"message": "no", "type": "invalid_request_error"}}):
        mock.script({"status": 400, "body": body})
        refused = gateway.chat("q")
        assert refused.status == 400 and refused.source is None, refused
    mock.script({"fault": "cut", "after": 5})
    broken = gateway.chat("q", True)
    assert broken.error and not broken.done and broken.source == "primary", broken


def test_an_old_answer_goes_before_a_canned_one(start):
    mock = start.mock()
    gateway = start.gateway({**config(mock, **OLD_AT_ONCE), "degradation": {"canned": {"general": "Later, please."}}})
    grown_old(gateway, "q")
    mock.script(DOWN)
    is_stale(gateway.chat("q"), "q", "model_missing")
    assert gateway.chat("never asked before").source == "canned"
    assert gateway.chat("q", headers={"x-mainstay-cache": "off"}).source == "canned"


def test_stale_0s_keeps_nothing_for_later(start):
    mock = start.mock()
    gateway = start.gateway(config(mock, ttl="1ms", stale="0s"))
    grown_old(gateway, "q")
    mock.script(DOWN)
    assert gateway.chat("q").status == 502


def test_while_many_calls_fail_answers_stay_fresh_for_twice_as_long(start):
    mock = start.mock()
    gateway = start.gateway({**config(mock, ttl="2h", stale="0s"), "retry": {**FAST, "max_retries": 0}})
    life = lambda: gateway.ctl("cache")["fresh_for_seconds"]

    def ask(how_many, name):
        for i in range(how_many):
            gateway.chat(f"{name} {i}")

    ask(25, "good")
    assert life() == 7200
    mock.script({"status": 500})
    ask(2, "bad")
    mock.script()
    wait_for(lambda: life() == 14400)  # 2 of 27
    gateway.ctl("drill", "crash", "cache_actor")
    gateway.ctl("drill", "crash", "metrics_aggregator")
    wait_for(lambda: sum(a["restarts"] for a in gateway.ctl("actors")["actors"]) == 2)
    assert life() == 14400
    ask(30, "good again")
    wait_for(lambda: life() == 7200)
    assert not gateway.ctl("cache")["doubled"]


def test_redis_is_shared_by_nodes_and_survives_them(start, tmp_path):
    mock, redis = start.mock(), start.redis()
    first = start.gateway(config(mock, redis={"url": redis.url}))
    assert first.chat("shared").source == "primary"
    second = start.gateway(config(mock, redis={"url": redis.url}))
    wait_for(lambda: second.ctl("cache")["redis"] == "up")
    wait_for(lambda: second.chat("shared").source == "cache")
    assert tier(second, "redis")["hits"] == 1
    assert second.ctl("cache", "clear")["cleared"] == "all tiers"
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


@pytest.fixture
def house(start, tmp_path):
    """A mock, and gateways one after the other with the same cache file."""

    class House:
        file = tmp_path / "cache.db"

        def __init__(self):
            self.mock = start.mock()

        def gateway(self, ready=True, **cache):
            gateway = self.now = start.gateway(config(self.mock, sqlite={"path": str(self.file), **cache.pop("sqlite", {})}, **cache))
            if ready:
                wait_for(self.up)
            return gateway

        def up(self):
            """the file is in use"""
            return tier(self.now, "sqlite")["state"] == "up"

        def written(self, entries):
            wait_for(lambda: tier(self.now, "sqlite")["entries"] == entries)

        def lines(self, words):
            return [line for line in self.now.log().splitlines() if words in line]

    return House()


def test_a_killed_daemon_finds_its_answers_again(house, start):
    gateway = house.gateway()
    for q in ("one", "two"):
        assert gateway.chat(q).source == "primary"
    house.written(2)
    gateway.kill()
    redis = start.redis()
    gateway = house.gateway(redis={"url": redis.url})
    wait_for(lambda: gateway.ctl("cache")["redis"] == "up")
    for stream in (False, True):
        hit = gateway.chat("one", stream)
        assert hit.source == "cache" and hit.complete("one"), hit
    assert [tier(gateway, t)["hits"] for t in ("memory", "redis", "sqlite")] == [1, 0, 1], "the first came from the file, the second from memory"
    wait_for(lambda: gateway.metric("mainstay_cache_total", tier="sqlite", result="hit") == 1)
    other = start.gateway(config(house.mock, redis={"url": redis.url}))
    wait_for(lambda: other.ctl("cache")["redis"] == "up")
    assert other.chat("one").source == "cache", "what the file had is in Redis too"
    assert gateway.stop() == 0
    gateway = house.gateway(ttl="1ms")
    assert gateway.chat("two").source == "primary", "an answer is as old as it is, also after a restart"
    house.mock.script(DOWN)
    assert gateway.stop() == 0
    gateway = house.gateway(ttl="1ms")
    is_stale(gateway.chat("one"), "one", "model_missing")
    assert len(house.mock.seen()) == 4


def test_a_clean_stop_writes_what_waits_and_clear_empties_the_file(house):
    gateway = house.gateway()
    for i in range(30):
        gateway.chat(f"q {i}")
    assert gateway.stop() == 0
    gateway = house.gateway()
    house.written(30)
    assert gateway.ctl("cache", "clear")["cleared"] == "all tiers"
    assert gateway.chat("q 1").source == "primary"
    house.written(1)
    assert gateway.stop() == 0
    house.gateway()
    house.written(1)


def test_the_files_bounds_hold(house):
    gateway = house.gateway(sqlite={"entries": 10})
    for i in range(25):
        gateway.chat(f"q {i}")
    wait_for(lambda: tier(gateway, "sqlite")["evictions"] == 15)
    house.written(10)


def test_a_broken_file_is_moved_aside_and_a_locked_one_left_alone(house, tmp_path):
    house.file.write_text("no database\n" * 100)
    gateway = house.gateway()
    moved = list(tmp_path.glob("cache.db.broken-*"))
    assert len(moved) == 1 and moved[0].read_text() == "no database\n" * 100 and len(house.lines(str(moved[0]))) == 1
    assert gateway.chat("q").source == "primary"
    house.written(1)
    house.gateway(ready=False)  # the first one has the file
    wait_for(lambda: house.lines("locked; going on without it"))
    second = house.now
    assert second.chat("q").source == "primary" and second.chat("q").source == "cache"
    assert tier(second, "sqlite")["state"] == "down" and second.ctl("cache", "clear")["cleared"] == "all but sqlite: no answer"
    house.now = gateway
    assert house.up() and gateway.stop() == 0
    house.now = second
    wait_for(house.up, 20)  # it looks again every two seconds
    assert len(house.lines("going on without it")) == 1
    second.chat("another")
    wait_for(lambda: house.lines("is written again"))


def test_a_full_disk_and_the_keepers_death_harm_no_request(house):
    gateway = house.gateway()
    assert gateway.chat("before").source == "primary"
    house.written(1)
    soft, hard = resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (4096, hard))  # not a page fits any more, but a line of the log does
    for i in range(5):
        assert gateway.chat(f"full {i}").source == "primary" and gateway.chat(f"full {i}").source == "cache"
    wait_for(lambda: house.lines("going on without it"))
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (soft, hard))
    wait_for(house.up, 20)
    gateway.ctl("drill", "crash", "answer_keeper")
    wait_for(lambda: next(a for a in gateway.ctl("actors")["actors"] if a["name"] == "answer_keeper")["restarts"] == 1)
    gateway.chat("after")
    wait_for(lambda: house.lines("is written again"))
    assert len(house.lines("going on without it")) == 1
    assert quick(gateway, "after") < 1
    gateway.kill()
    house.gateway()
    assert house.now.chat("before").source == "cache" and house.now.chat("after").source == "cache"
    assert tier(house.now, "sqlite")["hits"] == 2


def test_a_reload_turns_the_file_on_and_off(house, start):
    gateway = house.now = start.gateway(config(house.mock))
    assert gateway.chat("q").source == "primary"
    with_file = {**gateway.config, "cache": {"ttl": "1h", "sqlite": {"path": str(house.file)}}}
    without = gateway.config
    gateway.write(with_file)
    gateway.ctl("reload")
    wait_for(house.up)
    assert gateway.chat("kept").source == "primary"
    house.written(1)
    gateway.write(without)
    gateway.ctl("reload")

    def let_go():
        """another process may read the file"""
        db = sqlite3.connect(house.file)
        try:
            return db.execute("SELECT count(*) FROM answers").fetchone() == (1,)
        except sqlite3.OperationalError:
            return False
        finally:
            db.close()

    wait_for(let_go)
    gateway.write(with_file)
    gateway.ctl("reload")
    house.written(1)
