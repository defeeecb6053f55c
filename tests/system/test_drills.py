"""Drills: something is broken on purpose for a bounded time while callers ask; they are served from elsewhere, the console says so, and all
is well again afterwards, whatever becomes of the console and of the actor that keeps the drill."""
import json
import os
import pty
import select
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import BIN, FAST, SLOW, Process, free_port, model, provider, wait_for

QUICK = {"failure_threshold": 3, "recovery_timeout": "1s", "success_threshold": 1}


class Load(Process):
    """Callers who come fifty times a second, streams and whole answers; every answer is checked."""

    def __init__(self, directory, gateway):
        self.file = directory / f"load-{time.monotonic_ns()}.json"
        super().__init__([BIN / "mainstay-load", "--http", f"127.0.0.1:{gateway.http}", "--rate", "50", "--stream", "0.5", "--verify", "--quiet",
                          "--duration", "120s", "--timeout", f"{60 * SLOW}s", "--json", self.file], self.file.with_suffix(".log"))

    def result(self):
        self.signal(signal.SIGTERM)
        self.wait()
        return json.loads(self.file.read_text())


class House:
    """`a` answers, and `b` where `a` does not."""

    def __init__(self, start, tmp_path, **more):
        self.start, self.tmp_path = start, tmp_path
        self.a, self.b = start.mock("a", latency_ms=2), start.mock("b", latency_ms=2)
        self.gateway = start.gateway({"providers": [provider("a", self.a, breaker=QUICK), provider("b", self.b)],
                                      "models": [model("smart", "a/m", fallbacks=["b/m"])], "retry": {**FAST, "failover_wait": "50ms"}, **more})

    def load(self):
        """the load, once its callers are answered"""
        load = self.start.keep(Load(self.tmp_path, self.gateway))
        wait_for(lambda: self.gateway.status()["ok"] > 20)
        return load

    def drill(self, *words):
        return self.gateway.ctl("drill", *words)

    def watch(self, *words):
        """A drill while callers ask: its report, and what the callers say."""
        load = self.load()
        report = self.drill(*words)
        return report, load.result()

    def drilled(self):
        return {k.split('"')[1]: v for k, v in self.gateway.metrics().items() if k.startswith("mainstay_drill{")}

    def is_well(self):
        """the provider of first choice answers again"""
        return self.gateway.chat(f"is it well {time.monotonic()}").source == "primary"


@pytest.fixture
def house(start, tmp_path):
    return House(start, tmp_path)


def sources(report):
    return {s["source"]: s for s in report["sources"]}


def latency(report):
    return {row["when"]: row for row in report["latency"]}


def expect_all_answered(report, callers):
    assert callers["errors"] == {}, (callers["errors"], callers["statuses"])
    assert report["callers"] == "every request was answered" and report["requests"] == report["answered"] > 100, report
    assert report["errors"] == [] and report["state"] == "over" and report["ended"] == "its time was over" and report["healthy"]
    rows = latency(report)
    assert rows["before"]["requests"] > 0 and rows["during"]["requests"] + rows["after"]["requests"] == report["requests"]


def test_a_provider_that_is_down_costs_nobody_an_answer(house):
    house.a.script({"text": "a long one", "token_ms": 100})
    with ThreadPoolExecutor(1) as pool:
        long_one = pool.submit(house.gateway.chat, "a long one", stream=True)
        wait_for(lambda: house.a.stats()["open"] == 1)
        load = house.load()
        report = house.drill("provider_down", "a", "--for", "1500ms")
        answer = long_one.result()
        assert answer.complete("a long one") and answer.comments, answer  # it was under way, and went on elsewhere
    expect_all_answered(report, load.result())
    assert sources(report)["fallback"]["answers"] > 30
    assert 0 < report["first_fallback_seconds"] <= report["breaker_open_seconds"] + 1 < 3
    assert report["healthy_again_seconds"] >= report["lasted_seconds"] == 1.5
    log = house.gateway.log()
    assert log.count("drill: provider_down a begins, for 1.5 s") == log.count("drill: provider_down a ends after 1.5 s: its time was over") == 1, log
    assert house.gateway.metric("mainstay_attempts_total", provider="a", outcome="connect_failed") > 0
    assert house.is_well()


def test_a_storm_of_429_rests_the_keys_and_opens_nothing(house):
    report, callers = house.watch("rate_limit", "a", "--by", "1s", "--for", "1500ms")
    expect_all_answered(report, callers)
    assert sources(report)["fallback"]["answers"] > 30 and report["first_fallback_seconds"] < 2
    assert report["keys_rest_seconds"] < 2 and report["healthy_again_seconds"] > 1.5
    assert house.gateway.metric("mainstay_attempts_total", provider="a", outcome="rate_limited") > 0
    assert "breaker a" not in house.gateway.log()
    wait_for(house.is_well)  # it is asked gently at first, as after any 429


def test_a_slow_provider_is_seen_in_the_latency(house):
    report, callers = house.watch("slow", "a", "--by", "400ms", "--for", "1500ms")
    expect_all_answered(report, callers)
    rows = latency(report)
    assert rows["before"]["p99_seconds"] < 0.3 < 0.4 <= rows["during"]["p99_seconds"]
    assert rows["after"]["p50_seconds"] < 0.3
    assert "first_fallback_seconds" not in report
    assert house.is_well()


def test_slower_than_anybody_waits_is_a_timeout(start, tmp_path):
    house = House(start, tmp_path)
    house.gateway.config["providers"][0]["timeouts"] = {"first_byte": "300ms"}
    house.gateway.write(house.gateway.config)
    house.gateway.ctl("reload")
    with ThreadPoolExecutor(1) as pool:
        drill = pool.submit(house.drill, "slow", "a", "--by", "1m", "--for", "1m")
        wait_for(lambda: house.drilled().get("slow") == 1)
        answer = house.gateway.chat("how long does it take?", stream=True)
        assert answer.complete("how long does it take?") and answer.source == "fallback"
        assert house.gateway.metric("mainstay_attempts_total", provider="a", outcome="first_byte_timeout") == 1
        assert house.a.stats()["requests"] == 0, "it was never asked"
        house.drill("stop")
        house.drill("stop")  # and no watching
        assert drill.result()["ended"] == "it was stopped"


def test_a_frozen_redis_is_done_without(start, tmp_path):
    redis = start.redis()
    house = House(start, tmp_path, cache={"ttl": "1h", "memory": {"entries": 1}, "redis": {"url": redis.url}})
    report, callers = house.watch("redis_frozen", "--for", "1500ms")
    expect_all_answered(report, callers)
    assert report["redis_given_up_seconds"] < 1.5 < report["healthy_again_seconds"]
    assert "redis 127.0.0.1" in house.gateway.log() and house.gateway.metrics()["mainstay_redis_up"] == 1
    assert latency(report)["during"]["p99_seconds"] < 1
    asked = redis_commands(redis)
    house.gateway.chat("something new")
    assert redis_commands(redis) > asked, "it is asked again"


def redis_commands(redis):
    done = subprocess.run(["redis-cli", "-p", str(redis.port), "info", "commandstats"], capture_output=True, text=True, check=True).stdout
    return sum(int(line.split("calls=")[1].split(",")[0]) for line in done.splitlines() if line.startswith(("cmdstat_get", "cmdstat_set")))


def test_an_actor_that_crashes_is_watched_for_as_long_as_is_asked(house):
    report, callers = house.watch("crash", "upstream/a", "--for", "1s")
    expect_all_answered(report, callers)
    assert {r["name"]: r["restarts"] for r in house.gateway.ctl("actors")["actors"]}["upstream/a"] == 1
    assert "nobody named nobody is up" in house.gateway.ctl("drill", "crash", "nobody", "--for", "1s", check=False)["error"]
    assert house.drill("look")["drill"] == "none since the node was started"


def begin(house, *words):
    """A console that is at a drill, which is in force."""
    popen = subprocess.Popen([BIN / "mainstayctl", "--node", f"127.0.0.1:{house.gateway.admin}", "--json", "drill", *words],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(lambda: house.drilled().get(words[0]) == 1)
    return popen


def end(popen):
    out, _ = popen.communicate(timeout=60 * SLOW)
    return popen.returncode, json.loads(out)


def test_it_ends_by_its_time_though_console_and_actor_die(house):
    console = begin(house, "provider_down", "a", "--for", "1500ms")
    began = time.monotonic()
    console.kill()
    console.communicate()
    wait_for(lambda: "error" not in house.gateway.ctl("drill", "crash", "drills"))
    assert house.gateway.chat("meanwhile").source == "fallback"
    assert house.gateway.status()["drill"] == "provider_down a" and house.drilled()["provider_down"] == 1
    wait_for(lambda: house.drilled()["provider_down"] == 0)
    assert 0.5 < time.monotonic() - began < 4 * SLOW
    wait_for(house.is_well)
    report = house.drill("stop")
    assert report["ended"] == "its time was over" and report["requests"] >= 1 and sources(report)["fallback"]["answers"] >= 1
    assert "drill" not in house.gateway.status()


def test_one_at_a_time_and_a_stop_ends_it(house):
    console = begin(house, "provider_down", "a", "--for", "5m")
    second = house.gateway.ctl("drill", "slow", "b", check=False)
    assert "provider_down a is under way: one drill at a time" in second["error"]
    assert house.gateway.chat("meanwhile").source == "fallback"
    assert house.drill("stop")["ended"] == "it was stopped"
    wait_for(house.is_well)
    assert house.drill("stop")["state"] == "over"  # and it is watched no longer
    code, report = end(console)
    assert code == 0 and report["ended"] == "it was stopped" and report["lasted_seconds"] < 60
    assert "no drill is under way" in house.gateway.ctl("drill", "stop", check=False)["error"]


def test_an_interrupt_stops_it_and_a_report_follows(house):
    console = begin(house, "slow", "a", "--for", "5m")
    console.send_signal(signal.SIGINT)
    wait_for(lambda: house.drilled()["slow"] == 0)
    house.drill("stop")  # and no watching
    code, report = end(console)
    assert code == 0 and report["ended"] == "it was stopped" and report["callers"] == "nobody asked meanwhile"


def test_a_reload_ends_it(house):
    console = begin(house, "rate_limit", "a", "--for", "5m")
    house.gateway.ctl("reload")
    wait_for(lambda: house.drilled()["rate_limit"] == 0)
    assert house.is_well()
    house.drill("stop")
    assert end(console)[1]["ended"] == "the configuration was reloaded"


def test_a_drain_ends_it_and_what_runs_is_finished(house):
    house.gateway.config["models"][0].pop("fallbacks")
    house.gateway.write(house.gateway.config)
    house.gateway.ctl("reload")
    with ThreadPoolExecutor(1) as pool:
        console = begin(house, "rate_limit", "a", "--by", "1s", "--for", "5m")
        waiting = pool.submit(house.gateway.chat, "who waits")
        wait_for(lambda: house.gateway.status()["in_flight"] == 1)
        house.gateway.signal(signal.SIGTERM)
        assert waiting.result().complete("who waits")
    assert house.gateway.wait() == 0
    console.communicate(timeout=60 * SLOW)
    assert "drill: rate_limit a ends" in house.gateway.log()


def test_what_cannot_be_drilled_is_said(house):
    for words, why in ((("provider_down", "nobody"), "no provider named nobody"), (("provider_down",), "say: drill"), (("redis_frozen",), "no Redis"),
                       (("slow", "a", "--by", "2m"), "--by takes"), (("slow", "a", "--for", "6m"), "1s to 5m"), (("slow", "a", "--for", "soon"), "say: drill"),
                       (("earthquake",), "say: drill"), (("provider_down", "a", "--by", "2s"), "say: drill"), (("stop",), "no drill is under way")):
        assert why in house.gateway.ctl("drill", *words, check=False)["error"], words
    assert set(house.drilled().values()) == {0} and len(house.drilled()) == 5


def on_terminal(gateway, *words):
    """mainstayctl on a pseudo-terminal: the process and what reads from it until it says that"""
    master, slave = pty.openpty()
    popen = subprocess.Popen([BIN / "mainstayctl", "--node", f"127.0.0.1:{gateway.admin}", *words], stdin=slave, stdout=slave, stderr=slave,
                             env={**os.environ, "TERM": "vt100"})
    os.close(slave)
    seen = ""

    def read_until(what):
        nonlocal seen
        until = time.monotonic() + 20 * SLOW
        while what not in seen:
            assert time.monotonic() < until, seen
            if select.select([master], [], [], 0.1)[0]:
                seen += os.read(master, 4096).decode()
        return seen
    return popen, master, read_until


def test_at_a_terminal_it_asks_first_and_shows_how_it_goes_on(house):
    popen, master, read_until = on_terminal(house.gateway, "drill", "provider_down", "a")
    read_until("Begin? [y/N] ")
    os.write(master, b"\n")
    read_until("not begun")
    assert popen.wait(20 * SLOW) == 1
    os.close(master)
    assert house.drill("look")["drill"] == "none since the node was started"
    popen, master, read_until = on_terminal(house.gateway, "drill", "provider_down", "a", "--for", "1s")
    read_until("Begin? [y/N] ")
    os.write(master, b"y\n")
    read_until("provider_down a [#")
    assert house.gateway.chat("meanwhile").source == "fallback"
    read_until("traces are watched")
    house.drill("stop")
    assert "fallback" in read_until("latency")
    assert popen.wait(20 * SLOW) == 0
    os.close(master)
