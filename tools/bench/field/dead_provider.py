"""One provider is dead for two hours, killed and later started again; a minute is a tenth of a second, so the two hours are twelve seconds.
Who is answered, by whom, and how soon the breaker closes when it is back."""
import time

from programs import SLOW, Invalid

from .tables import bars, number, over_time, percent, table
from .world import model, ms, provider, shrunk

NAME = "dead-provider"
TITLE = "one provider dead for two hours"
SHRINK = 600
OUTAGE_S = 7200 / SHRINK
RETRY = shrunk(SHRINK)
BREAKER = {"recovery_timeout": ms(30_000 / SHRINK)}
LAYOUTS = ("alone", "with a fallback", "two equals")
REPORTED = "at least 95% with one API down, 99.9% availability"


def seconds_until_closed(gateway):
    """From now, when the provider listens again, until every circuit of it is closed."""
    began = time.monotonic()
    while any(gateway.breaker_states("a")):
        if time.monotonic() - began > 30 * SLOW:
            raise Invalid("the breaker of a provider that is back does not close")
        time.sleep(0.005)
    return time.monotonic() - began


def replay(world, layout, rate, before, outage, after):
    world.tell(f"{NAME}: {layout}")
    a, b = world.mock("a", {"latency_ms": 2}), world.mock("b", {"latency_ms": 2})
    who = {"alone": model(a), "with a fallback": model(a, fallbacks=[b]), "two equals": model(a, b)}[layout]
    more = {"breaker": BREAKER, "rest": ms(60_000 / SHRINK)}
    gateway = world.gateway([provider(a, **more), provider(b, **more)], who, retry=RETRY, deadline=ms(120_000 / SHRINK))
    load = world.load(gateway, "--rate", rate, "--duration", f"{before + outage + after}s")
    time.sleep(before)
    a.die()
    time.sleep(outage)
    a.begin()
    closed = seconds_until_closed(gateway)
    seen = load.outcome()
    gateway.settle()
    for program in (gateway, a, b):
        program.stop()
    during = [row for row in seen.timeline if before <= row["second"] < before + outage]
    answered = sum(row["ok"] for row in during)
    return {"layout": layout, "calls": seen.calls, "answered": seen.share, "answered_dead": answered / max(1, answered + sum(row["errors"] for row in during)),
            "sources": seen.sources, "closed_ms": closed * 1000, "closed_real_s": closed * SHRINK, "p95_ms": seen.quantile_ms(0.95), "timeline": seen.timeline}


def measure(world, short):
    rate, before, outage, after = (100, 1, 1, 1) if short else (200, 2, round(OUTAGE_S), 2)
    return {"rows": [replay(world, layout, rate, before, outage, after) for layout in (LAYOUTS[1:2] if short else LAYOUTS)]}


def shown(result):
    yield f"the field: {REPORTED}"
    yield from table(["the dead one stood", "answered", "while it was dead", "primary", "backup", "fallback", "p95 ms", "breaker closed after ms", "uncompressed s"],
                     [[r["layout"], percent(r["answered"], 2), percent(r["answered_dead"], 2), *(percent(r["sources"].get(s, 0) / r["calls"]) for s in ("primary", "backup", "fallback")),
                       number(r["p95_ms"], 1), number(r["closed_ms"]), number(r["closed_real_s"])] for r in result["rows"]])
    yield ""
    yield from bars({r["layout"]: 100 * r["answered_dead"] for r in result["rows"]}, "% answered while it was dead")
    for r in result["rows"][:2]:
        yield f"\n{r['layout']}: answered (#) and refused (!), second by second"
        yield from over_time(r["timeline"])
