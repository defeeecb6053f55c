"""Clients that the console makes, gives new keys and revokes while the gateway runs; hashed keys; ceilings and limits of addresses."""
import http.client
import json
import re
import resource
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import BIN, FAST, SLOW, Dealer, chat_body, http_json, model, provider, wait_for

FILE_KEY = "key-of-the-file-0123456789"
BOT_KEY = "key-of-the-bot-0123456789"
OWN_KEY = "a-key-that-somebody-thought-up-and-hashed"
PRICES = {"m": {"mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}}


def key(value):
    return {"authorization": f"Bearer {value}"}


def hashed(text, *words):
    """What `mainstayctl clients hash` says, no node being there."""
    return subprocess.run([BIN / "mainstayctl", "clients", "hash", *words], input=text, capture_output=True, text=True, timeout=30 * SLOW)


@pytest.fixture
def house(start, tmp_path):
    class House:
        file, journal = tmp_path / "state.db", tmp_path / "journal.db"

        def __init__(self):
            self.mock = start.mock("p")
            self.prices = tmp_path / "prices.json"
            self.prices.write_text(json.dumps(PRICES))

        def config(self, **more):
            return {"providers": [provider("p", self.mock, pool={"connections": 300, "per_host": 300})], "models": [model("smart", "p/m"), model("cheap", "p/m")],
                    "retry": FAST, "state": {"path": str(self.file)}, "clients": [{"name": "app", "key": FILE_KEY}, {"name": "bot", "key": BOT_KEY}], **more}

        def gateway(self, **more):
            self.now = start.gateway(self.config(**more))
            return self.now

        def reload(self, **more):
            g = self.now
            g.write({**g.config, **self.config(**more)})
            return g.ctl("reload")

        def status(self, value, **headers):
            """of a request with that key, through both doors: they agree"""
            answer = self.now.chat("hello", headers={**key(value), **headers})
            with Dealer(self.now.zmq_url) as d:
                assert d.chat("hello", headers={**key(value), **headers}).status == answer.status
            return answer.status

        def clients(self):
            return {c["client"]: c for c in self.now.ctl("clients")["clients"]}

        def refused(self, *words):
            said = self.now.ctl("clients", *words, check=False)
            assert set(said) == {"error"}, said
            return said["error"]

        def nowhere(self, *secrets):
            """none of these is in the log, on the disk or in what the console and the metrics door show"""
            shown = self.now.log() + json.dumps([self.now.ctl(c) for c in ("clients", "status", "limits", "overview", "requests")])
            shown += http_json(self.now.metrics_port, "GET", "/metrics")[2]
            kept = b"".join(f.read_bytes() for f in tmp_path.iterdir() if f.is_file() and f.suffix != ".yaml")
            for s in secrets:
                assert s not in shown and s.encode() not in kept

    return House()


def test_a_client_is_made_asks_through_both_doors_and_lives_within_its_limits(house):
    g = house.gateway(prices=str(house.prices))
    made = g.ctl("clients", "create", "shop", "--models", "smart,gpt-*", "--rpm", "4", "--tpm", "100000", "--concurrency", "3", "--daily-usd", "2.5", "--priority", "low",
                 "--max-priority", "normal")
    assert re.fullmatch(r"msk_[0-9a-f]{16}_[0-9a-f]{64}", made["key"]) and made["client"] == "shop"
    assert house.status(made["key"]) == 200
    assert g.chat("x", headers=key(made["key"]), model="cheap").status == 404
    row = house.clients()["shop"]
    assert (row["state"], row["keys"], row["models"]) == ("made here", made["key"][:20], "smart gpt-*")
    assert (row["limits"], row["priority"], row["max_priority"], row["daily_usd"]) == ("4 rpm, 100000 tpm, 3 at once", "low", "normal", 2.5)
    assert [g.chat("x", headers=key(made["key"])).status for _ in range(3)] == [200, 200, 429]
    names = [m["id"] for m in http_json(g.http, "GET", "/v1/models", headers=key(made["key"]))[2]["data"]]
    assert names == ["smart"]
    assert http_json(g.http, "GET", "/v1/models", headers=key(made["key"][:-1] + "g"))[0] == 401
    assert house.status(FILE_KEY) == 200  # nobody else was touched
    house.nowhere(made["key"], made["key"][21:], FILE_KEY, BOT_KEY)


def test_a_client_is_made_with_every_term_that_one_of_the_file_may_have_and_keeps_them_over_a_restart(house):
    provider_there = provider("p", house.mock, region="eu")
    g = house.gateway(providers=[provider_there], degradation={"canned": {"general": "We are closed."}})
    made = g.ctl("clients", "create", "shop", "--rps", "7", "--address-rpm", "3", "--address-concurrency", "2", "--partial", "json,tools", "--canned", "yes", "--region", "eu")
    terms = ("7 rps", "3 rpm, 2 at once", "tools, json", "yes", "eu")

    def shown(name="shop"):
        row = house.clients()[name]
        return tuple(row[k] for k in ("limits", "per_address", "partial", "canned", "region"))
    assert shown() == terms and shown("app") == ("none", "none", "none", "no", "any")
    for wrong, says in ((("--partial", "images"), "--partial takes tools, json or both"), (("--partial", ""), "--partial takes"), (("--canned", "maybe"), "--canned takes yes or no"),
                        (("--region", "mars"), "no provider stands in the region mars"), (("--address-rpm", "0"), "--address-rpm takes a number from 1"),
                        (("--rps", "-1"), "--rps takes a number from 1"), (("--odd", "1"), "unknown option --odd")):
        assert says in house.refused("create", "other", *wrong)
    assert g.stop() == 0
    g = house.gateway(providers=[provider_there], degradation={"canned": {"general": "We are closed."}})
    assert shown() == terms
    answers = [g.chat(f"from one address {i}", headers=key(made["key"])) for i in range(4)]
    assert [a.status for a in answers] == [200, 200, 200, 429], "the limit of an address is in force"
    made = g.ctl("clients", "create", "kiosk", "--canned", "yes")
    house.mock.script({"status": 503})
    assert g.chat("anybody there?", headers={**key(FILE_KEY), "x-mainstay-deadline-ms": "500"}).status >= 500
    degraded = g.chat("anybody there?", headers={**key(made["key"]), "x-mainstay-deadline-ms": "500"})
    assert degraded.status == 200 and degraded.body["choices"][0]["message"]["content"] == "We are closed."


def test_a_key_is_rotated_with_grace_and_without(house):
    g = house.gateway()
    first = g.ctl("clients", "create", "shop")["key"]
    began, grace = time.monotonic(), 3 * SLOW
    second = g.ctl("clients", "rotate", "shop", "--keep", f"{grace}s")["key"]
    assert house.status(first) == house.status(second) == 200
    assert house.clients()["shop"]["keys"].startswith(second[:20] + ", " + first[:20] + " until ")
    wait_for(lambda: g.chat("hello", headers=key(first)).status == 401, 10)  # the doors are not asked in the same moment
    assert time.monotonic() - began >= grace and house.status(first) == 401
    third = g.ctl("clients", "rotate", "shop")["key"]
    assert (house.status(second), house.status(third)) == (401, 200)
    fourth = g.ctl("clients", "rotate", "app", "--keep", "10m")["key"]  # one of the file's
    assert house.status(FILE_KEY) == house.status(fourth) == 200
    fifth = g.ctl("clients", "rotate", "app")["key"]
    assert [house.status(k) for k in (FILE_KEY, fourth, fifth)] == [401, 401, 200]
    house.nowhere(first, second, third, fourth, fifth)


def test_a_revoked_client_is_refused_everywhere_whatever_is_in_flight(house):
    g = house.gateway(journal={"path": str(house.journal)}, clients=[{"name": "app", "key": FILE_KEY}, {"name": "bot", "key": BOT_KEY}])
    shop = g.ctl("clients", "create", "shop")["key"]
    house.mock.script({"text": "long*", "token_ms": 500 * SLOW}, {"text": "silent*", "latency_ms": 60000})
    with ThreadPoolExecutor(60) as pool, Dealer(g.zmq_url) as d, Dealer(g.zmq_url) as durable, Dealer(g.zmq_url) as collector, Dealer(g.zmq_url) as bot:
        theirs = [pool.submit(g.chat, f"long story {i}", stream=True, headers=key(shop)) for i in range(50)]
        others = [pool.submit(g.chat, f"silent {i}", headers=key(shop)) for i in range(2)]
        bot.send(b"1", b"chat", chat_body("long but another's", stream=True), key(BOT_KEY))
        for i in range(50):
            d.send(b"%d" % i, b"chat", chat_body(f"long tale {i}", stream=True), key(shop))
        durable.send(b"kept", b"chat", chat_body("silent and durable"), {"durable": True, **key(shop)})
        assert durable.receive()[1] == "accepted"
        durable.send(b"later", b"chat", chat_body("for the next year"), {"durable": True, "not-before": "2099-01-01T00:00:00Z", **key(shop)})
        assert durable.receive()[1] == "accepted"
        collector.send(b"later", b"collect", b"", key(shop))
        assert collector.receive()[1] == "accepted"
        wait_for(lambda: house.mock.stats()["open"] == 104, 30)
        began = time.monotonic()
        g.ctl("clients", "revoke", "shop")
        assert house.status(shop) == 401
        for f in theirs + others:
            answer = f.result()
            assert answer.error["code"] == "client_revoked" and answer.error["type"] == "authentication_error" and not answer.done, answer
            assert answer.status == (200 if answer.events is not None else 401)
        ended = set()
        while len(ended) < 50:
            name, kind, headers, body = d.receive()
            if kind == "error":
                assert headers["status"] == 401 and body["error"]["code"] == "client_revoked"
                ended.add(name)
            else:
                assert kind == "chunk"
        for one, count in ((durable, 2), (collector, 1)):
            for _ in range(count):
                name, kind, headers, body = one.receive()
                assert (kind, headers["status"], body["error"]["code"]) == ("error", 401, "client_revoked")
        took = time.monotonic() - began
        assert took < 2 * SLOW, took
        wait_for(lambda: house.mock.stats()["open"] <= 1)  # nothing of it costs anything any more
        # On connections that are open as well: a new request, an answer that was kept, an end.
        for verb, body in ((b"chat", chat_body("x")), (b"collect", b"")):
            durable.send(b"kept", verb, body, key(shop))
            assert durable.receive()[2]["status"] == 401
        while time.monotonic() < began + took + 1:  # nobody else's
            assert bot.receive()[1] == "chunk"
    wait_for(g.at_rest)
    assert house.clients()["shop"]["state"] == "revoked" and house.clients()["shop"]["keys"] == ""
    assert "client shop was revoked by an operator" in g.log()
    # It comes back with a new key alone.
    again = g.ctl("clients", "create", "shop")["key"]
    assert (house.status(shop), house.status(again)) == (401, 200)


def test_what_was_changed_outlives_a_restart_a_kill_and_a_reload(house):
    g = house.gateway()
    shop = g.ctl("clients", "create", "shop", "--rpm", "50")["key"]
    g.ctl("clients", "create", "gone")
    g.ctl("clients", "revoke", "gone")
    g.ctl("clients", "revoke", "app")
    bot = g.ctl("clients", "rotate", "bot")["key"]

    def as_changed():
        assert [house.status(k) for k in (shop, FILE_KEY, BOT_KEY, bot)] == [200, 401, 401, 200]
        assert {n: c["state"] for n, c in house.clients().items()} == {"app": "revoked", "bot": "configured", "gone": "revoked", "shop": "made here"}
        assert house.clients()["shop"]["limits"] == "50 rpm"

    as_changed()
    house.reload(deadline="7s")
    as_changed()
    g.kill()  # what was said is on disk
    g = house.gateway()
    as_changed()
    assert g.stop() == 0
    g = house.gateway()
    g.signal(signal.SIGHUP)
    as_changed()
    g.ctl("clients", "restore", "app")
    g.ctl("clients", "restore", "bot")
    assert [house.status(k) for k in (FILE_KEY, BOT_KEY, bot)] == [200, 200, 401]
    # The file's own changes are taken too: what the console did not touch is the file's.
    house.reload(clients=[{"name": "app", "key": FILE_KEY + "-new"}])
    assert [house.status(k) for k in (FILE_KEY, FILE_KEY + "-new", BOT_KEY, shop)] == [401, 200, 401, 200]


def test_without_clients_the_last_revoked_one_opens_no_door(house):
    g = house.gateway()
    config = {k: v for k, v in g.config.items() if k != "clients"}
    g.write(config)
    g.ctl("reload")
    assert g.chat("whoever is on this machine").status == 200
    shop = g.ctl("clients", "create", "shop")["key"]
    assert (g.chat("without a key").status, house.status(shop)) == (401, 200)
    g.ctl("clients", "revoke", "shop")
    assert (g.chat("without a key").status, house.status(shop)) == (401, 401)


def test_what_cannot_be_done_is_said_and_changes_nothing(house):
    g = house.gateway()
    g.ctl("clients", "create", "shop")
    for words, said in ((("create", "shop"), "there is shop already: rotate gives it a new key"),
                        (("create", "app"), "app is in the configuration: rotate gives it a new key, restore takes back what was changed here"),
                        (("create", "local"), "and neither local nor console"), (("create", "x\ny"), "printable ASCII"), (("create", " x"), "without blanks"),
                        (("create", "new", "--models", "smart,nothing"), "there is no model named nothing"), (("create", "new", "--models", ","), "--models takes names"),
                        (("create", "new", "--rpm", "0"), "--rpm takes a number from 1"), (("create", "new", "--rpm", "many"), "--rpm takes a number from 1"),
                        (("create", "new", "--daily-usd", "5"), "a budget needs the section prices"), (("create", "new", "--priority", "top"), "a priority is high, normal or low"),
                        (("create", "new", "--priority", "high", "--max-priority", "low"), "--priority is above --max-priority"), (("create", "new", "--what", "5"), "unknown option --what"),
                        (("create", "new", "--rpm"), "say: clients create NAME"), (("rotate", "nobody"), "no client is named nobody"), (("revoke", "nobody"), "no client is named nobody"),
                        (("rotate", "shop", "--keep", "soon"), "--keep takes a time"), (("rotate", "shop", "--keep", "800h"), "from 0s to 720h"), (("restore", "shop"), "shop is not in the configuration"),
                        (("revoke",), "say: clients create NAME"), (("revoke", "shop", "now"), "say: clients create NAME"), (("paint", "shop"), "say: clients create NAME")):
        assert said in house.refused(*words), words
    assert {n: c["state"] for n, c in house.clients().items()} == {"app": "configured", "bot": "configured", "shop": "made here"}
    plain = subprocess.run([BIN / "mainstayctl", "--node", f"127.0.0.1:{g.admin}", "clients", "create", "plain"], capture_output=True, text=True, timeout=60 * SLOW)
    assert plain.returncode == 0 and re.search(r"^key +msk_[0-9a-f]{16}_[0-9a-f]{64}$", plain.stdout, re.M), plain.stdout
    table = subprocess.run([BIN / "mainstayctl", "--node", f"127.0.0.1:{g.admin}", "clients"], capture_output=True, text=True, timeout=60 * SLOW).stdout
    assert re.search(r"^plain +made here +msk_[0-9a-f]{16} +all +normal +high +none", table, re.M), table


def test_without_a_state_nothing_is_changed(house, start):
    house.now = start.gateway({k: v for k, v in house.config().items() if k != "state"})
    for words in (("create", "shop"), ("rotate", "app"), ("revoke", "app"), ("restore", "app")):
        assert house.refused(*words) == "nothing would outlive a restart: the configuration needs a section state (state: { path: ... })"
    assert house.status(FILE_KEY) == 200


def test_a_disk_that_fails_makes_nobody_but_revokes_all_the_same(house):
    g = house.gateway()
    shop = g.ctl("clients", "create", "shop")["key"]
    soft, hard = resource.prlimit(g.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(g.pid, resource.RLIMIT_FSIZE, (4096, hard))  # not a page fits any more, but a line of the log does
    assert house.refused("create", "new") == "the state file cannot be written now: nothing was changed"
    assert house.refused("rotate", "shop") == "the state file cannot be written now: nothing was changed"
    assert house.status(shop) == 200
    assert house.refused("revoke", "shop") == "shop is revoked, but only until the next restart, for the state file cannot be written now: say it again once it can"
    assert house.status(shop) == 401
    resource.prlimit(g.pid, resource.RLIMIT_FSIZE, (soft, hard))
    assert "new" not in house.clients()
    g.ctl("clients", "revoke", "shop")
    g.kill()
    house.gateway()
    assert (house.status(shop), house.clients()["shop"]["state"]) == (401, "revoked")


def test_the_configuration_takes_hashes(house):
    said = hashed(OWN_KEY + "\n")
    assert said.returncode == 0 and re.fullmatch(r"sha256:[0-9a-f]{32}:[0-9a-f]{64}\n", said.stdout), said
    made = json.loads(hashed("", "--new", "--json").stdout)
    assert re.fullmatch(r"sha256:[0-9a-f]{32}:[0-9a-f]{64}:" + made["key"][4:20], made["key_hash"])
    assert json.loads(hashed(made["key"], "--json").stdout)["key_hash"] != made["key_hash"]  # another salt
    for text, why in (("short", "32 to 512 characters; --new makes one"), ("with blanks " * 5, "visible ASCII"), ("", "32 to 512")):
        done = hashed(text)
        assert done.returncode == 1 and why in done.stderr and not done.stdout, done
    house.gateway(clients=[{"name": "own", "key_hash": said.stdout.strip()}, {"name": "made", "key_hash": made["key_hash"]}, {"name": "app", "key": FILE_KEY}])
    assert [house.status(k) for k in (OWN_KEY, made["key"], FILE_KEY, OWN_KEY[:-1], said.stdout.strip())] == [200, 200, 200, 401, 401]
    assert house.clients()["own"]["keys"] == "its own" and house.clients()["made"]["keys"] == made["key"][:20]
    house.nowhere(OWN_KEY, made["key"])


def test_a_priority_beyond_the_ceiling_is_lowered_to_it(house):
    house.gateway(clients=[{"name": "app", "key": FILE_KEY, "max_priority": "normal"}, {"name": "bot", "key": BOT_KEY}], journal={"path": str(house.journal)})
    levels = {}
    for name, value in (("app", FILE_KEY), ("bot", BOT_KEY)):
        for wish in ("high", "low"):
            with Dealer(house.now.zmq_url) as d:
                answer = d.chat("x", headers={"durable": True, "x-mainstay-priority": wish, **key(value)}, request_id=f"{name}-{wish}".encode())
                assert answer.status == 200, answer
    for row in house.now.ctl("journal")["latest"]:
        levels[row["id"]] = row["priority"]
    assert levels == {"app-high": "normal", "app-low": "low", "bot-high": "high", "bot-low": "low"}
    assert house.status(FILE_KEY, **{"x-mainstay-priority": "highest"}) == 400


def test_each_address_of_a_client_has_its_own_limits(house):
    g = house.gateway(clients=[{"name": "app", "key": FILE_KEY, "per_address": {"rpm": 3}}, {"name": "bot", "key": BOT_KEY, "per_address": {"concurrency": 1}}])

    def ask(address, value, question="x"):
        c = http.client.HTTPConnection("127.0.0.1", g.http, timeout=60 * SLOW, source_address=(address, 0))
        c.request("POST", "/v1/chat/completions", json.dumps(chat_body(question)), {"content-type": "application/json", **key(value)})
        r = c.getresponse()
        body = json.loads(r.read())
        c.close()
        return r.status, (body.get("error") or {}).get("code"), int(r.getheader("retry-after") or 0)

    assert [ask("127.0.0.1", FILE_KEY)[0] for _ in range(3)] == [200] * 3
    status, code, wait = ask("127.0.0.1", FILE_KEY)
    assert (status, code) == (429, "address_limit") and 50 <= wait <= 60
    with Dealer(g.zmq_url) as d:  # the same address at the other door
        refused = d.chat("x", headers=key(FILE_KEY))
        assert (refused.status, refused.error["message"]) == (429, "this client's limit of requests per address is used up")
    assert ask("127.0.0.2", FILE_KEY)[0] == 200
    assert ask("127.0.0.1", BOT_KEY)[0] == 200  # another client's table
    house.mock.script({"text": "slow", "latency_ms": 1500 * SLOW})
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ask, "127.0.0.1", BOT_KEY, "slow")
        wait_for(lambda: house.mock.stats()["open"] == 1)
        assert ask("127.0.0.1", BOT_KEY) == (429, "address_limit", 1)
        assert ask("127.0.0.2", BOT_KEY)[0] == 200
        assert slow.result()[0] == 200
    assert ask("127.0.0.1", BOT_KEY)[0] == 200
    assert house.clients()["app"]["per_address"] == "3 rpm"
