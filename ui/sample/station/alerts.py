"""When the station warns: a fast rise that two buoys agree on."""

from collections.abc import Mapping

from .settings import FLOOD_LIMIT, RISE_LIMIT


def rising(levels: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return the buoys whose level rose by more than RISE_LIMIT; `levels` maps each to metres an hour ago and now."""
    return [buoy for buoy, (before, now) in levels.items() if now - before > RISE_LIMIT]


def should_warn(levels: Mapping[str, tuple[float, float]]) -> bool:
    """Tell whether two buoys agree that the water rises too fast."""
    return len(rising(levels)) >= 2


def wakes_the_watch(levels: Mapping[str, tuple[float, float]]) -> bool:
    """Tell whether a warning may not wait for the morning round."""
    return should_warn(levels) and any(now - before > FLOOD_LIMIT for before, now in levels.values())
