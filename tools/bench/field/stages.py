"""From a single key to everything: throughput when far too many come, then latency and availability a little below the field's own figures.
A second is a twentieth: 100 requests a minute are 33 a second, an answer takes 100 ms instead of 2 s; one call in twenty fails."""
from .retry_policies import USD_PER_CALL
from .tables import bars, number, percent, table
from .world import model, ms, provider, shrunk

NAME = "stages"
TITLE = "single key; several keys; queue and cache; everything"
SHRINK = 20
KEY = {"rps": 33}  # 100 a minute, compressed
ANSWER = {"latency_ms": {"dist": "lognormal", "median": 2000 / SHRINK, "sigma": 0.286}}  # p95 3.2 s, the field's with a single key
FAULT = {"probability": 0.05, "status": 503}
EQUAL = 0.8  # of the questions were asked before: the field's share of calls that its cache saved
RETRY = shrunk(SHRINK)
NO_QUEUE = {"retry": {**RETRY, "max_retries": 0}, "queue": {"capacity": 1}}
QUEUE = {"retry": RETRY, "cache": {"ttl": "1h"}, "deadline": ms(60_000 / SHRINK)}
STAGES = {  # -> keys, a second provider, sections, the field's: requests a second, p95 s, availability, $ a month
    "single key": (1, False, NO_QUEUE, (1.67, 3.2, 0.95, 3000)),
    "several keys": (3, False, NO_QUEUE, (5.0, 2.8, 0.97, 9000)),
    "queue and cache": (3, False, QUEUE, (16.7, 1.2, 0.995, 3500)),
    "everything": (3, True, QUEUE, (33.3, 0.8, 0.999, 4200)),
}
MONTH = 30 * 100_000  # calls


def traffic(world, gateway, rate, seconds):
    """A fifth new questions, the rest asked before, as two loads at once."""
    new = world.load(gateway, "--rate", round(rate * (1 - EQUAL)), "--duration", f"{seconds}s", "--connections", 6000)
    old = world.load(gateway, "--rate", round(rate * EQUAL), "--duration", f"{seconds}s", "--same", "--connections", 6000)
    seen = new.outcome() + old.outcome()
    gateway.settle()
    return seen


def throughput(seen, seconds):
    """Answers a second while the rush lasts, without its first second, in which what was saved up in quiet is spent."""
    return sum(row["ok"] for one in seen.seen for row in one["timeline"] if 1 <= row["second"] < seconds) / (seconds - 1)


def replay(world, stage, seconds):
    world.tell(f"{NAME}: {stage}")
    keys, second, sections, reported = STAGES[stage]
    mocks = [world.mock(name, {"limits": KEY}, ANSWER, FAULT) for name in (("a", "b") if second else ("a",))]
    gateway = world.gateway([provider(m, [KEY] * keys, rest=ms(60_000 / SHRINK), breaker={"recovery_timeout": ms(30_000 / SHRINK)}) for m in mocks], model(*mocks[:1], fallbacks=mocks[1:]), **sections)
    steady = traffic(world, gateway, reported[0] * SHRINK * 0.9, seconds)
    calls = sum(m.asked() for m in mocks)
    rush = traffic(world, gateway, 1.3 * SHRINK * 33.3, seconds)
    limited = [m.get("stats")["results"].get("limit", 0) for m in mocks]
    for program in (gateway, *mocks):
        program.stop()
    per_request = calls / steady.calls
    return {"stage": stage, "calls": steady.calls, "requests_a_second": throughput(rush, seconds) / SHRINK, "rush_answered": rush.share, "p95_s": steady.quantile_ms(0.95) / 1000 * SHRINK,
            "mean_s": steady.mean_ms / 1000 * SHRINK, "availability": steady.share, "usd_a_month": per_request * MONTH * USD_PER_CALL, "saved": steady.sources["cache"] / steady.calls, "sources": steady.sources,
            "limited": sum(limited)}


def measure(world, short):
    return {"rows": [replay(world, stage, 2 if short else 4) for stage in (list(STAGES)[-1:] if short else STAGES)]}


def shown(result):
    rows = []
    for r in result["rows"]:
        rate, p95, availability, usd = STAGES[r["stage"]][3]
        rows.append([r["stage"], number(r["requests_a_second"], 2), number(rate, 2), percent(r["rush_answered"]), number(r["p95_s"], 2), number(p95, 1), percent(r["availability"], 2),
                     percent(availability), number(r["usd_a_month"]), number(usd), percent(r["saved"]), "80%" if r["stage"] == "queue and cache" else "-"])
    yield from table(["stage", "requests a second", "field", "of the rush", "p95 s", "field", "availability", "field", "$ a month", "field", "calls saved", "field"], rows)
    yield ""
    yield from bars({r["stage"]: r["requests_a_second"] for r in result["rows"]}, "requests a second")
