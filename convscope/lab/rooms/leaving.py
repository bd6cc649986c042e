"""What leaves a finished run, as downloads: its net in every format, the report, the card, or all in one .zip.

Asked for with POST, which needs the lab's key: no other page can set a browser to such work. Nothing is written.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel
from starlette.responses import Response

from ...errors import UsageError
from ...export.bundle import packed, parts_of
from ...export.leave import content_of, name_of
from ...language import Language
from ...recipe import ExportName
from ...report.document.card import card
from ...report.document.facts import gather
from ...report.document.page import page
from ...runs.folder import RunFolder
from ...storage.places import is_offline
from ..shelf import Shelf

router = APIRouter(prefix="/api/runs", tags=["runs"])


class LeavingRequest(BaseModel):
    """What is wanted, and the language in which a report opens."""

    what: ExportName | Literal["report", "card", "bundle"]
    language: Language = "en"


@router.post("/{name}/leave")
def leave(name: Annotated[str, Path(max_length=300)], wanted: LeavingRequest, request: Request) -> Response:
    """The file, as a download."""
    shelf: Shelf = request.app.state.shelf
    folder = shelf.folder(name)
    if folder.summary() is None:
        raise UsageError(f"{name} is not finished", "resume it, or export it with convscope export")
    file, content = _file(folder, wanted)
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{_quoted(file)}"}
    return Response(content, media_type="application/octet-stream", headers=headers)


def _file(folder: RunFolder, wanted: LeavingRequest) -> tuple[str, bytes]:
    """Its name and its content."""
    offline = is_offline()
    match wanted.what:
        case "report":
            return f"{folder.name}-report.html", page(gather(folder, offline=offline), (), wanted.language).encode()
        case "card":
            return "README.md", card(gather(folder, offline=offline)).encode()
        case "bundle":
            return f"{name_of(folder)}-bundle.zip", packed(parts_of(folder, offline=offline), name_of(folder))
    made = content_of(folder, wanted.what, offline=offline)
    return made.name, made.content


def _quoted(file: str) -> str:
    from urllib.parse import quote

    return quote(file, safe="")
