"""Retry policies: 12.3 % of the calls fail for a moment, the provider's limit is shared and leaves little room. What each policy answers, and
what it costs. All delays are a hundredth."""
from . import herd
from .tables import bars, number, percent, table
from .world import model, provider, shrunk

NAME = "retry-policies"
TITLE = "retry policies, 12.3% transient failures, a shared limit"
FAULTY = 0.123
DAY = 100_000  # calls
USD_PER_CALL = 0.001  # the field's own: $3,000 a month at 100,000 calls a day
SHRINK = 100
STEADY = {"unhealthy": 0.0, "healthy": 0.0}  # the policy alone is looked at: nothing cuts it
REPORTED = {  # policy -> answered, failed a day, extra $ a day
    "none": (0.877, 12_300, 0), "linear": (0.945, 5_500, 11), "exponential, full": (0.992, 800, 6)}
REPORTED_NEEDED = (0.123, 0.047, 0.008)
POLICIES = {
    "none": {"max_retries": 0, "adaptive": STEADY},
    "linear": {"backoff": "linear", "jitter": "none", "adaptive": STEADY},
    **{f"exponential, {jitter}": {"jitter": "none" if jitter == "no jitter" else jitter, "adaptive": STEADY} for jitter in ("no jitter", "full", "equal", "decorrelated")},
    "as shipped": {},
}


def replay(world, policy, calls, rate):
    world.tell(f"{NAME}: {policy}")
    mock = world.mock("shared", {"limits": {"rps": round(rate * 1.4)}}, {"probability": FAULTY, "status": 503})
    circuit = {"failure_threshold": 10000}  # five in a row are chance here, and the breaker is looked at elsewhere
    gateway = world.gateway([provider(mock, breaker=circuit)], model(mock), retry={**shrunk(SHRINK), **POLICIES[policy]})
    seen = world.asked(gateway, "--rate", rate, "--requests", calls)
    times, attempts = mock.times_asked(), mock.asked()
    needed = [sum(n for asked, n in times.items() if asked > k) / seen.calls for k in (1, 2, 3)]
    refused = mock.get("stats")["results"].get("limit", 0)
    gateway.stop()
    mock.stop()
    extra = (attempts - seen.calls) / seen.calls * DAY
    return {"policy": policy, "calls": seen.calls, "answered": seen.share, "failed_a_day": (1 - seen.share) * DAY, "extra_a_day": extra,
            "extra_usd_a_day": extra * USD_PER_CALL, "needed": needed, "limited": refused, "p95_ms": seen.quantile_ms(0.95)}


def measure(world, short):
    calls, rate, policies = (120, 200, ["none", "exponential, full"]) if short else (DAY, 5000, POLICIES)
    return {"rows": [replay(world, policy, calls, rate) for policy in policies], "herd": herd.table_of(calls=200 if short else 1000)}


def row(r):
    answered, failed, usd = REPORTED.get(r["policy"], (None,) * 3)
    needed = REPORTED_NEEDED if r["policy"] == "exponential, full" else (None,) * 3
    retries = [text for ours, theirs in zip(r["needed"], needed) for text in (percent(ours, 2), percent(theirs))]
    return [r["policy"], percent(r["answered"], 2), percent(answered), number(r["failed_a_day"]), number(failed), number(r["extra_a_day"]),
            number(r["extra_usd_a_day"], 1), number(usd), *retries, number(r["limited"]), number(r["p95_ms"], 1)]


def shown(result):
    yield "all a day of 100,000 calls"
    yield from table(["policy", "answered", "field", "failed", "field", "extra calls", "extra $", "field", "1st retry", "field", "2nd", "field", "3rd", "field", "429s met", "p95 ms"],
                     [row(r) for r in result["rows"]])
    yield ""
    yield from bars({r["policy"]: r["failed_a_day"] for r in result["rows"]}, "failed of 100,000")
    yield ""
    yield from herd.shown(result["herd"])
