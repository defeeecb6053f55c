"""The audit: a line for every request, right and whole, over crashes, rotations, restarts and full disks; and whatever is done to it afterwards shows."""
import hashlib
import http.client
import json
import math
import os
import pathlib
import resource
import signal
import subprocess
import threading
import time

import pytest

from harness import BIN, FAST, Answer, Dealer, chat_body, http_json, model, provider, wait_for

PRICES = {"m": {"input_cost_per_token": 1e-3, "output_cost_per_token": 2e-3}, "b/m": {"input_cost_per_token": 1e-2, "output_cost_per_token": 2e-2}}
APP, BOT = {"x-api-key": "key-app-0123456789"}, {"x-api-key": "key-bot-0123456789"}
MEMBERS = ["seq", "time", "request_id", "client", "model", "provider", "source", "outcome", "status", "input_tokens", "output_tokens", "cost_usd", "prev", "hash"]


def files_of(path):
    return sorted(path.parent.glob(path.name + ".0*")) + [path]


def read(path):
    return [json.loads(line) for f in files_of(path) if f.exists() for line in f.read_text().splitlines()]


def of_requests(lines):
    """but for those of what operators changed"""
    return [l for l in lines if "change" not in l]


def verify(*words, code=0):
    done = subprocess.run([BIN / "mainstayctl", "--json", "audit", "verify", *map(str, words)], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return json.loads(done.stdout) if done.stdout else done.stderr


@pytest.fixture
def house(start, tmp_path):
    class House:
        def __init__(self):
            self.a, self.b = start.mock("a"), start.mock("b")
            self.path = tmp_path / "audit.jsonl"
            self.asked = []

        def gateway(self, audit=None, **more):
            (tmp_path / "prices.json").write_text(json.dumps(PRICES))
            self.now = start.gateway({
                "providers": [provider("a", self.a), provider("b", self.b)], "models": [model("smart", "a/m", fallbacks=["b/m"]), model("odd", "a/nobody-knows")],
                "retry": {**FAST, "max_retries": 0}, "prices": str(tmp_path / "prices.json"), "cache": {"ttl": "1h"},
                "clients": [{"name": "app", "key": APP["x-api-key"]}, {"name": "bot", "key": BOT["x-api-key"], "models": ["smart"], "rpm": 5}],
                "privacy": {"audit": {"path": str(self.path), **(audit or {})}}, **more})
            return self.now

        def requests(self):
            return int(self.now.metric("mainstay_requests_total"))

        def written(self, count):
            wait_for(lambda: len(read(self.path)) >= count)
            lines = read(self.path)
            assert len(lines) == count
            return lines

        def line_of(self, answer):
            """its only line"""
            name = answer.headers["x-request-id"]
            wait_for(lambda: any(l.get("request_id") == name for l in read(self.path)))
            line, = [l for l in read(self.path) if l.get("request_id") == name]
            return line

        def load(self, callers, each, kind="load", until=None):
            """Each caller's questions are asked by the next one too: some come from the cache, some share a call. Each asks so many, and on until then."""
            faults = []

            def call(worker):
                try:
                    i = 0
                    while i < each or (until and not until.is_set()):
                        i += 1
                        answer = self.now.chat(f"{kind} {worker // 2} {i}", stream=(worker // 2 + i) % 2 == 0, headers=APP)
                        self.asked.append(answer.headers["x-request-id"])
                        if answer.status != 200:
                            faults.append(answer)
                except Exception as e:  # told in the test's own thread
                    faults.append(e)
            threads = [threading.Thread(target=call, args=(w,)) for w in range(callers)]
            for t in threads:
                t.start()
            return threads, faults
    return House()


def test_every_request_has_one_line_that_says_what_its_caller_was_told(house):
    gateway = house.gateway()
    plain = gateway.chat("tell me of the zanzibar affair", headers=APP)
    again = gateway.chat("tell me of the zanzibar affair", headers=APP)
    streamed = gateway.chat("and now as a stream", stream=True, headers=BOT)
    unpriced = gateway.chat("at any price", headers=APP, model="odd")
    with Dealer(gateway.zmq_url) as d:
        queued = d.chat("by message", headers={"authorization": "Bearer " + APP["x-api-key"]})
    house.a.script({"token_ms": 30})
    c = http.client.HTTPConnection("127.0.0.1", gateway.http, timeout=30)
    c.request("POST", "/v1/chat/completions", json.dumps(chat_body("whose caller leaves", stream=True)).encode(), {"content-type": "application/json", **APP})
    r = c.getresponse()
    assert r.read1(10)
    left = Answer(499, {k.lower(): v for k, v in r.getheaders()})
    r.close(), c.close()
    house.a.script({"status": 400, "body": {"error": {"message": "no", "type": "invalid_request_error"}}})
    refused = gateway.chat("this is refused", headers=APP)
    house.a.script({"status": 503})
    rescued = gateway.chat("this is rescued", headers=APP)
    house.b.script({"status": 503})
    failed = gateway.chat("this fails", headers={**APP, "x-mainstay-deadline-ms": "300"})
    house.a.reset(), house.b.reset()
    for i in range(5):
        limited = gateway.chat(f"too often {i}", headers=BOT)
    assert [a.status for a in (plain, again, streamed, unpriced, queued, rescued, limited)] == [200, 200, 200, 200, 200, 200, 429]

    def price(answer, of="m"):
        usage = answer.body["usage"]
        return usage["prompt_tokens"] * PRICES[of]["input_cost_per_token"] + usage["completion_tokens"] * PRICES[of]["output_cost_per_token"]
    for answer, client, name, source, at, outcome, cost in (
            (plain, "app", "smart", "primary", "a", "ok", price(plain)), (again, "app", "smart", "cache", "", "ok", 0), (streamed, "bot", "smart", "primary", "a", "ok", ...),
            (unpriced, "app", "odd", "primary", "a", "ok", None), (queued, "app", "smart", "primary", "a", "ok", price(queued)),
            (left, "app", "smart", "", "a", "cancelled", ...), (refused, "app", "smart", "", "a", "caller_fault", ...), (rescued, "app", "smart", "fallback", "b", "ok", price(rescued, "b/m")),
            (failed, "app", "smart", "", "b", ..., 0), (limited, "bot", "smart", "", "", "rate_limited", 0)):
        line = house.line_of(answer)
        assert list(line) == MEMBERS
        got = (line["client"], line["model"], line["source"], line["provider"], line["status"], line["outcome"] if outcome is not ... else ...)
        assert got == (client, name, source, at, answer.status, outcome)
        if cost is not ...:
            assert line["cost_usd"] == cost if cost is None else math.isclose(line["cost_usd"], cost, rel_tol=1e-9, abs_tol=1e-12), line
    assert house.line_of(left)["cost_usd"] > 0
    line = house.line_of(plain)
    assert (line["input_tokens"], line["output_tokens"]) == (plain.body["usage"]["prompt_tokens"], plain.body["usage"]["completion_tokens"])
    assert abs(time.time() - time.mktime(time.strptime(line["time"][:19], "%Y-%m-%dT%H:%M:%S")) + time.timezone) < 60 and line["time"].endswith("Z")
    assert http_json(gateway.http, "POST", "/v1/chat/completions", chat_body("who am I"), {"x-api-key": "nobody"})[0] == 401  # no client, no line
    lines = house.written(house.requests())
    known = math.fsum(l["cost_usd"] or 0 for l in lines)
    assert math.isclose(known, gateway.metric("mainstay_cost_usd_total"), rel_tol=1e-9)
    text = house.path.read_text()
    assert not any(word in text for word in ("zanzibar", "stream", "echo", "key-app")), "no prompt, no answer, no key"
    assert house.path.stat().st_mode & 0o777 == 0o600
    assert verify(house.path)["lines"] == len(lines)


def test_what_operators_change_stands_in_the_same_chain_with_its_outcome_and_no_secret(house, tmp_path):
    gateway = house.gateway(state={"path": str(tmp_path / "state.db")})
    gateway.chat("before", headers=APP)
    told, done = [], []

    def change(*words, change, name="", how=None, ok=True, who="console"):
        told.append(gateway.ctl(*words, check=ok))
        done.append((who, change, name, how, "ok" if ok else "failed"))
        house.written(1 + len(done))
    change("clients", "create", "shop", "--rpm", "5", change="clients create", name="shop", how="--rpm 5")
    change("clients", "create", "shop", change="clients create", name="shop", ok=False)
    change("clients", "rotate", "bot", "--keep", "1m", change="clients rotate", name="bot", how="--keep 1m")
    change("clients", "revoke", "bot", change="clients revoke", name="bot")
    change("clients", "restore", "bot", change="clients restore", name="bot")
    change("clients", "create", "x", "--region", "r" * 5000, change="clients create", name="x", how=("--region " + "r" * 5000)[:1024], ok=False)
    change("keys", "a-key", "disable", change="keys disable", name="a-key", ok=False)
    key = gateway.ctl("keys")["keys"][0]["name"]
    change("keys", key, "disable", change="keys disable", name=key)
    change("keys", key, "enable", change="keys enable", name=key)
    for way in ("open", "close", "auto"):
        change("breakers", "a", way, change="breakers " + way, name="a")
    change("cache", "clear", change="cache clear")
    change("drill", "crash", "cache_actor", change="drill crash", name="cache_actor")
    change("reload", change="reload")
    for looks in ("clients", "keys", "breakers", "cache", "drill", "status"):
        gateway.ctl(looks)
    good = gateway.file.read_text()
    gateway.file.write_text("rubbish")
    change("reload", change="reload", ok=False)
    gateway.signal(signal.SIGHUP)
    done.append(("signal", "reload", "", None, "failed"))
    house.written(1 + len(done))
    gateway.file.write_text(good)
    gateway.ctl("drain")
    done.append(("console", "drain", "", None, "ok"))
    assert gateway.wait() == 0
    lines = [l for l in read(house.path) if "change" in l]
    assert [(l["who"], l["change"], l["name"], l.get("with"), l["outcome"]) for l in lines] == done
    for l in lines:
        assert [m for m in l if m not in ("with", "why")] == [*MEMBERS[:-2], "who", "change", "name", *MEMBERS[-2:]] and ("why" in l) == (l["outcome"] == "failed")
    assert "there is shop already" in lines[1]["why"]
    assert len(read(house.path)) == 1 + len(done) and verify(house.path)["chain"] == "whole"
    text = house.path.read_text()
    assert not any(t["key"] in text for t in told if "key" in t)


def test_the_hash_is_what_the_documentation_says(house):
    gateway = house.gateway()
    for i in range(4):
        gateway.chat(f"question {i}", headers=APP)
    house.written(4)
    before = ""
    for number, text in enumerate(house.path.read_text().splitlines(), 1):
        line = json.loads(text)
        without = text[:text.rindex(',"hash":')] + "}"
        assert line["hash"] == hashlib.sha256(without.encode()).hexdigest()
        assert (line["seq"], line["prev"]) == (number, before)
        before = line["hash"]
    assert gateway.metric("mainstay_audit_seq") == 4 and gateway.metric("mainstay_audit_lost_total") == 0


def test_under_load_with_crashes_and_rotations_lines_are_requests_and_a_drain_loses_none(house):
    gateway = house.gateway({"rotate": "8KiB"})
    over = threading.Event()
    threads, faults = house.load(8, 25, until=over)
    for i in range(3):
        for actor in ("metrics_aggregator", "audit_keeper"):
            gateway.ctl("drill", "crash", actor)
            wait_for(lambda: gateway.restarts(actor) == i + 1)
    over.set()
    for t in threads:
        t.join()
    assert not faults
    wait_for(gateway.at_rest)
    asked = len(house.asked)
    wait_for(lambda: house.requests() == asked)
    drills = 6
    wait_for(lambda: gateway.metric("mainstay_audit_seq") == asked + drills)  # but for streams whose call is not over yet
    cost = gateway.metric("mainstay_cost_usd_total")
    threads, faults = house.load(4, 10, "more")
    for t in threads:
        t.join()
    assert gateway.stop() == 0 and not faults  # at once after the last answer
    lines = read(house.path)
    asks = of_requests(lines)
    count = asked + 40 + drills
    assert len(asks) == asked + 40 and {l["request_id"] for l in asks} == set(house.asked)
    assert [l["seq"] for l in lines] == list(range(1, count + 1)) and not any("lost" in l for l in lines)
    assert math.isclose(math.fsum(l["cost_usd"] for l in asks[:asked]), cost, rel_tol=1e-9)
    assert len(files_of(house.path)) > 2
    told = verify(house.path)
    assert (told["chain"], told["lines"], told["first"], told["last"], told["last_hash"]) == ("whole", count, 1, count, lines[-1]["hash"])
    assert f"line {count} has the hash {lines[-1]['hash']}" in gateway.log()


def test_verify_finds_what_was_done_to_it(house, tmp_path):
    gateway = house.gateway({"rotate": "4KiB"})
    for i in range(24):
        gateway.chat(f"question {i}", headers=APP)
        if i % 8 == 7:
            house.written(i + 1)
    assert gateway.stop() == 0
    original = {f: f.read_text() for f in files_of(house.path)}
    assert len(original) >= 2
    lines = read(house.path)
    first = files_of(house.path)[0]

    def done(change, file=first):
        texts = original[file].splitlines(keepends=True)
        change(texts)
        file.write_text("".join(texts))
        told = verify(house.path, code=1)
        file.write_text(original[file])
        assert told["chain"] == "broken"
        return [(f["file"], f["fault"]) for f in told["faults"]]

    def cheaper(t):
        t[2] = t[2].replace('"client":"app"', '"client":"bot"')
    assert done(cheaper) == [(str(first), "line 3: was changed: its hash is another")]
    assert done(lambda t: t.pop(4)) == [(str(first), "line 5: the line before it is missing")]
    assert done(lambda t: t.insert(4, t[3])) == [(str(first), "line 5: stood here before, or belongs further up")]
    assert "line 1: 2 lines before it are missing" in done(lambda t: (t.pop(0), t.pop(0)))[0][1]
    assert done(lambda t: t.__setitem__(slice(5, 7), [t[6], t[5]]))
    assert done(lambda t: t.__setitem__(5, "\n")) == [(str(first), "line 6: is no line of an audit")]
    gone = first.rename(tmp_path / "elsewhere")
    assert "missing" in verify(house.path, code=1)["faults"][0]["fault"]
    held = gone.read_text().splitlines()
    assert verify(house.path, "--after", json.loads(held[-1])["hash"])["first"] == len(held) + 1
    gone.rename(first)

    assert verify(house.path, "--expect", lines[-1]["hash"])["chain"] == "whole"
    last = files_of(house.path)[-1] if house.path.stat().st_size else files_of(house.path)[-2]
    last.write_text("".join(last.read_text().splitlines(keepends=True)[:-1]))
    assert verify(house.path)["chain"] == "whole"  # a chain does not know its end
    assert verify(house.path, "--expect", lines[-1]["hash"], code=1)["expected_hash"] == lines[-1]["hash"]
    assert "cannot read" in verify(tmp_path / "no.such.file", code=2)
    assert "say: audit verify" in verify(code=2)
    shown = subprocess.run([BIN / "mainstayctl", "audit", "verify", *files_of(house.path)], capture_output=True, text=True)  # for people; each file named
    assert shown.returncode == 0 and "whole" in shown.stdout and "last hash" in shown.stdout


def test_after_a_kill_the_chain_goes_on(house):
    gateway = house.gateway()
    for i in range(10):
        gateway.chat(f"before {i}", headers=APP)
    house.written(10)
    threads, _ = house.load(4, 40, "in the middle")
    wait_for(lambda: len(read_whole(house.path)) > 30)
    gateway.kill()
    for t in threads:
        t.join()
    lines = len(read_whole(house.path))
    with open(house.path, "a") as f:
        f.write('{"seq":99,"time":"20')  # a write that the kill cut off
    gateway = house.gateway()
    assert "its last line was not whole" in gateway.log()
    torn, = house.path.parent.glob("audit.jsonl.torn-*")
    assert torn.read_text().endswith('{"seq":99,"time":"20')
    gateway.chat("after", headers=APP)
    house.written(lines + 1)
    assert verify(house.path)["lines"] == lines + 1


def read_whole(path):
    return [l for l in path.read_text().splitlines(keepends=True) if l.endswith("\n")]


def test_a_restart_goes_on_and_nobody_else_may_write_meanwhile(house, start, tmp_path):
    gateway = house.gateway()
    gateway.chat("one", headers=APP)
    first, = house.written(1)
    second = subprocess.run([BIN / "mainstayd", "--config", gateway.file], capture_output=True, text=True, timeout=30)
    assert second.returncode == 2 and "privacy.audit.path" in second.stderr and "another process is writing it" in second.stderr
    assert gateway.stop() == 0
    gateway = house.gateway()
    gateway.chat("two", headers=APP)
    line = house.written(2)[1]
    assert (line["seq"], line["prev"]) == (2, first["hash"])
    assert gateway.stop() == 0
    house.path.write_text("a letter to my aunt\n")
    other = subprocess.run([BIN / "mainstayd", "--config", gateway.file], capture_output=True, text=True, timeout=30)
    assert other.returncode == 2 and "its last line is no line of an audit" in other.stderr
    assert house.path.read_text() == "a letter to my aunt\n"


def test_a_full_disk_rings_harms_no_request_and_loses_nothing_that_fits_in_memory(house):
    gateway = house.gateway()
    for i in range(18):
        gateway.chat(f"before {i}", headers=APP)
    house.written(18)
    assert house.path.stat().st_size > 2 * gateway.log_path.stat().st_size  # the log's lines fit still
    soft, hard = resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (house.path.stat().st_size + 100, hard))  # a part of a line fits
    for i in range(5):
        assert gateway.chat(f"meanwhile {i}", headers=APP).status == 200

    def alert():
        return next(a for a in gateway.ctl("alerts")["alerts"] if a["signal"] == "audit_failing")
    wait_for(lambda: alert()["state"] == "firing")
    assert alert()["severity"] == "critical" and gateway.metric("mainstay_alert", signal="audit_failing", severity="critical") == 1
    assert len(read(house.path)) == gateway.metric("mainstay_audit_seq") == 18
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (soft, hard))
    house.written(23)
    wait_for(lambda: alert()["state"] != "firing")
    assert gateway.log().count("requests are served all the same") == gateway.log().count("is written again") == 1
    assert gateway.metric("mainstay_audit_lost_total") == 0 and verify(house.path)["lines"] == 23


def test_a_file_that_is_taken_away_is_begun_anew_and_that_shows(house):
    gateway = house.gateway()
    gateway.chat("one", headers=APP)
    house.written(1)
    os.rename(house.path, house.path.with_name("taken"))

    def begun_anew():
        gateway.chat("on and on", headers=APP)
        return house.path.exists() and house.path.stat().st_size
    wait_for(begun_anew)
    assert "the file is gone from its place" in gateway.log()
    assert "missing" in verify(house.path, code=1)["faults"][0]["fault"]


def test_a_reload_changes_the_size_at_once_and_the_path_with_a_restart(house):
    gateway = house.gateway()
    for i in range(12):
        gateway.chat(f"question {i}", headers=APP)
    house.written(12)
    assert len(files_of(house.path)) == 1
    gateway.write({**gateway.config, "privacy": {"audit": {"path": "elsewhere.jsonl", "rotate": "4KiB"}}})
    assert f"privacy.audit.path: takes effect with a restart; until then {house.path} is written" in gateway.ctl("reload")["reload"]
    gateway.chat("one more", headers=APP)
    wait_for(lambda: len(files_of(house.path)) == 2)
    assert verify(house.path)["lines"] == 14


def test_what_found_no_room_in_memory_is_counted_and_the_next_line_says_so(house):
    gateway = house.gateway()
    for i in range(18):
        gateway.chat(f"before {i}", headers=APP)
    house.written(18)
    soft, hard = resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (house.path.stat().st_size + 100, hard))
    asked = 66_000  # 65,536 fit
    load = subprocess.run([BIN / "mainstay-load", "--http", f"127.0.0.1:{gateway.http}", "--key", APP["x-api-key"], "--same", "--requests", str(asked), "--connections", "32",
                           "--quiet"], capture_output=True, text=True, timeout=200)
    assert load.returncode == 0, load.stderr
    wait_for(lambda: house.requests() == 18 + asked)
    lost = int(gateway.metric("mainstay_audit_lost_total"))
    assert lost >= asked - 65_536 and len(read(house.path)) == 18
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (soft, hard))
    wait_for(lambda: gateway.metric("mainstay_audit_seq") == 18 + asked - lost, 30)
    gateway.chat("after", headers=APP)
    last = house.written(18 + asked - lost + 1)[-1]
    assert last["lost"] == lost == gateway.metric("mainstay_audit_lost_total")
    told = verify(house.path)
    assert (told["chain"], told["lines"], told["requests_without_a_line"]) == ("whole", 18 + asked - lost + 1, lost)


def test_prompts_are_there_only_where_they_are_wanted(house):
    gateway = house.gateway(audit={"prompts": True})
    answer = gateway.chat("what was asked, \u6f22\u5b57 \"and all\"", headers=APP)
    line = house.line_of(answer)
    asked = json.loads(line["request"])
    assert asked["messages"][0]["content"] == "what was asked, \u6f22\u5b57 \"and all\"" and asked["model"] == "smart"
    assert answer.text not in json.dumps(line)
    assert len(house.line_of(gateway.chat("long " * 20000, headers=APP))["request"].encode()) == 16 << 10
    verify(house.path)
    config = gateway.config
    config["privacy"]["audit"]["prompts"] = False
    gateway.write(config)
    gateway.ctl("reload")
    assert "request" not in house.line_of(gateway.chat("not any more", headers=APP))
    assert "what was asked" not in gateway.log() and "not any more" not in house.path.read_text()
