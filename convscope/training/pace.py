"""How much the engine is asked for at once."""

from dataclasses import dataclass

# One call of the engine takes about this long, so that Ctrl-C, progress and stops are answered in time.
CALL_SECONDS = 0.1


@dataclass
class Pace:
    """How many updates the engine may take in one call; who drives the loop may change it between two records."""

    most: int = 2**31


class Pacer:
    """``size`` is how much to ask for next: it doubles from call to call until one takes CALL_SECONDS.

    It is a multiple of ``unit``.
    """

    def __init__(self, unit: int = 1) -> None:
        self.unit = self.size = unit

    def took(self, done: int, seconds: float) -> None:
        """The last call did ``done`` in ``seconds``."""
        fitting = min(2 * self.size, int(done * CALL_SECONDS / max(seconds, 1e-6)))
        self.size = max(1, fitting // self.unit) * self.unit
