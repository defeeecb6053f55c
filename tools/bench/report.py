"""The results as a person reads them: a table, and bars with the target on them. Colours on a terminal only."""
import os
import sys

COLOURS = {"good": "32", "bad": "31;1", "dim": "2", "head": "1"}


def painted(text, colour):
    on = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return f"\033[{COLOURS[colour]}m{text}\033[0m" if on else text


def number(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def with_spread(spread):
    if spread["min"] == spread["max"]:
        return number(spread["median"])
    return f"{number(spread['median'])} ({number(spread['min'])} to {number(spread['max'])})"


def result_unit(row):
    return {"ratio": f"times {row['base']}", "added": row["unit"] + " added", "own": row["unit"]}[row["judged"]]


def verdict(row):
    if row["holds"] is None:
        return ""
    return painted(f"at most {row['target']:g}: holds", "good") if row["holds"] else painted(f"at most {row['target']:g}: MISSED", "bad")


def table(scenario):
    """The lines of one scenario's results."""
    yield painted(scenario["name"], "head") + f"  {scenario['title']}"
    for row in scenario["rows"]:
        sides = ", ".join(f"{side} {with_spread(s)}" for side, s in row["sides"].items())
        yield f"  {row['quantity']}, {row['unit']}: {sides}"
        if "nginx" in row.get("added", ()):
            yield painted("    nginx adds " + with_spread(row["added"]["nginx"]), "dim")
        if row["judged"] == "own":
            if row["holds"] is not None:
                yield f"    {verdict(row)}"
        else:
            yield f"    {with_spread(row['result'])} {result_unit(row)}  {verdict(row)}"


def bars(scenarios, width=40):
    """One bar per result with a target; the bar's scale is the target's: `|` stands where it is reached."""
    rows = [(s["name"], r) for s in scenarios for r in s["rows"] if r["target"]]
    names = [f"{name}: {r['quantity']}" for name, r in rows]
    longest = max((len(n) for n in names), default=0)
    mark = width * 2 // 3
    for name, (_, row) in zip(names, rows):
        filled = min(width, max(0, round(row["result"]["median"] / row["target"] * mark)))
        cells = ["#" if i < filled else "." for i in range(width)]
        cells[mark] = "|"
        bar = painted("".join(cells), "good" if row["holds"] else "bad")
        yield f"{name:<{longest}}  {bar} {number(row['result']['median'])} {result_unit(row)}, at most {row['target']:g}"


def markdown(scenarios):
    """The rows of the table of results in docs/performance.md."""
    for scenario in scenarios:
        for row in scenario["rows"]:
            sides = row["added"] if row["judged"] == "added" else row["sides"]
            nginx, daemon = (number(sides[side]["median"]) if side in sides else "" for side in (row["base"], "mainstay"))
            times = " times" if row["judged"] == "ratio" else ""
            ratio = with_spread(row["result"]) + times if times else ""
            target = "" if row["target"] is None else f"{row['target']:g}{times}"
            what = row["quantity"] + (", added" if row["judged"] == "added" else "")
            yield f"| `{scenario['name']}` | {what}, {row['unit']} | {nginx} | {daemon} | {ratio} | {target} |"


def curve(points, unit, width=72, height=10):
    """A plot of (seconds, value), from zero up."""
    end, top = points[-1][0], max(v for _, v in points)
    columns = [[] for _ in range(width)]
    for t, v in points:
        columns[min(width - 1, int(t / end * width))].append(v)
    levels, last = [], points[0][1]
    for column in columns:
        last = sum(column) / len(column) if column else last
        levels.append(round(last / top * height))
    for row in range(height, 0, -1):
        yield f"{top * row / height:8.1f} {unit} |" + "".join("#" if level >= row else " " for level in levels)
    yield " " * (10 + len(unit)) + "+" + "-" * width
    yield " " * (11 + len(unit)) + f"0{end:>{width - 3}.0f} s"
