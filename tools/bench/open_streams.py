"""What waiting costs: CPU per delta and memory while streams are open, and a daemon that nobody asks."""
import contextlib
import time

import load
from meters import cpu_seconds, resident_bytes
from programs import Invalid, wait_until
from quantity import Quantity


class OpenStreams:
    """A few fast streams and many slow ones send equally many deltas a second: what differs is how many are open."""
    name = "open-streams"
    sections = None
    most_rounds = 3

    def __init__(self, size):
        few, many, half = size.few, size.many, size.many // 2
        self.title = f"{few} and {many} open streams, fresh processes"
        self.quantities = (
            Quantity("few_us", f"CPU per delta, {few} open", "µs", "ratio"),
            Quantity("many_us", f"CPU per delta, {many} open", "µs", "ratio"),
            Quantity("growth", f"CPU per delta, {many} open by {few} open", "times", "own", 1.3),
            Quantity("half_kb", f"memory per stream, {half} open", "KB", "own", 40),
            Quantity("many_kb", f"memory per stream, {many} open", "KB", "own", 40),
            Quantity("before_mb", "memory before", "MB", "own"),
            Quantity("after_mb", f"memory {size.settle:g} s after they ended", "MB", "own"),
        )

    def prepare(self, stage):
        pass  # its programs are fresh in each round

    def round(self, stage, turned):
        sides = [("nginx", stage.new_nginx), ("mainstay", stage.new_mainstay)]
        return {name: self.measure(stage, start()) for name, start in (reversed(sides) if turned else sides)}

    def measure(self, stage, program):
        size = stage.size
        load.run(stage.directory, program.door, "plain-1k", seconds=size.warm)
        load.run(stage.directory, program.streams, "stream-0ms", seconds=size.warm, stream=True)
        before = resident_bytes(program.pids)
        with self.opened(stage, program, "slow-few", size.few, 0):
            few = self.cpu_per_delta(stage, program, size.few)
        with self.opened(stage, program, "slow-many", size.many // 2, 0):
            half = resident_bytes(program.pids) - before
            with self.opened(stage, program, "slow-many", size.many - size.many // 2, size.many // 2):
                many = self.cpu_per_delta(stage, program, size.many)
                all = resident_bytes(program.pids) - before
        time.sleep(size.settle)
        after = resident_bytes(program.pids)
        program.stop()
        return {"few_us": few * 1e6, "many_us": many * 1e6, "growth": many / few, "half_kb": half / 1000 / (size.many // 2),
                "many_kb": all / 1000 / size.many, "before_mb": before / 1e6, "after_mb": after / 1e6}

    @contextlib.contextmanager
    def opened(self, stage, program, model, count, others):
        """So many more streams, all open when it begins, all completely answered when it ends."""
        open_ones = load.Load(stage.directory, program.streams, model, connections=count, requests=count, stream=True)
        try:
            wait_until(f"{count + others} open streams", lambda: stage.mock.stats()["open"] >= count + others)
            time.sleep(stage.size.window / 4)  # the work of opening is over
            yield
            open_ones.report()
        finally:
            open_ones.stop()

    def cpu_per_delta(self, stage, program, count):
        cpu, deltas = cpu_seconds(program.pids), stage.mock.stats()["tokens_sent"]
        time.sleep(stage.size.window)
        used, now = cpu_seconds(program.pids) - cpu, stage.mock.stats()
        if now["open"] < count:
            raise Invalid(f"only {now['open']} of {count} streams lasted as long as the measurement")
        return used / (now["tokens_sent"] - deltas)


class Idle:
    name = "idle"
    title = "a daemon that nobody asks"
    sections = None
    most_rounds = 2
    quantities = (Quantity("percent", "CPU of one core", "%", "own", 3), Quantity("mb", "memory", "MB", "own", 40))

    def prepare(self, stage):
        pass

    def round(self, stage, turned):
        daemon = stage.new_mainstay()
        time.sleep(min(1, stage.size.idle))  # the work of starting is over
        before = cpu_seconds(daemon.pids)
        began = time.monotonic()
        time.sleep(stage.size.idle)
        used = (cpu_seconds(daemon.pids) - before) / (time.monotonic() - began)
        memory = resident_bytes(daemon.pids)
        daemon.stop()
        return {"mainstay": {"percent": used * 100, "mb": memory / 1e6}}
