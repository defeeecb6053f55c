"""Tables with aligned columns, and plots made of characters. Pure but for the terminal's colours."""
import re

from report import painted

ESCAPES = re.compile("\033\\[[0-9;]*m")


def width(text):
    return len(ESCAPES.sub("", text))


def table(columns, rows):
    """`rows`: lists of texts, as many as `columns`. The first column is words and stands left, the others right."""
    sizes = [max(width(cell) for cell in column) for column in zip(columns, *rows)]

    def line(cells):
        return "  ".join(cell + " " * (size - width(cell)) if n == 0 else " " * (size - width(cell)) + cell for n, (cell, size) in enumerate(zip(cells, sizes))).rstrip()
    yield line([painted(c, "head") for c in columns])
    yield "  ".join("-" * size for size in sizes)
    yield from (line(row) for row in rows)


def percent(share, digits=1):
    return "-" if share is None else f"{100 * share:.{digits}f}%"


def number(value, digits=0):
    return "-" if value is None else f"{value:,.{digits}f}"


def bars(values, unit, size=50):
    """`values`: name -> number; the longest bar is the largest."""
    names, top = max(map(len, values)), max(values.values()) or 1
    for name, value in values.items():
        filled = round(value / top * size)
        yield f"{name:<{names}}  {painted('#' * filled, 'good')}{' ' * (size - filled)} {value:,.1f} {unit}"


def over_time(timeline, size=60):
    """Second by second: # answered, ! refused."""
    yield f"{'second':>8} {'ok':>7} {'refused':>7}"
    top = max((row["ok"] + row["errors"] for row in timeline), default=0) or 1
    for row in timeline:
        ok, failed = (round(row[k] / top * size) for k in ("ok", "errors"))
        failed = max(failed, 1) if row["errors"] else 0
        yield f"{row['second']:>6} s {row['ok']:>7} {row['errors']:>7}  {painted('#' * ok, 'good')}{painted('!' * failed, 'bad')}"
