"""What the moments of requests say of a limit. Pure: seconds in, counts out."""
import bisect


def most(times, window):
    """The most that ever came within `window` seconds, and when that window began. What comes exactly `window` after another is not in one with it."""
    times, best, since, first = sorted(times), 0, None, 0
    for last, t in enumerate(times):
        while times[first] <= t - window:
            first += 1
        if last - first + 1 > best:
            best, since = last - first + 1, times[first]
    return best, since


def within(times, begin, end):
    """How many came from `begin` on and before `end`; `times` are in order."""
    return bisect.bisect_left(times, end) - bisect.bisect_left(times, begin)


def least(times, window, begin, end, step):
    """The fewest in a window that begins every `step` from `begin` on and ends by `end`, and when that one began."""
    times, found, t = sorted(times), None, begin
    while t + window <= end + 1e-9:
        count = within(times, t, t + window)
        if found is None or count < found[0]:
            found = count, t
        t += step
    return found
