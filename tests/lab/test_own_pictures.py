"""One's own pictures in rooms 4, 5, 8 and on the front page: chosen, dropped, pasted, taken by a made-up camera."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from convscope.lab.binary import unpack

pytestmark = pytest.mark.browser
CAMERA = """() => {
  navigator.mediaDevices.getUserMedia = async () => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [64, 48];
    const ink = canvas.getContext('2d');
    setInterval(() => { ink.fillStyle = '#00f'; ink.fillRect(0, 0, 64, 48); }, 20);
    return canvas.captureStream(25);
  };
}"""


def png(width=40, height=30):
    """A picture of one colour a quarter, in a file."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (255, 0, 0)
    pixels[: height // 2, width // 2 :] = (0, 255, 0)
    pixels[height // 2 :, : width // 2] = (0, 0, 255)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return pixels, file.getvalue()


GIVE = """([kind, text]) => {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], 'a.png', { type: 'image/png' }));
  const event = kind === 'drop' ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
    : new ClipboardEvent('paste', { clipboardData: data, bubbles: true });
  document.body.dispatchEvent(event);
}"""


def give(room, kind, file):
    if kind == "choose":
        picture = {"name": "a.png", "mimeType": "image/png", "buffer": file}
        room.page.set_input_files('[data-testid="own-file"]', picture)
    else:
        room.page.evaluate(GIVE, [kind, base64.b64encode(file).decode()])


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("kind", ["choose", "drop", "paste"])
def test_a_convolution_of_ones_own_picture(room, kind, lang):
    """The numbers are PyTorch's of the very pixels; the colours stand beside red, green and blue."""
    room.page.evaluate("lang => localStorage.setItem('convscope.lang', lang)", lang)
    room.open("/convolution")
    pixels, file = png()
    with room.page.expect_response("**/api/convolution") as answer:
        give(room, kind, file)
    room.settle()
    found = answer.value.json()
    x = torch.tensor(pixels.transpose(2, 0, 1) / 255.0, dtype=torch.float32)
    assert torch.allclose(torch.tensor(found["input"]), x, atol=1e-6)
    weight = torch.tensor(answer.value.request.post_data_json["weight"], dtype=torch.float32)
    want = nn.functional.conv2d(x[None], weight, padding=1)[0]
    assert torch.allclose(torch.tensor(found["output"]), want, atol=1e-4)
    assert room.at("whole").is_visible()
    assert room.at("input-2").is_visible()
    kept = room.page.url.partition("#")[2]
    with room.page.expect_response("**/api/convolution") as answer:
        room.open(kept)  # the address holds the picture
    assert torch.allclose(torch.tensor(answer.value.json()["input"]), x, atol=1e-6)


@pytest.mark.view(390, "zh", "dark")
def test_a_pooling_of_ones_own_picture_on_a_phone(room):
    room.open("/pooling")
    room.sheet()
    assert room.at("own-choose").is_visible()
    _, file = png(300, 200)  # reduced to 48 pixels
    with room.page.expect_response("**/api/pooling") as answer:
        give(room, "choose", file)
    room.settle()
    shown = torch.tensor(answer.value.json()["input"])
    assert shown.shape == (3, 32, 48)
    assert torch.allclose(shown[:, 4, 4], torch.tensor([1.0, 0, 0]), atol=0.01)
    want = nn.functional.max_pool2d(shown[None], 2)[0]
    assert torch.allclose(torch.tensor(answer.value.json()["output"]), want)


@pytest.mark.parametrize(("kind", "lang"), [("drop", "en"), ("paste", "zh")])
def test_room_8_answers_a_picture_as_the_command_line_does(room, colour_run, kind, lang):
    room.page.evaluate("lang => localStorage.setItem('convscope.lang', lang)", lang)
    room.open(f"/inside?run={colour_run}&test=1")
    _, file = png()
    give(room, kind, file)
    room.page.wait_for_function("() => location.hash.includes('pixels=')")
    room.ready()
    question = {"run": colour_run, "picture": base64.b64encode(file).decode()}
    head, _ = unpack(room.lab.post("/api/inside/look", question).content)
    assert [room.value(f"p-{c}") for c in range(3)] == pytest.approx(head["confidences"], abs=1e-6)
    room.script()
    room.at("thumb-1").click()
    room.settle()
    assert "pixels=" not in room.page.url


@pytest.mark.parametrize(
    ("kind", "lang", "words"),
    [("drop", "en", "This file cannot be read as a picture."), ("paste", "zh", "无法把这个文件读作图片。")],
)
def test_what_is_no_picture_is_said_and_changes_nothing(room, kind, lang, words):
    room.page.evaluate("lang => localStorage.setItem('convscope.lang', lang)", lang)
    room.open("/pooling")
    give(room, kind, b"no picture at all")
    room.page.get_by_text(words).first.wait_for()
    assert "picture=" not in room.page.url


def test_a_shot_of_the_camera_with_keys_alone(browser, lab):
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-US")
    page = context.new_page()
    page.add_init_script(f"({CAMERA})()")
    page.goto(f"{lab.url}/#/convolution")
    page.wait_for_selector('main[data-state="ready"]')
    page.get_by_test_id("own-camera").focus()
    page.keyboard.press("Enter")
    page.wait_for_function(
        "() => document.querySelector('video').videoWidth > 0 && document.querySelector('video').currentTime > 0"
    )
    page.wait_for_function("() => document.activeElement.dataset.testid === 'own-take'")
    with page.expect_response("**/api/convolution") as answer:
        page.keyboard.press("Enter")
    blue = np.array(answer.value.json()["input"])[:, 10, 10]
    assert blue[2] > 0.9
    assert blue[:2].max() < 0.1
    assert not page.get_by_test_id("own-video").is_visible()
    context.close()


def test_no_camera_is_said(room):
    room.open("/pooling")
    room.page.evaluate("() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('none')); }")
    room.at("own-camera").click()
    room.page.get_by_text("There is no camera that this page may use").first.wait_for()
