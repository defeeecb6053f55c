"""`mainstayctl cache warm FILE`: the cache filled from a file, beside callers, with lines that are wrong, and interrupted."""
import json
import os
import pty
import signal
import subprocess
import threading

from harness import BIN, FAST, SLOW, chat_body, model, provider, wait_for

CLIENTS = {"clients": [{"name": "one", "key": "key-one-0123456789", "models": ["smart"]}, {"name": "two", "key": "key-two-0123456789", "rpm": 3}]}
ONE, TWO = {"x-api-key": "key-one-0123456789"}, {"x-api-key": "key-two-0123456789"}


def config(mock, keys=("k1",), cache=None, **more):
    return {"providers": [provider("a", mock, keys)], "models": [model("smart", "a/m"), model("other", "a/m2")], "retry": FAST, "cache": {"ttl": "1h", **(cache or {})}, **more}


def write(directory, *lines):
    """The lines as they are, or what is JSON as JSON."""
    file = directory / "questions.jsonl"
    file.write_text("".join((l if isinstance(l, str) else json.dumps(l)) + "\n" for l in lines))
    return file


class Warm:
    """mainstayctl at work on a file."""

    def __init__(self, gateway, file, *options):
        self.popen = subprocess.Popen([BIN / "mainstayctl", "--node", f"127.0.0.1:{gateway.admin}", *options, "cache", "warm", str(file)],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self, seconds=60):
        self.out, self.err = self.popen.communicate(timeout=seconds * SLOW)
        return self.popen.returncode


def warm(gateway, file):
    """exit code, the final object"""
    w = Warm(gateway, file, "--json")
    code = w.end()
    assert w.out, w.err
    return code, json.loads(w.out)


def counts(done):
    return done["warmed"], done["skipped"], done["failed"]


def test_two_hundred_lines_are_asked_once_each_and_every_one_is_a_hit_afterwards(start, tmp_path):
    mock = start.mock()
    gateway = start.gateway(config(mock))
    for i in range(20):
        gateway.chat(f"known {i}")
    lines = [chat_body(f"known {i}") for i in range(20)]
    lines += [chat_body(f"new {i}", stream=i % 3 == 0) for i in range(140)]
    lines += [{"messages": [{"role": "user", "content": f"new {i}"}], "model": "smart"} for i in range(30)]  # the same, written otherwise
    lines += ["{not json", "[]", '{"model":"smart"}', json.dumps({"model": "smart", "messages": []}), chat_body("q", model="unknown"),
              {"client": "nobody", "body": chat_body("q")}, "", {"model": "smart", "messages": "x"}, {"body": chat_body("in a body")}, "   "]
    code, done = warm(gateway, write(tmp_path, *lines))
    assert code == 1 and counts(done) == (141, 50, 7) and done["lines"] == 198 and not done["interrupted"], done
    assert len(mock.seen()) == 20 + 141
    problems = {p["line"]: p["problem"] for p in done["problems"]}
    assert sorted(problems) == [191, 192, 193, 194, 195, 196, 198], problems
    assert problems[191].startswith("is no JSON") and problems[192] == "is no JSON object" and "body" in problems[193]
    assert "messages" in problems[194] and "known here: smart, other" in problems[195] and problems[196] == "unknown client; known here: none"
    for i in range(140):
        hit = gateway.chat(f"new {i}")
        assert hit.source == "cache" and hit.complete(f"new {i}"), hit
    assert gateway.chat("in a body").source == "cache"
    assert len(mock.seen()) == 20 + 141
    code, done = warm(gateway, write(tmp_path, *lines[:190]))
    assert code == 0 and counts(done) == (0, 190, 0)
    wait_for(gateway.at_rest)


def test_where_entries_are_kept_by_client_each_line_says_whose_it_is(start, tmp_path):
    mock = start.mock()
    apart = start.gateway({**config(mock), **CLIENTS})
    file = write(tmp_path, {"client": "one", "body": chat_body("q")}, chat_body("q"), {"client": "three", "body": chat_body("q")},
                 {"client": "one", "body": chat_body("q", model="other")}, *({"client": "two", "body": chat_body(f"q{i}")} for i in range(6)))
    code, done = warm(apart, file)
    assert code == 1 and counts(done) == (7, 0, 3), done  # an operator's order: the client's rpm of 3 is left alone
    problems = [p["problem"] for p in done["problems"]]
    assert problems == ["names no client, and entries are kept by client here", "unknown client; known here: one, two",
                        "404 model_not_found: unknown model; known here: smart"]
    assert apart.chat("q", headers=ONE).source == "cache"
    assert apart.chat("q1", headers=TWO).source == "cache"
    assert apart.chat("q", headers=TWO).source == "primary"
    together = start.gateway({**config(mock, cache={"shared": True}), **CLIENTS})
    code, done = warm(together, write(tmp_path, chat_body("q"), {"client": "one", "body": chat_body("q")}))
    assert code == 0 and counts(done) == (1, 1, 0)
    assert together.chat("q", headers=TWO).source == "cache"


def test_it_waits_while_callers_wait_and_leaves_half_of_the_capacity_to_them(start, tmp_path):
    mock = start.mock()
    mock.script({"text": "slow*", "latency_ms": 1500})
    gateway = start.gateway(config(mock, keys=[{"name": "k1", "concurrency": 2}]))
    callers = [threading.Thread(target=gateway.chat, args=(f"slow {i}",)) for i in range(6)]
    for t in callers:
        t.start()
    wait_for(lambda: gateway.status()["waiting"] > 0)
    w = Warm(gateway, write(tmp_path, *(chat_body(f"quick {i}") for i in range(10))), "--json")
    wait_for(lambda: gateway.ctl("cache", "warming", check=False).get("pause") == "requests wait")
    assert gateway.status()["waiting"] > 0
    asked = [e for e in mock.seen() if "quick" in json.dumps(e)]
    assert not asked
    for t in callers:
        t.join()
    assert w.end() == 0 and counts(json.loads(w.out)) == (10, 0, 0)
    assert "error" in gateway.ctl("cache", "warming", check=False)


def test_failures_are_told_by_line_and_slow_it_down(start, tmp_path):
    mock, b = start.mock(), start.mock("b")
    mock.script({"text": "bad*", "status": 404})
    gateway = start.gateway({"providers": [provider("a", mock), provider("b", b)], "models": [model("smart", "a/m", fallbacks=["b/m"])], "retry": FAST,
                             "cache": {"ttl": "1h"}, "degradation": {"canned": {"general": "later"}}})
    code, done = warm(gateway, write(tmp_path, chat_body("bad 1"), chat_body("bad 2"), chat_body("good one")))
    assert code == 1 and counts(done) == (1, 0, 2), done
    assert sorted(p["line"] for p in done["problems"]) == [1, 2] and {p["problem"] for p in done["problems"]} == {"502 model_missing"}
    assert done["seconds"] >= 0.9  # it rested for a second at least
    assert not b.seen()  # a fallback's answer would not be kept
    assert gateway.chat("good one").source == "cache"


def test_a_line_waits_for_a_provider_that_rests(start, tmp_path):
    mock = start.mock()
    gateway = start.gateway({**config(mock), "providers": [provider("a", mock, breaker={"failure_threshold": 2, "recovery_timeout": "4s"})]})
    mock.script({"status": 503})

    def rests():
        gateway.chat("are you there?", headers={"x-mainstay-deadline-ms": "300"})
        return any(b["state"] == "open" for b in gateway.ctl("breakers")["breakers"])
    wait_for(rests)
    mock.script()
    code, done = warm(gateway, write(tmp_path, chat_body("q")))
    assert code == 0 and counts(done) == (1, 0, 0), done
    assert gateway.chat("q").source == "cache"


def test_without_a_cache_it_says_so(start, tmp_path):
    mock = start.mock()
    gateway = start.gateway({"providers": [provider("a", mock)], "models": [model("smart", "a/m")]})
    w = Warm(gateway, write(tmp_path, chat_body("q")))
    assert w.end() == 1 and "no cache is configured here" in w.err and not mock.seen()
    w = Warm(gateway, tmp_path / "missing.jsonl")
    assert w.end() == 2 and "cannot read" in w.err


def test_an_interrupt_ends_it_and_what_is_there_stays(start, tmp_path):
    mock = start.mock()
    mock.script({"latency_ms": 100})
    gateway = start.gateway(config(mock))
    file = write(tmp_path, *(chat_body(f"q{i}") for i in range(500)))
    w = Warm(gateway, file, "--json")
    wait_for(lambda: len(mock.seen()) >= 10)
    w.popen.send_signal(signal.SIGINT)
    assert w.end() == 130
    done = json.loads(w.out)
    assert done["interrupted"] and 0 < done["warmed"] < 500 and done["lines"] == 500
    wait_for(gateway.at_rest)
    asked = len(mock.seen())
    assert gateway.chat("q0").source == "cache"
    mock.script()
    code, again = warm(gateway, file)
    assert code == 0 and again["warmed"] + again["skipped"] == 500 and again["skipped"] >= done["warmed"]
    assert len(mock.seen()) <= asked + 500


def test_a_console_that_is_killed_does_not_go_on_for_long(start, tmp_path):
    mock = start.mock()
    mock.script({"latency_ms": 200})
    gateway = start.gateway(config(mock))
    file = write(tmp_path, *(chat_body(f"q{i}") for i in range(2000)))
    w = Warm(gateway, file)
    wait_for(lambda: mock.seen())
    other = Warm(gateway, file)
    assert other.end() == 1 and "another warming is under way" in other.err
    w.popen.kill()
    w.end()
    assert "ended" not in gateway.log()
    wait_for(lambda: "its console has gone" in gateway.log(), 30)
    wait_for(gateway.at_rest)
    mock.script()
    assert warm(gateway, write(tmp_path, chat_body("after")))[0] == 0


def test_deaths_of_the_warmer_and_of_those_it_asks_lose_no_line_and_ask_none_twice(start, tmp_path):
    mock = start.mock()
    mock.script({"latency_ms": 20})
    gateway = start.gateway(config(mock))
    w = Warm(gateway, write(tmp_path, *(chat_body(f"q{i}") for i in range(400))), "--json")
    wait_for(lambda: len(mock.seen()) >= 20)
    for actor in ("warmer", "rate_governor", "warmer", "admin", "cache_actor", "warmer", "dispatcher", "warmer"):
        gateway.ctl("drill", "crash", actor)
    assert w.end() == 0, w.err
    assert counts(json.loads(w.out)) == (400, 0, 0)
    assert len(mock.seen()) == 400
    rows = {a["name"]: a for a in gateway.ctl("actors")["actors"]}
    assert rows["warmer"]["restarts"] == 4
    wait_for(gateway.at_rest)


def test_an_operator_can_stop_it_and_a_drain_ends_it(start, tmp_path):
    mock = start.mock()
    mock.script({"latency_ms": 100})
    gateway = start.gateway(config(mock))
    file = write(tmp_path, *(chat_body(f"q{i}") for i in range(2000)))
    w = Warm(gateway, file)
    wait_for(lambda: mock.seen())
    gateway.ctl("cache", "warming", "stop")
    assert w.end() == 1 and "an operator stopped it" in w.err
    w = Warm(gateway, file)
    wait_for(lambda: len(mock.seen()) >= 10)
    assert gateway.stop() == 0
    assert w.end(5) in (1, 2)  # a node that has gone is not waited for


def test_a_large_file_goes_over_in_pieces(start, tmp_path):
    mock = start.mock(words=1)
    gateway = start.gateway(config(mock))
    long = chat_body("x" * 2_000_000)
    same = json.dumps(chat_body("the same"))
    code, done = warm(gateway, write(tmp_path, same, long, *([same] * 100_000)))
    assert code == 0 and counts(done) == (2, 100_000, 0), done
    assert len(mock.seen()) == 2
    print(f"100,002 lines in {done['seconds']:.1f} s")


def test_a_terminal_sees_a_live_line_and_others_see_plain_ones(start, tmp_path):
    mock = start.mock()
    mock.script({"latency_ms": 50})
    gateway = start.gateway(config(mock))
    file = write(tmp_path, "nonsense", *(chat_body(f"q{i}") for i in range(60)))
    master, slave = pty.openpty()
    shown = subprocess.Popen([BIN / "mainstayctl", "--node", f"127.0.0.1:{gateway.admin}", "cache", "warm", str(file)], stdout=slave, stderr=slave)
    os.close(slave)
    text = b""
    try:
        while piece := os.read(master, 4096):
            text += piece
    except OSError:  # how a terminal says that nobody writes any more
        pass
    assert shown.wait(30) == 1
    os.close(master)
    text = text.decode()
    assert "\r\x1b[K[" in text and "% " in text and "remaining" in text and f"{file}:1: is no JSON" in text
    assert "warmed 60, skipped 0, failed 1 of 61 lines" in text
    w = Warm(gateway, file)
    assert w.end() == 1 and "\r" not in w.out and "warmed 0, skipped 60, failed 1 of 61 lines" in w.out and ":1: is no JSON" in w.err
