"""A measured quantity, how its values are compared, and what is meant to hold. Pure."""
import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Quantity:
    key: str  # of the sides' values
    label: str
    unit: str
    judged: str  # "ratio": the daemon's by that of `base`; "added": a side's less the direct one's; "own": the daemon's as it is
    target: float | None = None  # at most; None: for information
    base: str = "nginx"  # of a ratio: the other side


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summary(quantity, rounds):
    """`rounds`: side -> key -> value, one per round. What is judged is computed within each round, then the median of that is taken."""
    sides = {side: spread([r[side][quantity.key] for r in rounds]) for side in rounds[0] if side != "direct" or quantity.judged == "added"}
    out = {"quantity": quantity.label, "unit": quantity.unit, "judged": quantity.judged, "target": quantity.target, "base": quantity.base,
           "sides": sides}
    if quantity.judged == "own":
        out["result"] = sides["mainstay"]
    elif quantity.judged == "ratio":
        out["result"] = spread([r["mainstay"][quantity.key] / r[quantity.base][quantity.key] for r in rounds])
    else:
        out["added"] = {side: spread([r[side][quantity.key] - r["direct"][quantity.key] for r in rounds]) for side in sides if side != "direct"}
        out["result"] = out["added"]["mainstay"]
    out["holds"] = None if quantity.target is None else out["result"]["median"] <= quantity.target
    return out
