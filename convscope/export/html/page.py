"""The whole page of a net: its parts put into one file, with a policy that lets nothing else in."""

import base64
import hashlib
import html
import json
import re
from pathlib import Path

from ..subject import Subject
from .plan import told
from .weights import MANTISSA, arrays, fewest_bits, packed, rounded

STATIC = Path(__file__).parent / "static"
ENGINE = ("net.js", "picture.js", "ink.js", "worker.js")


def page(subject: Subject) -> str:
    """The text of the page."""
    bits = fewest_bits(subject)
    found = rounded(subject.program, bits) if bits < MANTISSA else subject.program
    known = told(subject, found)
    known["facts"]["bits of a weight"] = str(9 + bits)
    script, style = _small("page.js"), _small("page.css")
    parts = {
        "POLICY": policy(script, style),
        "TITLE": html.escape(subject.name),
        "STYLE": style,
        "NET": in_script(known),
        "WEIGHTS": packed(arrays(found)),
        "ENGINE": "\n".join(_small(name) for name in ENGINE),
        "PAGE": script,
    }
    text = (STATIC / "page.html").read_text(encoding="utf-8")
    # In one go: what is put in is not looked through again.
    return re.sub("|".join(f"(?<![A-Z]){name}(?![A-Z])" for name in parts), lambda match: parts[match[0]], text)


def policy(script: str, style: str) -> str:
    """Nothing may be loaded, and nothing run but the page's own script and the worker that it makes."""
    return (
        f"default-src 'none'; script-src {_hash(script)} blob:; worker-src blob:; style-src {_hash(style)}; "
        "img-src data: blob:; media-src blob: mediastream:; base-uri 'none'; form-action 'none'"
    )


def in_script(value: object) -> str:
    """JSON that cannot end the script element in which it stands, nor be taken for a comment."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _small(name: str) -> str:
    """A file without indentation, comment lines and empty ones: the page stays small, its source stays readable."""
    lines = (line.strip() for line in (STATIC / name).read_text(encoding="utf-8").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))
