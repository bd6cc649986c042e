"""The page, its files, and the list of the API. Files lie below a path that changes with their content.

So browsers may keep them for ever and never run a stale module after an upgrade (a query such as ``?v=`` would be lost
in relative imports).
"""

import hashlib
import json
import mimetypes
import re
from collections.abc import Iterable
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from ...language import chinese

STATIC = Path(__file__).parent.parent / "static"
EXPORTED = Path(__file__).parents[2] / "export" / "html" / "static"
ENGINE = "js/engine.js"  # a module of the page that is made of the exported page's files: one forward pass for both
SENTENCES = "text/zh/sentences.json"
FOR_EVER = "public, max-age=31536000, immutable"
TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".html": "text/html",
}
for suffix, kind in TYPES.items():  # some systems' tables call .js text/plain, and modules then die silently
    mimetypes.add_type(kind, suffix)


@cache
def files_path() -> str:
    """ "/files/<digest of all static files>"."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(STATIC).as_posix().encode() + b"\0" + path.read_bytes())
    digest.update(engine().encode() + sentences().encode())
    return f"/files/{digest.hexdigest()[:12]}"


@cache
def engine() -> str:
    """Pictures as a net takes them, and its forward pass, as a module of JavaScript."""
    files = ((EXPORTED / name).read_text(encoding="utf-8") for name in ("net.js", "picture.js", "ink.js"))
    return "\n".join([*files, "export { forward, openNet, prepare };", ""])


@cache
def sentences() -> str:
    """What the server says, in Chinese: the catalogue that the command line speaks by, as JSON."""
    return json.dumps(chinese().ordered(), ensure_ascii=False)


class Files(StaticFiles):
    """Static files that browsers keep: their path names their content."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC)

    def file_response(self, *arguments: Any, **named: Any) -> Response:
        """With an ETag (by starlette) and a long life."""
        response = super().file_response(*arguments, **named)
        response.headers["cache-control"] = FOR_EVER
        return response

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Names that no file system could hold are simply not found."""
        if path == ENGINE:
            return Response(engine(), media_type="text/javascript", headers={"cache-control": FOR_EVER})
        if path == SENTENCES:
            return Response(sentences(), media_type="application/json", headers={"cache-control": FOR_EVER})
        if "\0" in path or len(path) > 300:
            return Response(status_code=404)
        return await super().get_response(path, scope)


def page(token: str) -> HTMLResponse:
    """The one page: every module that it surely needs is announced, so that they load side by side."""
    modules = (*STATIC.glob("js/core/*.js"), *STATIC.glob("js/parts/*.js"))
    preload = _lines('<link rel="modulepreload" href="{}">', modules)
    return _filled("index.html", token=escape(token), preload=preload)


def _filled(name: str, **texts: str) -> HTMLResponse:
    """The HTML file ``name`` with every {{word}} replaced."""
    styles = _lines('<link rel="stylesheet" href="{}">', STATIC.glob("css/*.css"))
    page = (STATIC / name).read_text(encoding="utf-8")
    for word, text in {"files": files_path(), "styles": styles, **texts}.items():
        page = page.replace("{{" + word + "}}", text)
    return HTMLResponse(page)


def _lines(line: str, files: Iterable[Path]) -> str:
    return "\n".join(line.format(f"{files_path()}/{file.relative_to(STATIC).as_posix()}") for file in sorted(files))


def api_page(schema: dict[str, Any]) -> HTMLResponse:
    """A plain list of what ``schema`` (OpenAPI) offers; the usual viewers come from other servers."""
    rows = []
    for path, methods in sorted(schema["paths"].items()):
        for method, operation in methods.items():
            about = operation.get("description", "").partition("\n\n")[0]
            rows.append(
                f"<tr><td><code>{method.upper()}</code></td><td><code>{escape(path)}</code></td>"
                f"<td>{_code(escape(about))}<br><small>{escape(_fields(operation, schema))}</small></td></tr>"
            )
    return _filled("api.html", rows="\n".join(rows))


def _code(text: str) -> str:
    """``Words`` as code."""
    return re.sub(r"``(.+?)``", r"<code>\1</code>", text)


def _fields(operation: dict[str, Any], schema: dict[str, Any]) -> str:
    """The names of an operation's parameters and of its body's fields."""
    names = [parameter["name"] for parameter in operation.get("parameters", [])]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if "$ref" in body:
        names += schema["components"]["schemas"][body["$ref"].rpartition("/")[2]].get("properties", {})
    return ", ".join(names)
