"""The page's files: small, local, complete in both languages, and served so that they work everywhere."""

import json
import re

import pytest

from convscope.lab.server.pages import files_path

from .conftest import STATIC

TEXTS = sorted(path.relative_to(STATIC / "text" / "en") for path in (STATIC / "text" / "en").glob("*.json"))
SOURCES = sorted(path for path in STATIC.rglob("*") if path.suffix in (".js", ".css", ".html", ".json"))


def catalogue(lang, name):
    return json.loads((STATIC / "text" / lang / name).read_text())


@pytest.mark.parametrize("name", TEXTS, ids=str)
def test_catalogues_have_equal_keys(name):
    en, zh = catalogue("en", name), catalogue("zh", name)
    assert list(en) == list(zh)
    for key, text in en.items():
        assert type(text) is type(zh[key])
        if isinstance(text, list):
            assert len(text) == len(zh[key])
        both = [" ".join(t) if isinstance(t, list) else t for t in (text, zh[key])]
        assert set(re.findall(r"\{\w+\}", both[0])) == set(re.findall(r"\{\w+\}", both[1])), key
        assert all(both)


def test_no_language_has_more_files():
    assert {p.name for p in (STATIC / "text" / "zh").glob("*.json")} == {p.name for p in TEXTS}


def test_every_text_is_used_and_every_used_text_exists():
    code = "\n".join(path.read_text() for path in STATIC.rglob("*.js"))
    for name in TEXTS:
        for key in catalogue("en", name):
            if name.stem not in ("common", "phrases"):  # keys that are made up of others; sentences that are recognised
                assert re.search(rf"\b{name.stem}\.(\$|{key}\b)|\$\{{room\.id\}}\.{key}", code), f"{name}: {key}"
    for file, key in re.findall(r'\bt\("([a-z]+)\.([a-z_0-9]+)"', code):
        assert key in catalogue("en", f"{file}.json"), f"{file}.{key}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(STATIC)))
def test_small_and_local(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    addresses = re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z0-9.-]+", text)
    assert not [a for a in addresses if "www.w3.org" not in a]
    if path.suffix == ".html":
        assert not re.search(r"<style|style=|<script(?![^>]*src=)|\son[a-z]+=", text)


@pytest.mark.parametrize("path", sorted((STATIC / "js" / "rooms").glob("*.js")), ids=lambda p: p.stem)
def test_a_room_is_controls_view_and_sync(path):
    """What puts them together fits a screen; no module of the page is long."""
    (mount,) = re.findall(r"^export function mount\(.*?^}$", path.read_text(), re.MULTILINE | re.DOTALL)
    assert len(mount.splitlines()) <= 60


@pytest.mark.parametrize("path", sorted(STATIC.rglob("*.js")), ids=lambda p: str(p.relative_to(STATIC)))
def test_modules_are_short(path):
    assert len(path.read_text().splitlines()) < 200


def test_tools_for_the_page_come_from_no_named_registry():
    """Formatter and linter are for development; whose registry they come from is each machine's business."""
    root = STATIC.parents[2]
    lock = json.loads((root / "package-lock.json").read_text())
    assert json.loads((root / "package.json").read_text())["private"]
    assert all(package.get("dev") for name, package in lock["packages"].items() if name)
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
    assert all("integrity" in package for name, package in lock["packages"].items() if name)


def test_files_have_their_types_and_stay(lab):
    kinds = {
        "js/main.js": "text/javascript",
        "css/00-base.css": "text/css",
        "text/en/common.json": "application/json",
        "icon.svg": "image/svg+xml",
    }
    for name, kind in kinds.items():
        answer = lab.client.get(f"{files_path()}/{name}")
        assert answer.headers["content-type"].split(";")[0] == kind
        assert "immutable" in answer.headers["cache-control"]
        again = lab.client.get(f"{files_path()}/{name}", headers={"if-none-match": answer.headers["etag"]})
        assert again.status_code == 304
    assert lab.client.get("/").headers["cache-control"] == "no-store"


def test_the_page_announces_files_that_exist(lab):
    page = lab.client.get("/").text
    assert "{{" not in page
    for address in re.findall(r'(?:href|src)="(/files[^"]+)"', page):
        assert lab.client.get(address).status_code == 200


def test_api_page_lists_the_api_without_other_servers(lab):
    page = lab.client.get("/api").text
    assert "/api/shapes" in page
    assert "{{" not in page
    assert not re.search(r'(?:src|href)="(?!/)', page)


def test_every_room_is_shown_in_the_docs_in_both_themes():
    docs = STATIC.parents[2] / "docs"
    shown = (docs / "lab.md").read_text()
    for room in re.findall(r'id: "(\w+)"', (STATIC / "js" / "rooms.js").read_text()):
        for theme in ("light", "dark"):
            assert f"images/lab-{room}-{theme}.png" in shown
            assert (docs / "images" / f"lab-{room}-{theme}.png").is_file()
