"""The load to come: shown always, and acted upon where the configuration says so."""
import sqlite3
import subprocess
import threading

from harness import BIN, FAST, model, provider, wait_for

THRESHOLDS = {"medium_tokens": 200, "high_tokens": 500}


def config(mock, **more):
    return {"providers": [provider("p", mock, ({"name": "k", "rpm": 20},))], "models": [model("smart", "p/m")], "retry": FAST,
            "cache": {"ttl": "1h"}, **more}


def ask(gateway, count, name, level="high"):
    for i in range(count):
        question = f"{name} {i}"
        answer = gateway.chat(question, headers={"x-mainstay-priority": level})
        assert answer.complete(question), answer


def waiting(gateway, level):
    return {row["level"]: row["waiting"] for row in gateway.ctl("queue")["queue"]}[level]


def test_under_high_load_answers_live_longer_and_the_least_urgent_wait(start):
    mock = start.mock()
    gateway = start.gateway(config(mock, forecast=THRESHOLDS))
    life = lambda: gateway.ctl("cache")["fresh_for_seconds"]
    wait_for(lambda: life() == 1800)
    assert gateway.metric("mainstay_alert", signal="forecast_high", severity="warning") == 0
    ask(gateway, 16, "morning")
    load = wait_for(lambda: (f := gateway.ctl("forecast"))["level"] == "high" and f)
    assert load["held_back"] == "low and normal" and load["suggested_keys"] == 5 and load["total_tpm"] == "unknown", load
    assert load["acts"] == "yes" and load["high_from"] == "500" and load["tokens_per_minute"][0]["tokens"] >= 500, load
    wait_for(lambda: life() == 7200)
    wait_for(lambda: gateway.metric("mainstay_alert", signal="forecast_high", severity="warning") == 1)
    assert gateway.metric("mainstay_forecast_tokens", horizon="15m") > 0
    assert gateway.log().count("load is high") == 1

    for actor in ("metrics_aggregator", "cache_actor", "rate_governor"):
        gateway.ctl("drill", "crash", actor)
    wait_for(lambda: sum(a["restarts"] for a in gateway.ctl("actors")["actors"]) == 3)
    wait_for(lambda: life() == 7200)

    answers = {}
    late = threading.Thread(target=lambda: answers.update(low=gateway.chat("late", headers={"x-mainstay-priority": "low"})))
    late.start()
    wait_for(lambda: waiting(gateway, "low") == 1)
    ask(gateway, 3, "urgent")
    assert not answers and waiting(gateway, "low") == 1
    gateway.write({key: value for key, value in gateway.config.items() if key != "forecast"})
    gateway.ctl("reload")  # nothing is done about the load any more
    late.join(20)
    assert answers["low"].complete("late"), answers
    assert life() == 3600 and gateway.ctl("forecast")["held_back"] == "nobody"
    wait_for(gateway.at_rest)


def test_without_the_section_the_load_is_shown_and_nothing_is_done_about_it(start):
    mock = start.mock()
    gateway = start.gateway({**config(mock), "providers": [provider("p", mock, ({"name": "k", "rpm": 20, "tpm": 100_000},))]})
    ask(gateway, 10, "question", "low")
    load = wait_for(lambda: (f := gateway.ctl("forecast"))["tokens_per_minute"][0]["tokens"] > 500 and f)
    assert load["acts"].startswith("no") and load["level"] == "low" and load["total_tpm"] == "100000", load
    assert load["medium_from"] == "50000" and load["high_from"] == "100000" and load["suggested_keys"] == 1, load
    assert gateway.ctl("cache")["fresh_for_seconds"] == 3600
    shown = subprocess.run([BIN / "mainstayctl", "--node", f"127.0.0.1:{gateway.admin}", "forecast"], capture_output=True, text=True)
    assert "day ahead" in shown.stdout.lower() and "####" in shown.stdout, shown.stdout
    assert any(c["command"] == "forecast" for c in gateway.ctl("help")["commands"])


def test_what_a_week_has_taught_outlives_the_process(start, tmp_path):
    mock, path = start.mock(), tmp_path / "state.db"
    begin = lambda: start.gateway(config(mock, state={"path": str(path)}))
    first = begin()
    assert first.ctl("forecast")["hours_known"] == 0
    assert first.stop() == 0
    with sqlite3.connect(path) as db:
        db.executemany("INSERT INTO load_hours VALUES (?, ?, ?)", [(hour, 60_000, 3) for hour in range(168)])
    db.close()
    second = begin()
    load = second.ctl("forecast")
    assert load["hours_known"] == 168 and len(load["day_ahead"]) == 24, load
    assert load["day_ahead"][-1]["tokens"] > 50_000, load  # what it does not see now says little of tomorrow
    assert second.stop() == 0
    db = sqlite3.connect(path)
    assert db.execute("SELECT count(*), min(tokens_per_minute), min(weeks) FROM load_hours").fetchone() == (168, 60_000, 3)
    db.close()
