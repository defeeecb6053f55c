"""What calls cost: counted right for plain, streamed, cached, interrupted and unpriced calls, kept over restarts, and never more than a client's budget."""
import json
import math
import subprocess
import time
from datetime import datetime, timezone

import pytest

from harness import BIN, FAST, SLOW, model, provider, wait_for

PRICES = {"m": {"input_cost_per_token": 1e-3, "output_cost_per_token": 2e-3, "cache_read_input_token_cost": 1e-4, "output_cost_per_reasoning_token": 4e-3},
          "c/m": {"input_cost_per_token": 1e-3, "output_cost_per_token": 2e-3, "cache_read_input_token_cost": 1e-4, "cache_creation_input_token_cost": 7e-3},
          "b/m": {"input_cost_per_token": 1e-2, "output_cost_per_token": 2e-2}}
SHOP, BOT = {"x-api-key": "key-shop-0123456789"}, {"x-api-key": "key-bot-0123456789"}


def price(usage, of="m"):
    p = PRICES[of]
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens", 0)
    if of != "m":
        cached = reasoning = 0  # without a price of their own they are like any other
    return ((usage["prompt_tokens"] - cached) * p["input_cost_per_token"] + cached * p.get("cache_read_input_token_cost", 0)
            + (usage["completion_tokens"] - reasoning) * p["output_cost_per_token"] + reasoning * p.get("output_cost_per_reasoning_token", 0))


@pytest.fixture
def house(start, tmp_path):
    class House:
        def __init__(self):
            self.a, self.b = start.mock("a"), start.mock("b")

        def gateway(self, budget=None, **more):
            (tmp_path / "prices.json").write_text(json.dumps(PRICES))
            shop = {"name": "shop", "key": SHOP["x-api-key"], **({"daily_usd": budget} if budget else {})}
            self.now = start.gateway({
                "providers": [provider("a", self.a), provider("b", self.b)], "models": [model("smart", "a/m", fallbacks=["b/m"]), model("odd", "a/nobody-knows")],
                "retry": {**FAST, "max_retries": 0}, "prices": str(tmp_path / "prices.json"), "state": {"path": str(tmp_path / "state.db")},
                "clients": [shop, {"name": "bot", "key": BOT["x-api-key"]}], **more})
            return self.now

        def cost(self, *words):
            wait_for(self.now.at_rest)
            return self.now.ctl("cost", *words)

        def by(self, group, *more):
            return {row[group]: row for row in self.cost("--by", group, *more)["costs"]}

        def usd(self, expected):
            """what all calls cost, as soon as the last one is counted"""
            wait_for(lambda: math.isclose(self.cost()["usd"], expected, rel_tol=1e-6) or None)
            assert math.isclose(self.now.metric("mainstay_cost_usd_total"), expected, rel_tol=1e-6)
    return House()


def test_plain_and_streamed_calls_cost_what_the_provider_counted(house):
    gateway = house.gateway()
    house.a.script({"cached_tokens": 2, "reasoning_tokens": 5})
    plain = gateway.chat("a question of some words", headers=SHOP)
    expected = price(plain.body["usage"])
    assert plain.body["usage"]["prompt_tokens_details"]["cached_tokens"] == 2
    house.usd(expected)
    asked = gateway.chat("a question of some words", stream=True, headers=BOT, stream_options={"include_usage": True})
    usage = next(e["usage"] for e in asked.events if e.get("usage"))
    expected += price(usage)
    house.usd(expected)
    assert gateway.chat("a question of some words", stream=True, headers=BOT).done  # its usage is asked for all the same
    expected += price(usage)
    house.usd(expected)

    clients = house.by("client")
    assert math.isclose(clients["shop"]["usd"], price(plain.body["usage"]), rel_tol=1e-6) and clients["shop"]["calls"] == 1
    assert clients["bot"]["calls"] == 2 and clients["bot"]["cached_tokens"] == 4 and clients["bot"]["reasoning_tokens"] == 10
    assert list(house.by("model")) == ["smart"] and list(house.by("provider")) == ["a", "(requests)"]
    hours = house.by("hour")
    hour = list(hours)[-1]
    assert sum(row["calls"] for row in hours.values()) == 3 and abs((datetime.now(timezone.utc) - datetime.strptime(hour + "+0000", "%Y-%m-%d %H:%M%z")).total_seconds()) < 3700


def test_what_is_put_into_a_providers_cache_has_its_own_price(house, start):
    c = start.mock("c")
    c.script({"cached_tokens": 2, "cache_write_tokens": 3})
    gateway = house.gateway(providers=[provider("c", c, dialect="anthropic")], models=[model("smart", "c/m")])
    question, expected, p = "a question of more than some words", 0.0, PRICES["c/m"]
    for stream in False, True:
        answer = gateway.chat(question, stream=stream, headers=SHOP, **({"stream_options": {"include_usage": True}} if stream else {}))
        usage = next(e["usage"] for e in answer.events if e.get("usage")) if stream else answer.body["usage"]
        assert usage["prompt_tokens_details"] == {"cached_tokens": 2, "cache_creation_tokens": 3}
        expected += ((usage["prompt_tokens"] - 5) * p["input_cost_per_token"] + 2 * p["cache_read_input_token_cost"]
                     + 3 * p["cache_creation_input_token_cost"] + usage["completion_tokens"] * p["output_cost_per_token"])
        house.usd(expected)
    assert house.by("client")["shop"]["cache_write_tokens"] == 6
    wait_for(lambda: gateway.ctl("metrics")["models"][0]["cache_write_tokens"] == 6)
    gateway.stop()
    assert house.gateway() and house.by("client")["shop"]["cache_write_tokens"] == 6  # kept in the file


def test_what_a_broken_call_gave_is_paid_for_and_so_is_who_went_on(house):
    gateway = house.gateway()
    house.a.script({"fault": "cut", "after": 20})
    answer = gateway.chat("tell me everything", stream=True, headers=SHOP)
    assert answer.complete("tell me everything")
    wait_for(lambda: house.cost()["calls"] == 2)
    rows = house.by("provider")
    # Nobody says what the broken one cost: the prompt, and about what came of the answer.
    broken = rows["a"]["usd"]
    assert PRICES["m"]["output_cost_per_token"] * 10 < broken < PRICES["m"]["output_cost_per_token"] * 40, rows
    assert rows["b"]["usd"] > 0 and rows["b"]["calls"] == 1
    assert math.isclose(house.cost()["usd"], broken + rows["b"]["usd"], rel_tol=1e-6)


def test_a_refusal_costs_nothing(house):
    gateway = house.gateway()
    house.a.script({"status": 429})
    answer = gateway.chat("q", headers=SHOP)
    assert answer.provider == "b"
    house.usd(price(answer.body["usage"], "b/m"))
    assert house.by("provider")["a"]["usd"] == 0


def test_an_answer_from_the_cache_costs_nothing_and_says_what_it_saved(house):
    gateway = house.gateway(cache={"ttl": "1h"})
    first = gateway.chat("the same", headers=SHOP)
    expected = price(first.body["usage"])
    for _ in range(3):
        assert gateway.chat("the same", headers=SHOP).source == "cache"
    house.usd(expected)
    wait_for(lambda: house.cost()["saved_calls"] == 3)
    cost = house.cost()
    assert math.isclose(cost["saved_usd"], 3 * expected, rel_tol=1e-6) and cost["calls"] == 1
    assert house.by("provider")["(requests)"]["saved_calls"] == 3


def test_a_model_without_a_price_is_counted_and_said_to_have_none(house):
    gateway = house.gateway()
    assert gateway.chat("q", model="odd", headers=SHOP).status == 200
    wait_for(lambda: house.cost()["calls"] == 1)
    cost = house.cost()
    assert cost["usd"] == 0 and cost["unpriced_calls"] == 1 and cost["input_tokens"] > 0


def test_a_spent_budget_ends_that_clients_day_and_nobody_elses(house):
    gateway = house.gateway(budget=0.5)
    spent, answered = 0.0, 0
    while True:
        answer = gateway.chat(f"question {answered}", headers=SHOP)
        if answer.status != 200:
            break
        answered += 1
        spent += price(answer.body["usage"])
        house.usd(spent)
    per_call = spent / answered
    assert 0.5 <= spent < 0.5 + per_call * 1.5, "the call that reached it was the last one"
    assert answer.status == 429 and answer.error["code"] == "budget_spent" and answer.error["type"] == "insufficient_quota"
    now = datetime.now(timezone.utc)
    to_midnight = 86400 - (now - now.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()
    assert abs(int(answer.headers["retry-after"]) - to_midnight) < 60 and answer.headers["x-should-retry"] == "false"
    assert len(house.a.seen()) == answered
    assert gateway.chat("who else?", headers=BOT).status == 200
    wait_for(lambda: all(gateway.metric("mainstay_alert", signal="budget", severity=s) == 1 for s in ("warning", "critical")))
    row, = house.cost()["budgets"]
    assert row["client"] == "shop" and row["state"] == "spent" and math.isclose(row["spent_today_usd"], spent, rel_tol=1e-6)
    assert sum("budget of 0.50 US dollars a day is spent" in line for line in gateway.log().splitlines()) == 1
    for actor in ("metrics_aggregator", "rate_governor"):  # what they know outlives them
        gateway.ctl("drill", "crash", actor)
    assert gateway.chat("and now?", headers=SHOP).status == 429

    config = gateway.config
    config["clients"][0]["daily_usd"] = 1000
    gateway.write(config)
    gateway.ctl("reload")
    wait_for(lambda: gateway.chat("richer", headers=SHOP).status == 200)
    wait_for(lambda: gateway.metric("mainstay_alert", signal="budget", severity="warning") == 0)


def test_what_was_spent_outlives_the_process_however_it_ends(house):
    gateway = house.gateway(budget=0.1)
    assert gateway.chat("the only one", headers=SHOP).status == 200
    wait_for(lambda: gateway.chat("one more", headers=SHOP).status == 429)
    cost = house.cost()
    assert gateway.stop() == 0
    gateway = house.gateway(budget=0.1)
    assert math.isclose(house.cost()["usd"], cost["usd"], rel_tol=1e-6)
    assert gateway.chat("after the restart", headers=SHOP).status == 429
    assert gateway.chat("bot's", headers=BOT).status == 200
    wait_for(lambda: house.cost()["calls"] == cost["calls"] + 1)
    time.sleep(2.5 * SLOW)  # the promise itself: what is a moment old is written
    gateway.kill()
    gateway = house.gateway(budget=0.1)
    assert house.cost()["calls"] == cost["calls"] + 1
    assert gateway.chat("after the kill", headers=SHOP).status == 429


def test_wrong_words_are_told(house):
    gateway = house.gateway()
    assert "--by takes" in gateway.ctl("cost", "--by", "colour", check=False)["error"]
    assert "35" in gateway.ctl("cost", "--days", "400", check=False)["error"]
    text = subprocess.run([BIN / "mainstayctl", "--node", f"127.0.0.1:{gateway.admin}", "cost", "--by", "client", "--days", "7"], capture_output=True, text=True)
    assert text.returncode == 0 and "usd" in text.stdout
