"""What is measured under a load of one kind: CPU per request, latency, first token. A scenario gives one set of values per round; within
a round its sides take turns, so that whatever else the machine does meets them all."""
import dataclasses

import load
from meters import cpu_seconds
from observed import Observed, Scraped
from open_streams import Idle, OpenStreams
from programs import Invalid
from quantity import Quantity
from translated import translations


def cpu(target=None, of="request"):
    return Quantity("cpu_us", f"CPU per {of}", "µs", "ratio", target)


@dataclasses.dataclass(frozen=True)
class Loaded:
    name: str
    title: str
    quantities: tuple
    load: dict  # options of load.Load
    streams: bool = False  # through the proxies' doors for streams
    queue: bool = False  # the daemon's ZeroMQ door
    direct: bool = False  # the mock itself is a side too
    cached: bool = False  # the daemon must answer without asking the mock
    times: float = 1  # the size's seconds so often
    most_rounds = 100

    @property
    def sections(self):
        return {"cache": {"memory": {"entries": 10000}}} if self.cached else None

    def sides(self, stage):
        """name, program, its door"""
        all = [("direct", stage.mock), ("nginx", stage.nginx), ("mainstay", stage.mainstay)]
        return [(name, program, program.queue if self.queue and name == "mainstay" else program.streams if self.streams else program.door)
                for name, program in all if name != "direct" or self.direct]

    def prepare(self, stage):
        for _, _, door in self.sides(stage):
            load.run(stage.directory, door, seconds=stage.size.warm, stream=self.streams, **self.load)

    def round(self, stage, turned):
        sides = self.sides(stage)
        return {name: self.measure(stage, name, program, door) for name, program, door in (reversed(sides) if turned else sides)}

    def measure(self, stage, name, program, door):
        asked = stage.mock.stats()["requests"]
        before = cpu_seconds(program.pids)
        seen = load.run(stage.directory, door, seconds=self.times * stage.size.seconds, stream=self.streams, **self.load)
        used = cpu_seconds(program.pids) - before
        if self.cached and name == "mainstay" and stage.mock.stats()["requests"] != asked:
            raise Invalid(f"{self.name}: not every answer came from the cache")
        return {"cpu_us": used / seen["requests"] * 1e6, "rate": seen["rate"], "p50_us": seen["latency_us"]["p50"],
                "p99_us": seen["latency_us"]["p99"], "first_us": seen["first_token_us"]["p50"], "load_cpu_us": seen["cpu_us_per_request"]}


def scenarios(size):
    at_once = f"{size.streams} at once"
    streams_a_second = size.streams / (size.deltas * 0.020)
    return [
        Loaded("plain-1", "plain, 1 KB answers, 1 connection", (cpu(),), {"model": "plain-1k", "connections": 1}),
        Loaded("plain-32", "plain, 1 KB answers, 32 connections", (cpu(3.5),), {"model": "plain-1k", "connections": 32}),
        Loaded("plain-128", "plain, 1 KB answers, 128 connections", (cpu(),), {"model": "plain-1k", "connections": 128}),
        Loaded("answer-10k", "plain, 10 KB answers, 32 connections", (cpu(),), {"model": "plain-10k", "connections": 32}),
        Loaded("prompt-100k", "plain, 100 KB prompts, 1 KB answers, 32 connections", (cpu(3.0),),
               {"model": "plain-1k", "connections": 32, "prompt_bytes": 100_000}),
        Loaded("latency", "plain, 1 KB answers, 1 connection: added to asking the provider directly",
               (Quantity("p50_us", "median latency", "µs", "added", 250),), {"model": "plain-1k", "connections": 1}, direct=True),
        Loaded("stream-0ms", f"streams of {size.deltas} deltas without pauses, {at_once}", (cpu(of="stream"),),
               {"model": "stream-0ms", "connections": size.streams}, streams=True),
        Loaded("stream-20ms", f"streams of {size.deltas} deltas 20 ms apart, {at_once}",
               (cpu(2.5, of="stream"), Quantity("first_us", "median time to the first token", "µs", "added", 300)),
               {"model": "stream-20ms", "rate": f"{streams_a_second:.0f}", "connections": 5 * size.streams}, streams=True, direct=True, times=4),
        OpenStreams(size),
        Loaded("cache-hit", "equal plain requests, 1 KB answers, 32 connections: the daemon's memory cache, nginx asks the provider", (cpu(1.5),),
               {"model": "plain-1k", "connections": 32, "same": True}, cached=True),
        Loaded("zmq-32", "plain, 1 KB answers, 32 at once through the ZeroMQ door; nginx over HTTP", (cpu(),),
               {"model": "plain-1k", "connections": 32}, queue=True),
        *translations(size),
        Observed(),
        Scraped(),
        Idle(),
    ]
