"""A pure simulation, no daemon in it: clients without a gateway come upon a limit all at once and ask again on their own. For the jitters
that the daemon has no setting for (proportional ones), beside those it has. Time is counted in base delays of one second."""
import heapq
import random

from .tables import bars, number, percent, table

CAPACITY = 50  # calls that the provider lets in each second; beyond them it says 429
RETRIES = 5
CAP = 60.0


def proportional(low, high):
    return lambda delay, _, rng: delay * rng.uniform(low, high)


JITTERS = {
    "linear, none": None,
    "exponential, none": lambda delay, _, rng: delay,
    "exponential, ±10%": proportional(0.9, 1.1),
    "exponential, ±20%": proportional(0.8, 1.2),
    "exponential, ±30%": proportional(0.7, 1.3),
    "exponential, × 0.5 to 1.5": proportional(0.5, 1.5),
    "exponential, full": lambda delay, _, rng: rng.uniform(0, delay),
    "exponential, equal": lambda delay, _, rng: delay / 2 + rng.uniform(0, delay / 2),
    "exponential, decorrelated": lambda _, last, rng: min(CAP, rng.uniform(1, max(1, 3 * last))),
}


def simulated(name, calls, rng):
    """All `calls` come within a tenth of a second. How many are answered, how many more calls that took, and when the last one was answered."""
    jitter = JITTERS[name]
    due = [(rng.uniform(0, 0.1), n, 0, 1.0) for n in range(calls)]
    heapq.heapify(due)
    let_in, asked, answered, last = {}, 0, 0, 0.0
    while due:
        at, n, retry, delay = heapq.heappop(due)
        asked += 1
        if let_in.get(int(at), 0) < CAPACITY:
            let_in[int(at)] = let_in.get(int(at), 0) + 1
            answered, last = answered + 1, at
        elif retry < RETRIES:
            wait = 1.0 if jitter is None else jitter(min(CAP, 2.0 ** retry), delay, rng)
            heapq.heappush(due, (at + wait, n, retry + 1, wait))
    return {"policy": name, "calls": calls, "answered": answered / calls, "failed": calls - answered, "extra_per_call": (asked - calls) / calls, "last_s": last}


def table_of(calls):
    return [simulated(name, calls, random.Random(1)) for name in JITTERS]


def shown(rows):
    yield f"simulated, without a gateway: {number(rows[0]['calls'])} clients come at once upon a limit of {CAPACITY} a second, each asks again {RETRIES} times at most"
    yield from table(["policy", "answered", "failed", "extra calls each", "last answer after s"],
                     [[r["policy"], percent(r["answered"]), number(r["failed"]), number(r["extra_per_call"], 2), number(r["last_s"], 1)] for r in rows])
    yield ""
    yield from bars({r["policy"]: float(r["failed"]) for r in rows}, "failed")
