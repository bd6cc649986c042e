"""Fifty people draw at once: everyone gets the answers that one person alone gets."""

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx

from convscope.lab.server.guard.access import TOKEN_HEADER

CLIENTS, UPDATES = 50, 10


def drawing(client, run):
    """The questions of one client: a stroke of its own that grows by a point at every update."""
    points = [[(17 * client + 9 * k) % 112, (31 * client + 11 * k) % 112] for k in range(UPDATES + 1)]
    return [{"run": run, "strokes": [points[: k + 2]]} for k in range(UPDATES)]


def test_fifty_clients_drawing_at_once_get_the_answers_of_one(lab, digits_run, colour_run):
    """Two nets, one connection a client, all released together; not one answer is late, wrong or another's."""
    sheets = [drawing(client, (digits_run, colour_run)[client % 2]) for client in range(CLIENTS)]
    alone = [[lab.post("/api/inside/look", question).content for question in sheet] for sheet in sheets]
    assert len({answer for answers in alone for answer in answers}) > CLIENTS * UPDATES * 0.9  # a mix-up would show
    ready = threading.Barrier(CLIENTS, timeout=60)

    def draw(sheet):
        with httpx.Client(base_url=lab.url, timeout=60, verify=False, headers={TOKEN_HEADER: lab.token}) as client:
            ready.wait()
            return [client.post("/api/inside/look", json=question) for question in sheet]

    with ThreadPoolExecutor(CLIENTS) as pool:
        together = list(pool.map(draw, sheets))
    assert {answer.status_code for answers in together for answer in answers} == {200}
    assert [[answer.content for answer in answers] for answers in together] == alone
