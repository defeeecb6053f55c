"""A key's limits hold over three nodes together, whatever is killed, frozen or cut off. With windows of a second; test_minutes.py has the minutes."""
import time

import pytest

from harness import SLOW, wait_for
from nodes import Namespaces
from windows import most, within
from world import World

LIMIT = 60           # of the key, in any second
SHARES = (.8, .15, .05)
TURN = 2.0           # seconds until the load moves on to the next node
# What leaves with the right distance arrives with less where the machine stands still in between: limits are judged over so much less than
# their windows. Whoever counts a share twice sends a third more within much less than that.
STILL = 0.25


def uneven(world, rate, seconds):
    """Callers at all nodes, more than the key allows; most of them at one, and at another one every two seconds."""
    parts = [[f"{rate * SHARES[(i + k) % 3]:.1f}/{TURN}s" for k in range(int(seconds / TURN + 0.5))] for i in range(3)]
    return [world.callers(i, "--rate", ",".join(parts[i]), "--connections", 300, "--timeout", "2s", "--header", "x-mainstay-deadline-ms: 400") for i in range(3)]


def too_many(times):
    """Windows that hold more than the limit, as text."""
    found = {window: (most(times, window - STILL), allowed) for window, allowed in ((1, LIMIT), (5, 5 * LIMIT))}
    return [f"{count} within {window} s from {since:.3f} on, {allowed} are allowed" for window, ((count, since), allowed) in found.items() if count > allowed]


def test_nodes_that_do_not_know_each_other_send_more_than_the_key_allows(tmp_path):
    """what the others here would look like without limits over nodes"""
    with World(tmp_path, {"rps": LIMIT}, joined=False) as world:
        for callers in uneven(world, 3 * LIMIT, 2):
            callers.result()
        assert too_many(world.arrivals())


@pytest.mark.skipif(not Namespaces.possible(), reason="network namespaces need root")
def test_no_second_holds_more_than_the_key_allows_whatever_is_frozen_killed_or_cut_off(tmp_path):
    with World(tmp_path, {"rps": LIMIT}, cuts=True) as world:
        begun, clock = time.monotonic(), world.clock()
        callers = uneven(world, 3 * LIMIT, 12)
        happened = world.go_through([(3, "freeze", 0), (4.2, "thaw", 0), (5, "kill", 1), (5.5, "start", 1), (7.5, "cut", 0, 2), (9, "mend", 0, 2),
                                     (9.5, "end", 2), (9.6, "start", 2)], begun)
        results = [c.result() for c in callers]
        times = world.arrivals()
        print(happened, [r["sources"] for r in results], [within(times, begun + clock + s, begun + clock + s + 1) for s in range(13)])
        assert not too_many(times)
        assert within(times, begun + clock, begun + clock + 3) >= 0.75 * 3 * LIMIT, "while all are well most of it is used"
        wait_for(world.all_up, 5)


def test_one_call_at_a_time_over_three_nodes_and_each_gets_turns(tmp_path):
    with World(tmp_path, {"concurrency": 1}) as world:
        world.mock.script({"latency_ms": 10})
        callers = [world.callers(i, "--connections", 4, "--duration", "3s", "--timeout", f"{20 * SLOW}s") for i in range(3)]
        results = [c.result() for c in callers]
        assert world.mock.stats()["keys"]["secret-p-k"]["most_open"] == 1
        assert all(r["ok"] >= 4 and not r["errors"] for r in results), [(r["ok"], r["errors"]) for r in results]
