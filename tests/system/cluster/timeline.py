"""A plain SVG of a run: how many requests came in the last minute, the limit, and what was done to the cluster meanwhile."""
from windows import within

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 370, 64, 20, 72, 46
OF = {"freeze": "thaw", "kill": "start", "cut": "mend", "end": "start"}  # what ends it
WORDS = {"freeze": "frozen", "kill": "killed", "cut": "cut", "end": "restarted"}


def troubles(happened):
    """(begin, end, words) of each, from what World.go_through gave."""
    out, left = [], list(happened)
    for at, what, *whom in happened:
        if what in OF:
            mended = next(row for row in left if row[1] == OF[what] and list(row[2:]) == whom and row[0] >= at)
            left.remove(mended)
            out.append((at, mended[0], f"{'-'.join(str(w) for w in whom)} {WORDS[what]}"))
    return out


def svg(times, happened, seconds, limit):
    """`times` and `happened` in seconds since the load began."""
    top = limit * 1.1

    def x(t):
        return round(LEFT + t / seconds * (WIDTH - LEFT - RIGHT), 1)

    def y(v):
        return round(HEIGHT - BOTTOM - v / top * (HEIGHT - TOP - BOTTOM), 1)

    def line(points, colour, width):
        path = "L".join(f"{x(t)} {y(v)}" for t, v in points)
        return f'<path fill="none" stroke-width="{width}" stroke="{colour}" d="M{path}"/>'

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="#fff"/>',
           f'<text x="{LEFT}" y="20" font-size="14">Three nodes, a key of {limit} a minute, 900 asked for: arrivals at the provider</text>']
    for i, (begin, end, words) in enumerate(troubles(happened)):
        out.append(f'<rect x="{x(begin)}" y="{TOP}" width="{max(2, round(x(end) - x(begin), 1))}" height="{HEIGHT - TOP - BOTTOM}" fill="#fde7c7"/>')
        out.append(f'<text x="{x(begin)}" y="{TOP - 6 - 12 * (i % 3)}" font-size="10" fill="#9a6700">{words}</text>')
    for v in range(0, int(top) + 1, limit // 6):
        out.append(f'<path d="M{LEFT} {y(v)}H{WIDTH - RIGHT}" stroke="#ddd"/><text x="{LEFT - 6}" y="{y(v) + 4}" text-anchor="end">{v}</text>')
    for t in range(0, int(seconds) + 1, 60):
        out.append(f'<text x="{x(t)}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{t}</text>')
    for v, colour in ((limit, "#d1242f"), (limit * 0.9, "#1a7f37")):
        out.append(f'<path d="M{LEFT} {y(v)}H{WIDTH - RIGHT}" stroke="{colour}" stroke-dasharray="5 4"/>')
    ends = range(2, int(seconds) + 1, 2)
    out.append(line([(t, within(times, t - 60, t)) for t in ends], "#1f6feb", 2))
    out.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 10}" text-anchor="middle">seconds</text>')
    out.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - BOTTOM - 8}" text-anchor="end" fill="#1f6feb">within the last 60 s</text></svg>')
    return "\n".join(out) + "\n"
