"""Actors are killed again and again, at random moments, while both doors are under load: nobody's answer is lost, no limit exceeded, no
circuit or key forgotten, nothing stays reserved. MAINSTAY_FULL=1 (`tools/test --full`) kills each a hundred times."""
import http.client
import json
import os
import random
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import BIN, FAST, SLOW, Dealer, Process, chat_body, model, provider, read_sse, wait_for

FULL = os.environ.get("MAINSTAY_FULL") == "1"
KILLS = 100 if FULL else 12
SEED = int(os.environ.get("MAINSTAY_SEED", "20"))
A_SECOND = 2 if FULL else 8  # kills of one actor: more than 30 within 10 s end the daemon
ACTORS = ["dispatcher", "request_run", "rate_governor", "key_manager", "breaker/a", "upstream/a", "cache_actor", "metrics_aggregator", "admin", "state_keeper", "journal", "repeats", "flights", "similar", "recovery"]
RPM = {"secret-a-k1": 150, "secret-a-k2": 250}  # more than that are asked for within the minute
CONCURRENCY = {"secret-c-k1": 5, "secret-c-k2": 3}


class Console:
    """One mainstayctl that takes command after command."""

    def __init__(self, gateway):
        self.popen = subprocess.Popen([BIN / "mainstayctl", "--node", f"127.0.0.1:{gateway.admin}", "--json"], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.stdin.close()
        self.popen.wait(60 * SLOW)
        self.popen.stdout.close()

    def ask(self, *words):
        self.popen.stdin.write(" ".join(words) + "\n")
        self.popen.stdin.flush()
        return json.loads(self.popen.stdout.readline())

    def restarts(self):
        """by actor; a run has no name and is counted by its successors"""
        counts = {r["name"]: r["restarts"] for r in self.ask("actors")["actors"]}
        return {**counts, "request_run": self.ask("status")["recovered_runs"]}


class House:
    """A gateway in front of four providers: `a` has keys with a limit per minute, one that rests and one that is disabled; `c` has keys
    with a limit of concurrency, at which callers wait; `d` is behind an open circuit; `b` is the healthy fallback."""

    def __init__(self, start):
        self.a, self.b = start.mock("a", latency_ms=5, token_ms=1), start.mock("b", latency_ms=2)
        self.c, self.d = start.mock("c", latency_ms=15, token_ms=1), start.mock("d")
        self.a.script({"key": "secret-a-rest", "status": 429, "retry_after": "3600"}, {"key": "secret-a-bad", "status": 401})
        self.d.script({"status": 503})
        keys = [{"name": k.removeprefix("secret-a-"), "rpm": n, "monthly_requests": 1000000} for k, n in RPM.items()]
        self.gateway = start.gateway({
            "providers": [provider("a", self.a, (*keys, "rest", "bad")), provider("b", self.b),
                          provider("c", self.c, [{"name": k.removeprefix("secret-c-"), "concurrency": n} for k, n in CONCURRENCY.items()]),
                          provider("d", self.d, breaker={"failure_threshold": 2, "recovery_timeout": "1h", "success_threshold": 1})],
            "models": [model("smart", "a/m", "c/m"), model("once", "d/m", fallbacks=["b/m"]), model("all", "d/m", "a/m", fallbacks=["c/m"])],
            "retry": {**FAST, "attempts": 20}, "cache": {"ttl": "1h", "similar": {"method": "lexical"}}, "breaker": {"failure_threshold": 50},
            "state": {"path": str(self.a.log_path.with_name("state.db"))}, "journal": {"path": str(self.a.log_path.with_name("journal.db"))}})
        wait_for(self.knows, 30)
        self.asked_of_the_unusable = self.unusable()

    def knows(self):
        """two keys and a circuit are known to be unusable"""
        self.gateway.chat(f"preparation {time.monotonic()}", model="all")
        return self.remembers()

    def remembers(self):
        keys = {k["name"]: k["state"] for k in self.gateway.ctl("keys")["keys"]}
        circuits = {(c["provider"], c["circuit"]): c["state"] for c in self.gateway.ctl("breakers")["breakers"]}
        return keys["a-rest"] == "resting" and keys["a-bad"] == "disabled" and circuits.get(("d", "m")) == "open"

    def unusable(self):
        keys = self.a.stats()["keys"]
        return self.d.stats()["requests"], keys["secret-a-rest"]["requests"], keys["secret-a-bad"]["requests"]

    def check(self):
        """All that must hold when the load is over."""
        state = wait_for(self.gateway.at_rest)
        assert state["accepted"] == state["finished"] and state["refused"] == 0
        for mock in (self.a, self.b, self.c, self.d):
            wait_for(lambda: mock.stats()["open"] == 0)
        a, c = self.a.stats()["keys"], self.c.stats()["keys"]
        assert {k: a[k]["most_in_60s"] for k in RPM if a[k]["most_in_60s"] > RPM[k]} == {}, "the governor forgot what it had granted"
        assert {k: c[k]["most_open"] for k in CONCURRENCY if c[k]["most_open"] > CONCURRENCY[k]} == {}, "the governor forgot what it had granted"
        months = {k["name"]: k["month_used"] for k in self.gateway.ctl("limits")["keys"]}
        assert {k: months[k.removeprefix("secret-")] for k in RPM if months[k.removeprefix("secret-")] < a[k]["requests"]} == {}, "a month was forgotten"
        assert self.remembers(), (self.gateway.ctl("keys"), self.gateway.ctl("breakers"))
        assert self.unusable() == self.asked_of_the_unusable, "somebody forgot that a key rests or a circuit is open"


class Load(Process):
    def __init__(self, directory, gateway, seconds):
        self.file = directory / f"load-{time.monotonic_ns()}.json"
        super().__init__([BIN / "mainstay-load", "--http", f"127.0.0.1:{gateway.http}", "--zmq", gateway.zmq_url, "--model", "smart", "--stream", 0.5,
                          "--connections", 24, "--duration", f"{seconds}s", "--verify", "--quiet", "--timeout", f"{60 * SLOW}s", "--json", self.file],
                         self.file.with_suffix(".log"))

    def check(self):
        code = self.wait(120)
        self.log_file.close()
        r = json.loads(self.file.read_text())
        assert code == 0 and r["errors"] == {} and r["surplus"] == 0, (r["errors"], r["statuses"], r["surplus"], self.log())
        return r["ok"]


def drill(start, tmp_path, house, actors, kills, a_second):
    """Kills one of the actors at random moments until there were so many; its successor is up before the next is killed. Returns how many died."""
    draw = random.Random(SEED)
    done, seconds = 0, kills / a_second + 1
    end = time.monotonic() + (60 + 2 * kills) * SLOW
    with Console(house.gateway) as console:
        before = console.restarts()
        killed = dict.fromkeys(actors, 0)
        while done < kills:
            assert time.monotonic() < end, killed
            load = start.keep(Load(tmp_path, house.gateway, seconds))
            while done < kills and load.alive():
                time.sleep(draw.uniform(0, 2 / a_second))
                actor = draw.choice(actors)
                told = "drill" in console.ask("drill", "crash", actor)
                if actor == "request_run":  # one that has just answered ends without a successor, and there may be none to be told
                    killed[actor] = console.restarts()[actor] - before[actor]
                else:
                    assert told
                    killed[actor] += 1
                    wait_for(lambda: console.restarts()[actor] - before[actor] == killed[actor], every=0.001)
                done = sum(killed.values())
            assert load.check() > 0
        after = console.restarts()
    died = {actor: after[actor] - before[actor] for actor in after if actor != "request_run"}
    assert died == {actor: killed.get(actor, 0) for actor in died}, "nobody is to die but who is killed"
    return killed


@pytest.mark.parametrize("actor", ACTORS)
def test_an_actor_that_is_killed_over_and_over_costs_nobody_an_answer(start, tmp_path, actor):
    house = House(start)
    assert drill(start, tmp_path, house, [actor], KILLS, A_SECOND)[actor] >= KILLS
    house.check()


def test_all_actors_killed_in_any_order_cost_nobody_an_answer(start, tmp_path):
    house = House(start)
    drill(start, tmp_path, house, ACTORS + ["breaker/c", "upstream/c"], KILLS * 6, 10 if FULL else 40)  # each of 15 comes by chance
    house.check()


def test_the_console_answers_while_those_it_asks_are_killed(start, tmp_path):
    house = House(start)
    commands = ("status", "limits", "queue", "pools", "keys", "breakers", "cache", "journal", "metrics", "actors")
    load = start.keep(Load(tmp_path, house.gateway, KILLS / A_SECOND))
    with Console(house.gateway) as killer, Console(house.gateway) as reader, ThreadPoolExecutor(1) as pool:
        def kill():
            draw = random.Random(SEED + 1)
            while load.alive():
                killer.ask("drill", "crash", draw.choice(ACTORS))
                time.sleep(draw.uniform(0, 0.25 / A_SECOND))
        killing = pool.submit(kill)
        answers = 0
        while load.alive():
            for command in commands:
                answer = reader.ask(command)
                assert "error" not in answer, (command, answer)
                answers += 1
                if command == "actors":
                    crowded = {r["name"]: r["mailbox"] for r in answer["actors"] if r["mailbox"] > 2000}
                    assert not crowded, crowded
        killing.result()
    load.check()
    assert answers > len(commands)
    house.check()


@pytest.mark.parametrize("actor", ["rate_governor", "dispatcher", "upstream/a"])
def test_a_restart_storm_ends_the_daemon_and_everybody_who_waits_is_told(start, actor):
    a = start.mock("a", token_ms=1000)
    gateway = start.gateway({"providers": [provider("a", a, ({"name": "k", "concurrency": 4},))], "models": [model("smart", "a/m")], "retry": FAST})
    streaming = threading.Semaphore(0)

    def ask_http(i, stream):
        c = http.client.HTTPConnection("127.0.0.1", gateway.http, timeout=60 * SLOW)
        c.request("POST", "/v1/chat/completions", json.dumps(chat_body(f"question {i}", stream)).encode(), {"content-type": "application/json"})
        r = c.getresponse()
        headers = {k.lower(): v for k, v in r.getheaders()}
        if r.status == 200:
            streaming.release()
            answer = read_sse(r, headers)
            return answer.error, answer.done
        return json.loads(r.read())["error"], headers["retry-after"]

    def ask_zmq(i, stream):
        with Dealer(gateway.zmq_url) as d:
            d.send(b"1", b"chat", chat_body(f"question {i}", stream))
            kind, began = "chunk", False
            while kind == "chunk":
                _, kind, headers, body = d.receive()
                if kind == "chunk" and not began:
                    streaming.release()
                    began = True
            return body["error"], False if began else str(headers["retry-after"])

    def ask(i, stream):
        return (ask_http if i % 2 else ask_zmq)(i, stream)

    with ThreadPoolExecutor(10) as pool, Console(gateway) as console:
        begun = [pool.submit(ask, i, True) for i in range(4)]
        for _ in begun:
            assert streaming.acquire(timeout=30 * SLOW)
        waiting = [pool.submit(ask, i, i > 6) for i in range(4, 10)]
        wait_for(lambda: console.ask("status")["waiting"] == 6)
        while "giving up" not in gateway.log():
            try:
                console.ask("drill", "crash", actor)
            except ValueError:
                break  # words instead of JSON: the node has gone
        assert gateway.wait() == 4
        for f in begun:
            error, done = f.result()
            assert error["code"] == "shutting_down" and not done, error
        for f in waiting:
            error, retry_after = f.result()
            assert error["code"] == "shutting_down" and retry_after == "1", (error, retry_after)
    last = [line for line in gateway.log().splitlines() if "giving up" in line]
    assert len(last) == 1 and f"actor {actor} died 31 times" in last[0]
