"""Data as cards, and the folders that a person may choose data from."""

import os

import numpy as np
import pytest
from PIL import Image

from convscope.data.sources import open_source
from convscope.errors import ConvscopeError
from convscope.lab.datasets import browse, cards
from convscope.lab.datasets.browse import Browser
from convscope.lab.datasets.cards import at_hand, card
from convscope.lab.server.guard.access import TOKEN_HEADER

from .hands import BY_EVERY_HAND, Keys


def fill(folder, count, side=10, seed=0):
    """Pictures as files, of noise."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for i in range(count):
        Image.fromarray(rng.integers(0, 255, (side, side, 3), dtype=np.uint8)).save(folder / f"{i}.png")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with pictures, hidden folders, links, and nothing else that may be listed but the folder of the start."""
    here, home, secret = (tmp_path / name for name in ("here", "home", "secret"))
    here.mkdir()
    fill(home / "pets" / "cat", 12)
    fill(home / "pets" / "dog", 5, seed=1)
    (home / "10 birds").mkdir()
    (home / "empty").mkdir()
    fill(secret / "cat", 2)
    for place in (home, here):
        (place / ".hidden" / "inside").mkdir(parents=True)
        (place / "link").symlink_to(secret)
    (home / "letter.txt").write_text("private")
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("CONVSCOPE_DATA", raising=False)
    return home


def test_only_folders_are_listed_and_none_that_is_hidden_or_a_link(home):
    browser = Browser(home=True)
    first = browser.show("")
    assert [(one.name, one.root) for one in first.folders] == [("here", "start"), ("home", "home")]
    assert first.above is None
    own = browser.show(str(home))
    assert [one.name for one in own.folders] == ["10 birds", "empty", "pets"]
    assert own.above == ""
    pets = browser.show(own.folders[2].path)
    assert [one.name for one in pets.folders] == ["cat", "dog"]
    assert pets.above == str(home)
    cats = browser.show(f"{home}/pets/cat")
    assert (cats.folders, cats.images) == ((), 12)


OUTSIDE = ["/etc", "/", "TMP", "TMP/secret", "HOME/..", "HOME/link", "HOME/link/cat", "HOME/.hidden", "pets", "~", ".",
           "HOME/.hidden/inside", "HOME/pets/../../secret", "HOME\0", "HOME/" + 5000 * "x"]  # fmt: skip


@pytest.mark.parametrize("text", OUTSIDE)
def test_no_way_of_writing_leads_to_a_folder_that_may_not_be_listed(home, text):
    with pytest.raises(ConvscopeError, match=r"lies outside the folders|there is no folder"):
        Browser(home=True).show(text.replace("TMP", str(home.parent)).replace("HOME", str(home)))


def test_where_others_can_reach_the_lab_the_home_folder_is_not_listed(home):
    browser = Browser(home=False)
    assert [one.root for one in browser.show("").folders] == ["start"]
    with pytest.raises(ConvscopeError, match="lies outside"):
        browser.show(str(home / "pets"))


def test_a_list_is_bounded_and_says_what_it_leaves_out(home, monkeypatch):
    monkeypatch.setattr(browse, "MOST_FOLDERS", 2)
    found = Browser(home=True).show(str(home))
    assert len(found.folders) == 2
    assert found.more == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_told(home):
    (home / "empty").chmod(0)
    with pytest.raises(ConvscopeError, match="cannot be read"):
        Browser(home=True).show(f"{home}/empty")
    (home / "empty").chmod(0o700)


def test_a_card_counts_what_training_opens(home):
    fill(home / "parts" / "train" / "a", 6)
    fill(home / "parts" / "train" / "b", 4, seed=1)
    fill(home / "parts" / "test" / "a", 3, seed=2)
    fill(home / "parts" / "test" / "b", 2, seed=3)
    for data in ("digits", str(home / "parts")):
        found, opened = card(data), open_source(data, offline=True, image_size=10)
        assert found.classes == opened.classes
        for part in ("train", "test"):
            counted = np.bincount(getattr(opened, part).labels, minlength=len(opened.classes))
            assert found.images[part] == dict(zip(opened.classes, counted.tolist(), strict=True))
        assert [sample.label for sample in found.samples] == list(opened.classes[: cards.SAMPLES])
        assert all(sample.picture.startswith("data:image/png;base64,") for sample in found.samples)


def test_published_data_that_are_not_here_have_a_card_without_pictures(home, monkeypatch):
    monkeypatch.setenv("CONVSCOPE_CACHE", str(home / "cache"))
    found = card("kmnist")
    assert not found.there
    assert len(found.classes) == 10
    assert found.images == {}


def test_what_cannot_be_trained_on_is_told_in_trainings_words(home, monkeypatch):
    for folder in ("empty", "pets/cat"):
        with pytest.raises(ConvscopeError) as told:
            card(str(home / folder))
        with pytest.raises(ConvscopeError) as trained:
            open_source(str(home / folder), offline=True)
        assert told.value.message == trained.value.message
    monkeypatch.setattr(cards, "MOST_ENTRIES", 10)
    with pytest.raises(ConvscopeError, match="holds more than 10 files and folders"):
        card(str(home / "pets"))


def test_folders_of_classes_where_the_lab_was_started_have_cards(home, tmp_path):
    fill(tmp_path / "here" / "birds" / "hen", 1)
    fill(tmp_path / "here" / "birds" / "owl", 1)
    fill(tmp_path / "here" / "one" / "hen", 1)
    (tmp_path / "here" / "no").mkdir()
    np.savez(tmp_path / "here" / "own.npz", x=np.zeros(1))
    assert at_hand(["/some/where"]) == ["digits", "mnist", "fashion-mnist", "kmnist", "/some/where", "birds", "own.npz"]


def test_a_folder_is_trained_on_once_it_was_chosen_and_choosing_needs_the_key(lab, home):
    pets = str(home / "pets")
    address = f"/api/data/card?data={pets}"
    assert "lies outside" in lab.client.get(address).json()["problem"]
    assert lab.client.post("/api/data/choose", json={"folder": pets}).status_code == 403
    assert lab.post("/api/data/choose", {"folder": str(home.parent / "secret")}).status_code == 400
    assert "has no class folders" in lab.ask("/api/data/choose", {"folder": f"{home}/empty"})["problem"]
    assert not {f"{home}/empty", pets} & {*lab.client.get("/api/data").json()["data"]}
    assert lab.ask("/api/data/choose", {"folder": pets})["images"]["train"] == {"cat": 12, "dog": 5}
    assert lab.client.get(address).json()["data"] == pets
    assert pets in lab.client.get("/api/data").json()["data"]
    evil = {"origin": "http://evil.example", TOKEN_HEADER: lab.token}
    assert lab.client.post("/api/data/choose", json={"folder": pets}, headers=evil).status_code == 403
    assert lab.client.get("/api/data/folders", headers=evil).status_code == 403


@pytest.mark.browser
@BY_EVERY_HAND
def test_a_folder_of_ones_own_becomes_the_data_of_the_run(hand, room, home):
    pets = str(home / "pets")
    room.lab.post("/api/train/control", {"do": "stop"})
    room.open("/train")
    told = room.at("data-told")
    room.page.wait_for_selector('[data-testid="data-told"][data-value="digits"]')
    assert room.at("data-digits").get_attribute("aria-pressed") == "true"
    if not room.at("choose-folder").is_visible():  # a run of another test is there, and its curves come first
        room.page.locator(".data summary").click()
    hand.press("choose-folder")
    room.at("folder-home").wait_for()
    assert room.at("use-folder").is_disabled()
    hand.press("folder-home")
    room.at("folder-empty").wait_for()
    hand.press("folder-empty")
    room.page.wait_for_function(
        "name => document.querySelector('.chooser .path').textContent === name", arg=f"{home}/empty"
    )
    hand.press("use-folder")
    room.page.wait_for_selector('[data-testid="folder-note"].warning')
    assert str(home / "empty") in room.at("folder-note").text_content()
    hand.press("folder-up")
    room.at("folder-pets").wait_for()
    if isinstance(hand, Keys):
        room.press("ArrowDown", "Enter")  # the focus stands on the folder that was left
    else:
        hand.press("folder-pets")
    room.at("folder-cat").wait_for()
    hand.press("use-folder")
    room.page.wait_for_selector(f'[data-testid="data-told"][data-value="{pets}"]')
    assert not room.at("chooser").is_visible()
    assert room.value("images-train-cat") == 12
    assert room.value("images-train-dog") == 5
    assert "17" in told.text_content()
    assert room.at("data").input_value() == pets
    assert room.at(f"data-{pets}").get_attribute("aria-pressed") == "true"
    assert f"data={pets}" in room.settle().page.url
    hand.press("data-digits")
    room.page.wait_for_selector('[data-testid="data-told"][data-value="digits"]')
    counts = np.bincount(open_source("digits", offline=True).train.labels)
    assert [room.value(f"images-train-{c}") for c in range(10)] == counts.tolist()
    assert room.at("data").input_value() == "digits"
