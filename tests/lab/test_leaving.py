"""A finished run leaves from the lab: as downloads, for those with the key alone."""

import zipfile
from io import BytesIO

import pytest

import convscope
from convscope.lab.server.guard.access import TOKEN_HEADER
from convscope.report.document.write import report


def files_of(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_every_kind_of_file_is_handed_over_and_nothing_is_written(lab, digits_run):
    pytest.importorskip("onnxruntime")
    folder = lab.runs / digits_run
    before = files_of(folder)
    endings = {"report": f"{digits_run}-report.html", "card": "README.md", "onnx": "note-digits.onnx"}
    found = {}
    for what, name in endings.items():
        answer = lab.post(f"/api/runs/{digits_run}/leave", {"what": what})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{name}"
        assert answer.headers["content-type"] == "application/octet-stream"
        found[what] = answer.content
    assert "digits" in found["card"].decode()
    assert convscope.load(folder).classes[0] in found["card"].decode()
    assert b"verified" in found["onnx"]
    assert files_of(folder) == before


def test_the_report_is_that_of_the_command_line(lab, digits_run, tmp_path):
    answer = lab.post(f"/api/runs/{digits_run}/leave", {"what": "report", "language": "en"})
    path = report(convscope.load(lab.runs / digits_run).folder, tmp_path / "r.html").path
    english = path.read_text().replace('id="language-zh" checked', 'id="language-zh"')
    assert answer.text == english
    chinese = lab.post(f"/api/runs/{digits_run}/leave", {"what": "report", "language": "zh"}).text
    assert 'id="language-zh" checked' in chinese


def test_all_in_one_holds_what_was_made(lab, digits_run, monkeypatch):
    monkeypatch.setattr("convscope.export.bundle.FORMATS", ())
    answer = lab.post(f"/api/runs/{digits_run}/leave", {"what": "bundle"})
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        names = [name.split("/")[1] for name in archive.namelist()]
    assert names == ["model.safetensors", "report.html", "README.md", "SHA256SUMS"]


def test_without_the_key_nothing_leaves(lab, digits_run):
    address = f"/api/runs/{digits_run}/leave"
    assert lab.client.post(address, json={"what": "card"}).status_code == 403  # a cookie is for reading
    assert lab.client.post(address, json={"what": "card"}, headers={TOKEN_HEADER: "wrong"}).status_code == 403
    assert lab.client.get(address).status_code == 405


def test_what_cannot_leave_is_told(lab, digits_run):
    assert lab.post(f"/api/runs/{digits_run}/leave", {"what": "tflite"}).status_code == 422
    assert lab.post("/api/runs/..%2f..%2fetc/leave", {"what": "card"}).status_code in (400, 404)
    assert lab.post("/api/runs/nobody/leave", {"what": "card"}).status_code == 400
    unfinished = lab.runs / "unfinished-1"
    unfinished.mkdir()
    try:
        for name in ("recipe.json", "environment.json", "model.safetensors", "epochs.csv"):
            (unfinished / name).write_bytes((lab.runs / digits_run / name).read_bytes())
        answer = lab.post("/api/runs/unfinished-1/leave", {"what": "card"})
        assert answer.status_code == 400
        assert answer.json()["error"] == "unfinished-1 is not finished"
    finally:
        for path in unfinished.iterdir():
            path.unlink()
        unfinished.rmdir()


@pytest.mark.browser
@pytest.mark.view(390, "zh", "dark")
def test_a_click_saves_the_report(room, digits_run):
    room.open(f"/train?run={digits_run}")
    room.at("verdict").wait_for()
    with room.page.expect_download(timeout=60_000) as waiting:
        room.at("leave-report").click()
    assert waiting.value.suggested_filename == f"{digits_run}-report.html"
    content = waiting.value.path().read_text(encoding="utf-8")
    assert 'id="language-zh" checked' in content
    room.page.wait_for_selector('[data-testid="leaving"]:has-text("report.html")')
