"""How much is measured: the full size for numbers, the short one only to see that everything runs. And the models the mock plays for it."""
import dataclasses

from programs import SLOW


@dataclasses.dataclass(frozen=True)
class Size:
    seconds: float  # of one measurement
    warm: float  # seconds per side and scenario, before the first measurement
    streams: int  # at once, of the scenarios of streams
    deltas: int  # of each of those
    few: int  # open streams to compare with
    many: int  # open streams; half of them is measured on the way
    few_pause_ms: int  # between the deltas of the few, and of the many: both send equally many deltas a second
    many_pause_ms: int
    window: float  # seconds of measuring while they are open
    spare: float  # seconds that the few are open beyond it; the many are, being opened in two steps, three times so much
    idle: float  # seconds of measuring a daemon that nobody asks
    settle: float  # seconds until memory is looked at again after the streams ended


FULL = Size(seconds=2, warm=1, streams=200, deltas=64, few=100, many=2000, few_pause_ms=25, many_pause_ms=500, window=4, spare=3, idle=10, settle=5)
SHORT = Size(seconds=0.2, warm=0.1, streams=20, deltas=8, few=10, many=60, few_pause_ms=20, many_pause_ms=120, window=0.3, spare=1 * SLOW, idle=0.5, settle=0.2)


def models(size):
    """Name -> the mock's rule. Answers of plain-1k and plain-10k come out near those sizes, body and all; slow streams last until the
    measurements at them are done, and their pauses vary, so that they do not all send at the same moment."""
    def slow(pause_ms, seconds):
        return {"words": round(seconds * 1000 / pause_ms), "token_ms": {"dist": "uniform", "min": pause_ms * 0.8, "max": pause_ms * 1.2}}

    return {
        "plain-1k": {"words": 81},
        "plain-10k": {"words": 1480},
        "stream-0ms": {"words": size.deltas},
        "stream-20ms": {"words": size.deltas, "token_ms": 20},
        "slow-few": slow(size.few_pause_ms, size.window + size.spare),
        "slow-many": slow(size.many_pause_ms, size.window + 3 * size.spare),
    }
