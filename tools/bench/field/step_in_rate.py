"""From 200 to 15,000 requests a second in three seconds, against keys that allow far less than that: who is answered, and how long it takes
until all is well again after the rush. Rates are a tenth of the field's; times are not compressed."""
from .tables import bars, number, over_time, percent, table
from .world import model, provider

NAME = "step"
TITLE = "a step in the rate against limited keys"
KEYS = 4
DEADLINE = "10s"
WELL_MS = 250  # a median below it, and nobody refused: all is well
POLICIES = {  # -> do we know the keys' limits; the retry section; is there room in the queue; is there a fallback
    "none": (False, {"max_retries": 0}, 1, False),
    "linear": (False, {"backoff": "linear", "jitter": "none"}, 10_000, False),
    "exponential, full": (False, {}, 10_000, False),
    "limits known, queue": (True, {}, 10_000, False),
    "limits known, queue, fallback": (True, {"failover_wait": "500ms"}, 10_000, True),
}
REPORTED = {"linear": 45, "exponential, full": 8}  # s to recover from 429s


def recovered_after(timeline, calm):
    """Seconds from `calm`, when the rush is over, to the end of the last second in which someone was refused or waited long."""
    troubled = [row["second"] + 1 for row in timeline if row["errors"] or row["p50_us"] > WELL_MS * 1000]
    return max(0, max(troubled, default=0) - calm)


def replay(world, policy, size):
    world.tell(f"{NAME}: {policy}")
    known, retry, room, fallback = POLICIES[policy]
    limit = {"rps": size["limit"]}
    mock = world.mock("limited", {"limits": limit}, {"latency_ms": 5})
    mocks = [mock] + ([world.mock("other", {"limits": {"rps": size["limit"] * KEYS}}, {"latency_ms": 5})] if fallback else [])
    providers = [provider(mock, [limit if known else {}] * KEYS)] + [provider(m, [{"rps": size["limit"] * KEYS}]) for m in mocks[1:]]
    gateway = world.gateway(providers, model(mock, fallbacks=mocks[1:]), retry=retry, deadline=DEADLINE, queue={"capacity": room})
    low, high, before, rise, top, after = (size[k] for k in ("low", "high", "before", "rise", "top", "after"))
    seen = world.asked(gateway, "--rate", f"{low}/{before}s,step:{low}..{high}/{rise}s,{high}/{top}s,{size['calm']}/{after}s", "--connections", 12_000)
    met = sum(m.get("stats")["results"].get("limit", 0) for m in mocks)
    for program in (gateway, *mocks):
        program.stop()
    return {"policy": policy, "calls": seen.calls, "answered": seen.share, "limited": met, "p95_ms": seen.quantile_ms(0.95),
            "recovered_s": recovered_after(seen.timeline, before + rise + top), "sources": seen.sources, "timeline": seen.timeline}


FULL = {"low": 20, "high": 1500, "before": 1, "rise": 3, "top": 1, "calm": 200, "after": 6, "limit": 125}
SHORT = {"low": 20, "high": 200, "before": 1, "rise": 1, "top": 1, "calm": 20, "after": 1, "limit": 20}


def measure(world, short):
    size, policies = (SHORT, ["limits known, queue"]) if short else (FULL, POLICIES)
    return {"size": size, "rows": [replay(world, policy, size) for policy in policies]}


def shown(result):
    size = result["size"]
    yield (f"{size['low']} a second, then to {size['high']} within {size['rise']} s and so for {size['top']} s more, then {size['calm']} a second; "
           f"{KEYS} keys of {size['limit']} a second; deadline {DEADLINE}")
    yield from table(["policy", "answered", "recovered after s", "field", "429s met at the provider", "p95 ms"],
                     [[r["policy"], percent(r["answered"]), number(r["recovered_s"]), number(REPORTED.get(r["policy"])), number(r["limited"]), number(r["p95_ms"])]
                      for r in result["rows"]])
    yield ""
    yield from bars({r["policy"]: 100 * r["answered"] for r in result["rows"]}, "% answered")
    for r in result["rows"][1:4:2] or result["rows"]:
        yield f"\n{r['policy']}: answered (#) and refused (!), second by second"
        yield from over_time(r["timeline"])
