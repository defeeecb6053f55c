"""What it costs to speak another dialect: the daemon before a provider of Anthropic's or Gemini's, against the daemon before one of OpenAI's."""
import load
from meters import cpu_seconds
from programs import Daemon
from quantity import Quantity


class Translated:
    sections = None
    most_rounds = 100

    def __init__(self, name, title, dialect, target, of, stream=False, **options):
        self.name, self.title, self.dialect, self.stream, self.load = name, title, dialect, stream, options
        self.quantities = (Quantity("cpu_us", f"CPU per {of}", "µs", "ratio", target, "untranslated"),)

    def prepare(self, stage):
        self.sides = [(name, stage.keep(Daemon(stage.directory, stage.mock.port, stage.models, dialect=dialect)))
                      for name, dialect in (("untranslated", "openai"), ("mainstay", self.dialect))]
        for _, daemon in self.sides:
            load.run(stage.directory, daemon.door, seconds=stage.size.warm, stream=self.stream, **self.load)

    def round(self, stage, turned):
        out = {}
        for name, daemon in reversed(self.sides) if turned else self.sides:
            before = cpu_seconds(daemon.pids)
            seen = load.run(stage.directory, daemon.door, seconds=2 * stage.size.seconds, stream=self.stream, **self.load)
            out[name] = {"cpu_us": (cpu_seconds(daemon.pids) - before) / seen["requests"] * 1e6}
        return out


def translations(size):
    plain, stream = {"model": "plain-1k", "connections": 32}, {"model": "stream-0ms", "connections": size.streams, "stream": True}
    for dialect, vendor in (("anthropic", "Anthropic"), ("gemini", "Gemini")):
        target = 1.5 if dialect == "anthropic" else None
        yield Translated(f"{dialect}-plain", f"plain, 1 KB answers, 32 connections: a provider of {vendor}'s dialect against one of OpenAI's",
                         dialect, target, "request", **plain)
        yield Translated(f"{dialect}-stream", f"streams of {size.deltas} deltas without pauses: a provider of {vendor}'s dialect against one of OpenAI's",
                         dialect, target, "stream", **stream)
