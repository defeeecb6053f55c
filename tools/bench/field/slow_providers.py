"""A hundred requests from twenty workers, against providers that take 5 to 10 s, or fail 30 % of the time, or both; a second is a fortieth.
The hundred are asked several times over, so that one lucky draw says little."""
from .tables import bars, number, percent, table
from .world import model, ms, provider, shrunk

NAME = "slow-providers"
TITLE = "a hundred requests from twenty workers against slow and failing providers"
SHRINK = 40
SLOW_ONE = {"latency_ms": {"dist": "uniform", "min": 5000 / SHRINK, "max": 10_000 / SHRINK}}
QUICK_ONE = {"latency_ms": 500 / SHRINK}
FAILING = {"probability": 0.3, "status": 503}
RETRY = shrunk(SHRINK)
BREAKER = {"recovery_timeout": ms(30_000 / SHRINK)}
PROVIDERS = {"slow": [SLOW_ONE], "failing 30%": [QUICK_ONE, FAILING], "slow and failing 30%": [SLOW_ONE, FAILING]}


def replay(world, kind, fallback, requests, rounds):
    how = f"{kind}, {'and a fallback' if fallback else 'alone'}"
    world.tell(f"{NAME}: {how}")
    a = world.mock("a", *PROVIDERS[kind])
    b = world.mock("b", QUICK_ONE)
    gateway = world.gateway([provider(m, breaker=BREAKER, rest=ms(60_000 / SHRINK)) for m in (a, b)], model(a, fallbacks=[b] if fallback else []), retry=RETRY, deadline=ms(120_000 / SHRINK))
    seen = [world.asked(gateway, "--connections", 20, "--requests", requests) for _ in range(rounds)]
    total = seen[0]
    for more in seen[1:]:
        total = total + more
    for program in (gateway, a, b):
        program.stop()
    return {"providers": how, "calls": total.calls, "answered": total.share, "degraded": total.sources.get("fallback", 0) / total.calls, "mean_s": total.mean_ms / 1000 * SHRINK,
            "p95_s": total.quantile_ms(0.95) / 1000 * SHRINK, "rounds_s": [one.seconds * SHRINK for one in seen]}


def measure(world, short):
    requests, rounds = (40, 1) if short else (100, 3)
    return {"rows": [replay(world, kind, fallback, requests, rounds) for kind in (list(PROVIDERS)[1:2] if short else PROVIDERS) for fallback in (False, True)]}


def shown(result):
    yield "times as if uncompressed; the field gives no figures here"
    yield from table(["providers", "asked", "answered", "degraded", "mean s", "p95 s"],
                     [[r["providers"], number(r["calls"]), percent(r["answered"], 2), percent(r["degraded"]), number(r["mean_s"], 2), number(r["p95_s"], 2)] for r in result["rows"]])
    yield ""
    yield from bars({r["providers"]: r["p95_s"] for r in result["rows"]}, "s p95")
