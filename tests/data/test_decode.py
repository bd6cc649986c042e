import io
import resource
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convscope.data.folders.walk import walk
from convscope.data.pictures import decode as decoder
from convscope.data.pictures.decode import TILE_LENGTH, TILE_WIDTH, quiet_decoder, read_header
from convscope.data.preparation import Preparation, fit
from convscope.errors import DataError

RAMP = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
FIXTURES = Path(__file__).parents[1] / "fixtures"
COLOUR = np.stack([RAMP, 255 - RAMP, RAMP // 2], axis=2)


def read_image(source, shape):
    return decoder.read_image(source, Preparation(shape))


def saved(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    file.seek(0)
    return file


def png(width, height, depth=8, kind=0, body=b""):
    """A PNG of any claim: header and compressed body, with right check sums."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("form", ["PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM"])
def test_lossless_formats_give_the_very_pixels(form):
    options = {"lossless": True} if form == "WEBP" else {}
    assert np.array_equal(read_image(saved(Image.fromarray(RAMP), form, **options), (1, 6, 8))[0], RAMP)
    if form != "GIF":  # which has a palette
        colour = read_image(saved(Image.fromarray(COLOUR), form, **options), (3, 6, 8))
        assert np.array_equal(colour.transpose(1, 2, 0), COLOUR)


def test_jpeg_gives_the_pixels_nearly():
    assert abs(read_image(saved(Image.fromarray(RAMP), "JPEG", quality=95), (1, 6, 8))[0].astype(int) - RAMP).max() < 8


@pytest.mark.parametrize(("name", "shape"), [("phone", (3, 24, 32)), ("turned", (3, 32, 24)), ("grey", (1, 24, 32))])
def test_photographs_of_iphones_are_read_upright(name, shape):
    """Made with libheif from a ramp: red grows to the right by 8 a pixel, green downwards by 10, blue is 90."""
    pytest.importorskip("pi_heif", reason="needs pi-heif: pip install 'convscope[photos]'")
    channels, height, width = shape
    with decoder.quiet_decoder():
        header = decoder.read_header(FIXTURES / f"{name}.heic")
    assert (header.height, header.width, header.grey) == (height, width, channels == 1)
    pixels = read_image(FIXTURES / f"{name}.heic", shape)
    y, x = np.mgrid[:24, :32]
    ramp = np.stack([8 * x, 10 * y, np.full_like(x, 90)]) if channels == 3 else 8 * x[None]
    expected = np.rot90(ramp, -1, axes=(1, 2)) if name == "turned" else ramp
    assert abs(pixels.astype(int) - expected).mean() < 4


def test_where_heic_cannot_be_read_the_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("convscope.data.pictures.formats.SUFFIXES", frozenset((".png",)))
    monkeypatch.setattr("convscope.data.folders.walk.SUFFIXES", frozenset((".png",)))
    (tmp_path / "a.heic").write_bytes((FIXTURES / "phone.heic").read_bytes())
    note = walk(tmp_path).passed.notes(tmp_path)[0]
    assert note.startswith("not read: 1 .heic (images are PNG, ")
    assert "HEIC photographs are read with pi-heif: pip install 'convscope[photos]'" in note
    monkeypatch.setattr(decoder, "FORMATS", ("PNG",))
    with pytest.raises(DataError, match="a file of the kind HEIC, which cannot be read") as caught:
        read_image(tmp_path / "a.heic", (1, 8, 8))
    assert "convscope[photos]" in caught.value.help


def test_of_an_animation_the_first_frame():
    frames = [Image.fromarray(np.full((4, 4), v, np.uint8)) for v in (10, 90, 200)]
    for form in ("GIF", "WEBP", "PNG"):
        file = saved(frames[0], form, save_all=True, append_images=frames[1:])
        assert abs(read_image(file, (1, 4, 4)).astype(int) - 10).max() <= 2, form


def test_modes_become_grey_or_colour():
    alpha = np.full(RAMP.shape, 255, np.uint8)
    alpha[:, :4] = 0  # the left half is transparent: white shows through
    over_white = np.where(alpha == 255, RAMP, 255)
    grey_alpha = Image.merge("LA", [Image.fromarray(RAMP), Image.fromarray(alpha)])
    assert np.array_equal(read_image(saved(grey_alpha), (1, 6, 8))[0], over_white)
    colour_alpha = Image.merge("RGBA", [Image.fromarray(c) for c in (RAMP, RAMP, RAMP, alpha)])
    assert np.array_equal(read_image(saved(colour_alpha), (3, 6, 8)), np.stack([over_white] * 3))

    bits = Image.fromarray(RAMP > 100)
    assert bits.mode == "1"
    assert np.array_equal(read_image(saved(bits), (1, 6, 8))[0], np.where(RAMP > 100, 255, 0))

    sixteen = Image.fromarray(RAMP.astype(np.uint16) * 257)
    assert sixteen.mode == "I;16"
    assert np.array_equal(read_image(saved(sixteen), (1, 6, 8))[0], RAMP)

    palette = Image.fromarray(COLOUR).quantize(48)
    assert np.array_equal(read_image(saved(palette), (3, 6, 8)).transpose(1, 2, 0), np.asarray(palette.convert("RGB")))
    palette.info["transparency"] = palette.getpixel((0, 0))
    see_through = read_image(saved(palette, transparency=palette.getpixel((0, 0))), (3, 6, 8))
    assert see_through[:, 0, 0].tolist() == [255, 255, 255]

    cmyk = Image.fromarray(np.full((6, 8, 4), (0, 255, 255, 0), np.uint8), mode="CMYK")  # red
    red = read_image(saved(cmyk, "JPEG", quality=95), (3, 6, 8)).reshape(3, -1).mean(axis=1)
    assert red[0] > 200
    assert red[1:].max() < 60


def test_grey_is_repeated_and_colour_is_weighed_as_the_shape_asks():
    assert np.array_equal(read_image(saved(Image.fromarray(RAMP)), (3, 6, 8)), np.stack([RAMP] * 3))
    luma = COLOUR @ [0.299, 0.587, 0.114]  # ITU-R 601
    assert abs(read_image(saved(Image.fromarray(COLOUR)), (1, 6, 8))[0] - luma).max() <= 0.51


OPTIONS = {"JPEG": {"quality": 98}, "AVIF": {"quality": 95}, "WEBP": {"lossless": True}}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_images_stand_upright_by_their_exif_note(orientation, form):
    upright = Image.fromarray(np.kron([[0, 80, 160], [240, 200, 40]], np.ones((16, 16))).astype(np.uint8))
    T = Image.Transpose
    undo = [
        None,
        T.FLIP_LEFT_RIGHT,
        T.ROTATE_180,
        T.FLIP_TOP_BOTTOM,
        T.TRANSPOSE,
        T.ROTATE_90,
        T.TRANSVERSE,
        T.ROTATE_270,
    ]
    turn = undo[orientation - 1]
    stored = upright if turn is None else upright.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = saved(stored, form, exif=exif, **OPTIONS.get(form, {}))
    header = read_header(file)
    assert (header.height, header.width) == (32, 48)
    assert abs(read_image(file, (1, 32, 48))[0].astype(int) - np.asarray(upright)).max() < 12


def test_a_damaged_exif_note_does_not_spoil_sound_pixels():
    file = saved(Image.fromarray(RAMP), exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12\0\3\0\0\0\1\xff" * 3)
    assert np.array_equal(read_image(file, (1, 6, 8))[0], RAMP)


@given(w=st.integers(1, 60), h=st.integers(1, 60), width=st.integers(1, 40), height=st.integers(1, 40))
def test_fitting_keeps_proportions_and_cuts_nothing(w, h, width, height):
    image = Image.fromarray(np.full((h, w), 200, np.uint8))
    pixels = np.asarray(fit(image, height, width))
    assert pixels.shape == (height, width)
    assert (pixels == 200).all(), "an even image is padded with its own grey"

    framed = np.zeros((h + 2, w + 2), np.uint8)
    framed[1:-1, 1:-1] = 255
    side = 4 * max(framed.shape)
    lit = np.asarray(fit(Image.fromarray(framed), side, side)) > 127
    assert abs(lit.any(axis=1).sum() - 4 * h) <= 1, "nothing is cut off, nothing is stretched"
    assert abs(lit.any(axis=0).sum() - 4 * w) <= 1


def test_the_padding_is_the_median_of_the_border():
    tall = np.zeros((8, 4, 3), np.uint8)
    tall[:] = (10, 20, 30)
    tall[2:6, 1:3] = 255
    square = np.asarray(fit(Image.fromarray(tall), 8, 8))
    assert np.array_equal(square[:, 2:6], tall)
    assert (square[:, :2] == (10, 20, 30)).all()
    assert (square[:, 6:] == (10, 20, 30)).all()


def test_a_large_jpeg_is_decoded_small_with_nearly_the_same_result():
    x, y = np.meshgrid(np.linspace(0, 6, 900), np.linspace(0, 5, 700))
    large = Image.fromarray((127 + 60 * np.sin(x) + 60 * np.cos(y)).astype(np.uint8))
    small = read_image(saved(large, "JPEG", quality=95), (1, 40, 40))
    exact = read_image(saved(large), (1, 40, 40))
    assert abs(small.astype(int) - exact).max() <= 4


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "is no image that can be read"),
        (b"GIF89a", "is no image that can be read"),
        (b"\0\0\0\x18ftypheic" + bytes(300), "is a file of the kind HEIC, which cannot be read"),
        (b"\0\0\0\x18ftypjxl " + bytes(300), "is a file of the kind 'jxl', which cannot be read"),
        (b"qoif" + bytes(300), "is no image that can be read"),
        (png(8, 6, body=b"\0" * 20), "cannot be decoded"),
        (saved(Image.new("L", (99, 99)), "JPEG").getvalue()[:-60], "cannot be decoded: image file is truncated"),
        (saved(Image.fromarray(COLOUR)).getvalue()[:60], "cannot be decoded"),
        (png(8001, 8000), "is too large: 8,001 × 8,000 pixels"),
        (png(100_000, 100_000), "is too large"),
        (png(60_000_000, 1), "is too large: 60,000,000 × 1 pixels"),
        (png(1, 200_001), "is too large: 1 × 200,001 pixels"),
        (png(0, 5), "is no image that can be read"),
    ],
    ids=["empty", "stub", "heic", "jxl", "qoi", "short", "cut jpeg", "cut png", "bomb", "large bomb", "thin", "tall",
         "no width"],
)  # fmt: skip
def test_bad_images_are_named(tmp_path, content, text):
    path = tmp_path / "löwe.png"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_image(path, (1, 8, 8))
    assert caught.value.message.startswith(f"{path} ")
    assert text in caught.value.message


def test_what_is_no_file_or_too_large_a_file(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"absent\.png does not exist"):
        read_image(tmp_path / "absent.png", (1, 8, 8))
    with pytest.raises(DataError, match="is not a regular file"):
        read_image(tmp_path, (1, 8, 8))
    monkeypatch.setattr("convscope.data.pictures.decode.MAX_BYTES", 50)
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a.png is too large for an image: \d+ bytes"):
        read_image(tmp_path / "a.png", (1, 8, 8))


def test_a_thin_image_costs_no_more_than_a_square_one():
    """Before: 58 kB of PNG took 2.2 GB, for the tables that Pillow scales an image down with."""
    file = saved(Image.new("1", (200_000, 1)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert read_image(file, (1, 8, 8)).shape == (1, 8, 8)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 64


def test_tiff_compressed_tiled_or_deep(tmp_path):
    for options in ({}, {"compression": "tiff_lzw"}, {"compression": "tiff_deflate"}, {"compression": "packbits"}):
        pixels = read_image(saved(Image.fromarray(COLOUR), "TIFF", **options), (3, 6, 8))
        assert np.array_equal(pixels.transpose(1, 2, 0), COLOUR), options
    deep = Image.fromarray(RAMP.astype(np.uint16) * 257)
    assert np.array_equal(read_image(saved(deep, "TIFF"), (1, 6, 8))[0], RAMP)
    with pytest.raises(DataError, match="holds floating-point numbers, whose scale nobody knows"):
        read_image(saved(Image.fromarray(RAMP.astype(np.float32)), "TIFF"), (1, 6, 8))


def test_a_small_tiff_with_huge_tiles_is_refused():
    width, length, bits, compression, kind, offsets, counts = 256, 257, 258, 259, 262, 324, 325
    tags = {
        width: 8,
        length: 6,
        bits: 8,
        compression: 8,
        kind: 1,
        TILE_WIDTH: 65_536,
        TILE_LENGTH: 65_536,
        offsets: 8,
        counts: 20,
    }
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    file = io.BytesIO(struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + directory + bytes(4))
    with pytest.raises(DataError, match="is too large: its tiles have 65536 × 65536 pixels"):
        read_image(file, (1, 6, 8))


def test_large_images_are_decoded_one_at_a_time(monkeypatch):
    """Sixteen threads with 64 million pixels each would take 6 GB."""
    monkeypatch.setattr("convscope.data.pictures.decode.LARGE", 10)
    inside, most = [], []

    def slowly(preparation, image):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.01)
        inside.pop()
        return np.zeros(preparation.image, np.uint8)

    monkeypatch.setattr("convscope.data.preparation.Preparation.apply", slowly)
    files = [saved(Image.fromarray(RAMP)) for _ in range(8)]
    with ThreadPoolExecutor(4) as pool, quiet_decoder():
        list(pool.map(lambda file: decoder.decode(file, Preparation((1, 6, 8))), files))
    assert max(most) == 1


ORIGINALS = [
    saved(Image.fromarray(COLOUR), form).getvalue()
    for form in ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "AVIF")
]


@given(data=st.data())
def test_any_damage_gives_pixels_or_the_projects_error(data):
    content = bytearray(data.draw(st.sampled_from(ORIGINALS)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file = io.BytesIO(bytes(content[: data.draw(st.integers(0, len(content)))]))
    with quiet_decoder():
        try:
            pixels = decoder.decode(file, Preparation((3, 6, 8)))
        except DataError:
            return
    assert pixels.shape == (3, 6, 8)
    assert pixels.dtype == np.uint8
