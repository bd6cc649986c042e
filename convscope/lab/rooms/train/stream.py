"""Where the run under way stands, and the events that tell a page of it."""

import asyncio
from collections.abc import AsyncIterator
from threading import Event
from typing import Any

from ....storage.strict_json import dumps
from ...live.live import Live

BEAT = 0.5  # seconds between two updates of a page, at least: each costs the browser time that training needs
SILENCE = 15.0  # seconds after which a silent connection is kept alive


async def stream(live: Live, since: int, ending: Event) -> AsyncIterator[str]:
    """Events until the run has ended and all is said, or the lab ends.

    What changed between two beats is told once, as it is then.
    """
    seen, silent = -1, 0.0
    norms_since, reached = since, since
    told = 0  # epoch; after a break the one that ended with the last event is told again, as its row came just behind
    while not ending.is_set():
        said = live.said
        if said.version != seen:
            seen, silent = said.version, 0.0
            running, step = live.running, said.step  # read first: what comes in from here on is told at the next beat
            losses = [point for point in said.losses if since < point[0] <= step]
            norms = [point for point in said.norms if point[0] > norms_since]
            rows = [(row["epoch"] * said.intro["epoch_steps"], row) for row in said.epochs if row["epoch"] > told]
            rows = [(end, row) for end, row in rows if end <= step or not running]  # the last may be cut short
            told = rows[-1][1]["epoch"] if rows else told
            epochs = [row for end, row in rows if end >= reached]
            since = max(since, step)
            norms_since = norms[-1][0] if norms else norms_since
            news = {**state_of(live), "epochs_done": epochs, "losses": losses, "norms": norms}
            yield f"id: {since}\ndata: {dumps(news)}\n\n"
            if not running:
                return
        elif silent >= SILENCE:
            silent = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(BEAT)
        silent += BEAT


def state_of(live: Live) -> dict[str, Any]:
    """All but the curves."""
    said = live.said
    total = said.intro["epochs"] * said.intro["epoch_steps"] if said.intro else None
    rate = said.steps_per_second
    return {
        "job": live.number,
        "status": said.status,
        **said.intro,
        "step": said.step,
        "epoch": said.epoch,
        "total": total,
        "images_per_second": None if rate is None else rate * said.intro["batch_size"],
        "seconds_left": None if not rate or total is None or not live.running else (total - said.step) / rate,
        "epochs_done": said.epochs,
        "probe_version": said.probe_version,
        "lines_version": said.lines_version,
        "stage": said.stage,
        "film": said.film,
        "summary": said.summary,
        "message": said.message,
        "help": said.help,
    }
