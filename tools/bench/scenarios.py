"""What is measured: each scenario has sides that take turns within a round, so that whatever the machine does meets all of them."""
import dataclasses

import load
from meters import cpu_seconds


@dataclasses.dataclass
class Plain:
    """CPU per request, closed loop."""
    name: str
    title: str
    connections: int
    model: str = "plain-1k"
    prompt_bytes: int = 100
    target: float | None = None  # the ratio to nginx that is meant to hold
    unit = "CPU µs/request"

    def sides(self, world):
        return [world.nginx, world.mainstay]

    def measure(self, world, side, seconds):
        before = cpu_seconds(side.pids)
        seen = load.closed_loop(side.http, world.directory, self.model, self.connections, seconds, self.prompt_bytes)
        used = cpu_seconds(side.pids) - before
        return {"value": used / seen["requests"] * 1e6, "rate": seen["requests"] / seen["seconds"], "p50_us": seen["p50_us"], "p99_us": seen["p99_us"]}


SCENARIOS = [
    Plain("plain-1", "plain, 1 KB answers, 1 connection", 1),
    Plain("plain-32", "plain, 1 KB answers, 32 connections", 32, target=3.5),
    Plain("plain-128", "plain, 1 KB answers, 128 connections", 128),
    Plain("answer-10k", "plain, 10 KB answers, 32 connections", 32, model="plain-10k"),
    Plain("prompt-100k", "plain, 100 KB prompts, 32 connections", 32, prompt_bytes=100_000, target=3.0),
]
