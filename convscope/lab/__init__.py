"""The lab: a local web page. The server is thin: route → pure function → dataclass → strict JSON.

A room is: a module of ``rooms`` with a ``router``, listed in ``server/app.py``; a page module in ``static/js/rooms``
with ``defaults`` (its whole state, which the address bar holds) and ``mount``, listed in ``static/js/rooms.js``; its
texts in ``static/text/en`` and ``zh``; its style in ``static/css``, within ``[data-room="its id"]``. What several rooms
need is in ``static/js/parts``. All that a user does goes ``set(patch)`` → address → ``update(state)`` → screen.
"""
