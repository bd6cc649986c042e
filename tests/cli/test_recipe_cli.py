"""Choices from options, variables of the environment and recipe files: which one holds, and how a wrong one is told."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from convscope.errors import UsageError
from convscope.recipe import CHOICES, Recipe
from convscope.recipes import named, names, shipped
from convscope.recipes.text import parsed, template, to_toml

from ..helpers import NET, run_cli, run_json
from ..strategies import recipes

TOML = f'''# small
data = "stripes.npz"
net = "{NET}"
epochs = 3
batch_size = 16
lr = 0.05
'''


def chosen(run) -> Recipe:
    return Recipe.from_json((Path(run) / "recipe.json").read_text())


@pytest.fixture
def ours(here):
    (here / "our.toml").write_text(TOML)
    return here


@settings(max_examples=100)
@given(recipes())
def test_any_recipe_is_read_back_from_toml_and_from_json(recipe):
    for text in (to_toml(asdict(recipe)), recipe.to_json()):
        read = parsed("it", text)
        assert Recipe(**read.choices) == recipe
        assert all(read.place(name).startswith("the recipe it, line ") for name in read.choices)


def test_a_flag_is_before_a_variable_before_a_file_before_the_default(ours, capsys, monkeypatch):
    monkeypatch.setenv("CONVSCOPE_EPOCHS", "2")
    monkeypatch.setenv("CONVSCOPE_SEED", "5")
    monkeypatch.setenv("CONVSCOPE_MOMENTUM", "")  # empty is as not set
    run = run_json(capsys, "train", "--recipe", "our.toml", "--seed", "7")["run"]
    expected = Recipe("stripes.npz", net=NET, epochs=2, batch_size=16, lr=0.05, seed=7)
    assert chosen(run) == expected
    again = run_json(capsys, "train", "--recipe", "our.toml", "--epochs", "1")["run"]
    assert chosen(again) == replace(expected, epochs=1, seed=5)


def test_every_choice_but_the_data_has_a_variable(capsys):
    code, out, _ = run_cli(capsys, "train", "--help")
    assert code == 0
    flat = " ".join(out.split())
    assert [name for name in CHOICES if name != "data" and f"CONVSCOPE_{name.upper()}" not in flat] == []
    assert "CONVSCOPE_DATA;" not in flat
    assert "CONVSCOPE_DATA]" not in flat


def test_what_a_file_says_of_truths_can_be_taken_back(ours, capsys, monkeypatch):
    with (ours / "our.toml").open("a") as file:
        file.write("nesterov = true\nskip_bad = true\nno_pretrained = true\n")
    first = run_json(capsys, "train", "--recipe", "our.toml", "--epochs", "1")["run"]
    assert (chosen(first).nesterov, chosen(first).skip_bad, chosen(first).no_pretrained) == (True, True, True)
    monkeypatch.setenv("CONVSCOPE_SKIP_BAD", "no")
    second = run_json(capsys, "train", "--recipe", "our.toml", "--epochs", "1", "--no-nesterov", "--pretrained")["run"]
    assert (chosen(second).nesterov, chosen(second).skip_bad, chosen(second).no_pretrained) == (False, False, False)


@pytest.mark.parametrize("form", ["toml", "json", "folder"])
def test_the_recipe_of_a_run_repeats_it(ours, capsys, form):
    first = Path(run_json(capsys, "train", "--recipe", "our.toml", "--augment", "shift 1", "--ema", "0.9")["run"])
    code, out, err = run_cli(capsys, "recipe", first.name, *(["--json"] if form == "json" else []))
    assert (code, err) == (0, "")
    (ours / f"again.{form}").write_text(out)
    file = first if form == "folder" else ours / f"again.{form}"
    second = Path(run_json(capsys, "train", "--recipe", file)["run"])
    assert chosen(second) == chosen(first)
    weights = [(run / "model.safetensors").read_bytes() for run in (first, second)]
    assert weights[0] == weights[1]


def test_a_recipe_serves_the_range_test_too(ours, capsys):
    told = run_json(capsys, "lr", "--recipe", "our.toml", "--to", "1")
    assert 0 < told["suggested"] < 1


def test_recipes_that_come_along_are_printed(capsys):
    code, out, _ = run_cli(capsys, "recipe", "mnist-99")
    assert code == 0
    assert parsed("it", out).choices == shipped("mnist-99").choices == named("mnist-99").choices


def test_without_a_run_every_choice_is_explained(capsys):
    code, out, _ = run_cli(capsys, "recipe")
    assert (code, out) == (0, template())
    assert [name for name, known in CHOICES.items() if f"{name} = " not in out or known.choice.help not in out] == []
    assert Recipe(**parsed("it", out).choices) == Recipe()
    assert Recipe(**run_json(capsys, "recipe")) == Recipe()


@pytest.mark.parametrize(
    ("name", "text", "told", "helped"),
    [
        ("a.toml", 'net = "note"\nlr = "x"', "a.toml, line 2: lr is 'x', a str\n  lr = \"x\"\n  ^^", "must be float"),
        ("a.toml", "lr = 1\nepohcs = 3", "line 2: no choice is called 'epohcs'\n  epohcs = 3\n  ^^^^^^", "'epochs'"),
        ("a.toml", "batch-size = 3", "line 1: no choice is called 'batch-size'", "did you mean 'batch_size'"),
        ("a.toml", "[run]\nlr = 3", "line 1: no choice is called 'run'\n  [run]\n   ^^^", "choices stand in no table"),
        ("a.toml", "momentum = 1.5", "line 1: momentum is 1.5\n  momentum = 1.5\n  ^^^^^^^^", "0 ≤ momentum < 1"),
        ("a.toml", "lr = nan", "line 1: lr is nan", "must be a number"),
        ("a.toml", "epochs = 2.0", "line 1: epochs is '2.0', a float", "must be int"),
        ("a.toml", "epochs = 2024-01-01", "line 1: epochs is '2024-01-01', a date", "must be int"),
        ("a.toml", 'optimizer = "sdg"', "line 1: optimizer is 'sdg'", "did you mean 'sgd'"),
        ("a.toml", "lr = 3\nnet = note", "2 is not valid TOML: Invalid value\n  net = note\n        ^", 'net = "note"'),
        ("a.toml", "lr = 3\nlr = 4", "a.toml is not valid TOML: Cannot overwrite a value (at end", "write choices as"),
        ("a.toml", "a = " + "[" * 9999, "", ""),
        ("a.json", '{"lr": 1,\n "epochs": tru}', "line 2 is not valid JSON: Expecting value\n   \"epochs\": tru}", ""),
        ("a.json", '{"lr": NaN}', "a.json is not valid JSON: NaN is not a number of JSON", ""),
        ("a.json", '{"a": ' + "[" * 99999, "a.json is not valid JSON: it is nested too deeply", ""),
        ("a.json", '{"net": "note", "epochs": null}', "line 1: epochs is 'None', a NoneType", "must be int"),
        ("a.json", "[1, 2]", "a.json holds a list, expected an object", '{"epochs": 3}'),
        ("a.txt", '{"epochs": 1, "lr": "\\u001b[2J"}', "line 1: lr is '\\x1b[2J', a str", "must be float"),
        ("a.toml", "lr = 1 #" + "x" * 2**20, "is larger than 1 MiB", "choices alone"),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_is_pointed_at(here, capsys, name, text, told, helped):
    (here / name).write_text(text)
    code, out, err = run_cli(capsys, "train", "--recipe", name)
    assert (code, out) == (2, "")
    assert told in err
    assert helped in err
    assert not (here / "runs").exists()


def test_files_from_other_systems_are_read(here, capsys):
    (here / "a.toml").write_bytes(b"\xef\xbb\xbf" + TOML.replace("\n", "\r\n").encode())
    assert named("a.toml").choices == parsed("it", TOML).choices
    (here / "a.toml").write_bytes(TOML.encode("utf-16"))
    with pytest.raises(UsageError, match=r"the recipe a\.toml is no UTF-8 text: .*\n  help: save it as UTF-8"):
        named("a.toml")


@pytest.mark.parametrize(
    ("text", "told", "helped"),
    [
        ("nope.toml", "the recipe nope.toml cannot be read: No such file", "name a .toml or .json file"),
        ("some/where", "the recipe some/where cannot be read", ""),
        ("", ". is no run: it has no recipe.json", "name a run's folder, or a .toml or .json file"),
        (".", ". is no run: it has no recipe.json", "name a run's folder, or a .toml or .json file"),
        (
            "mnist99",
            "no recipe is called 'mnist99'",
            f"did you mean 'mnist-99' or 'mnist-997' or 'mnist-996'? known: {', '.join(names())}; or name a file",
        ),
    ],
)
def test_a_recipe_that_is_not_there_is_told(here, capsys, text, told, helped):
    code, _, err = run_cli(capsys, "train", "--recipe", text)
    assert code == 2
    assert told in err
    assert helped in err


def test_errors_say_where_a_choice_is_from(ours, capsys, monkeypatch):
    with (ours / "our.toml").open("a") as file:
        file.write("nesterov = true\nmomentum = 0\n")
    code, _, err = run_cli(capsys, "train", "--recipe", "our.toml")
    assert code == 2
    assert "help: for example --momentum 0.9; --momentum is from the recipe our.toml, line 8; --nesterov is from" in err
    monkeypatch.setenv("CONVSCOPE_BATCH_SIZE", "0")
    code, _, err = run_cli(capsys, "train", "stripes.npz")
    assert code == 2
    assert "error: --batch-size is 0\n" in err
    assert "; --batch-size is from CONVSCOPE_BATCH_SIZE\n" in err
    monkeypatch.setenv("CONVSCOPE_BATCH_SIZE", "many")
    code, _, err = run_cli(capsys, "train", "stripes.npz")
    assert code == 2
    assert "error: --batch-size is 'many', which is not a whole number\n" in err
    monkeypatch.delenv("CONVSCOPE_BATCH_SIZE")
    monkeypatch.setenv("CONVSCOPE_NET", "resnet9")
    code, _, err = run_cli(capsys, "train", "stripes.npz")
    assert (code, err.splitlines()[0]) == (2, "error: no net is called 'resnet9'")
    assert "; --net is from CONVSCOPE_NET\n" in err


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("lr", "abc", ("--lr is 'abc', which is not a number", "it must be a number with 0 ≤ lr ≤ 1,000,000.0")),
        ("epochs", "2.5", ("--epochs is '2.5', which is not a whole number", "it must be a number with 1 ≤ epochs ≤ ")),
        ("nesterov", "maybe", ("--nesterov is 'maybe', which is neither true nor false", "write true or false")),
        ("loss", "xyz", ("--loss is 'xyz'", "known: cross-entropy, mse, mae")),
    ],
)
def test_the_text_of_a_choice_that_is_none_is_shown_with_what_is_expected(ours, capsys, monkeypatch, name, text, told):
    with monkeypatch.context() as patch:
        patch.setenv(f"CONVSCOPE_{name.upper()}", text)
        code, _, err = run_cli(capsys, "train", "stripes.npz")
    assert (code, err.splitlines()[0]) == (2, f"error: {told[0]}")
    assert err.splitlines()[1].startswith(f"help: {told[1]}")
    assert err.endswith(f"; --{name} is from CONVSCOPE_{name.upper()}\n")
    if name != "nesterov":  # on the command line it takes no text
        code, _, err = run_cli(capsys, "train", "stripes.npz", f"--{name}", text)
        assert (code, err.splitlines()[0], "is from" in err) == (2, f"error: {told[0]}", False)


def test_the_text_of_a_choice_that_is_none_is_told_in_chinese(ours, capsys, monkeypatch):
    monkeypatch.setenv("CONVSCOPE_LANG", "zh")
    monkeypatch.setenv("CONVSCOPE_LR", "abc")
    assert run_cli(capsys, "train", "stripes.npz")[2] == (
        "错误: --lr 是 'abc'，不是数\n建议: 它必须是数，且 0 ≤ lr ≤ 1,000,000.0；--lr 来自 CONVSCOPE_LR\n"
    )


def test_a_variable_that_is_nearly_one_is_told(ours, capsys, monkeypatch):
    monkeypatch.setenv("CONVSCOPE_EPOHCS", "2")
    monkeypatch.setenv("CONVSCOPE_DATA", "elsewhere")  # another thing: where data sets are looked for
    code, _, err = run_cli(capsys, "train", "--recipe", "our.toml", "--epochs", "1")
    assert code == 0
    assert "CONVSCOPE_EPOHCS is nothing that convscope knows: did you mean CONVSCOPE_EPOCHS?" in err
    assert "CONVSCOPE_DATA " not in err


def test_a_recipe_that_is_not_there_is_told_with_runs_and_recipes(ours, capsys, monkeypatch):
    run = Path(run_json(capsys, "train", "--recipe", "our.toml", "--epochs", "1")["run"]).name
    code, _, err = run_cli(capsys, "recipe", "bogus")
    known = ", ".join([run, *names()])
    assert (code, err) == (3, f"error: no run and no recipe is called 'bogus'\nhelp: known: {known}\n")
    assert "help: did you mean 'mnist-99" in run_cli(capsys, "recipe", "mnist-98")[2]
    monkeypatch.setenv("CONVSCOPE_LANG", "zh")
    assert "错误: 没有叫 'bogus' 的运行或配方\n" in run_cli(capsys, "recipe", "bogus")[2]


def test_variables_do_not_change_what_resumes_or_is_swept(ours, capsys, monkeypatch):
    run = run_json(capsys, "train", "--recipe", "our.toml", "--epochs", "1")["run"]
    monkeypatch.setenv("CONVSCOPE_EPOCHS", "4")
    monkeypatch.setenv("CONVSCOPE_LR", "0.3")
    assert run_json(capsys, "train", "--resume", run, "--epochs", "2")["epochs"] == 2
    assert json.loads((Path(run) / "recipe.json").read_text())["lr"] == 0.05
    code, _, err = run_cli(capsys, "train", "--resume", run, "--recipe", "our.toml")
    assert code == 2
    assert "--recipe cannot be given with --resume" in err


def test_a_recipe_is_what_a_sweep_starts_from(ours, capsys):
    told = run_json(capsys, "sweep", "stripes.npz", "--recipe", "our.toml", "--lr", "0.01,0.1", "--epochs", "1")
    recipes = [chosen(row["run"]) for row in told["runs"]]
    assert {recipe.lr for recipe in recipes} == {0.01, 0.1}
    expected = Recipe("stripes.npz", net=NET, epochs=1, batch_size=16, val_fraction=0.1)
    assert [replace(recipe, lr=expected.lr) for recipe in recipes] == [expected, expected]
    code, _, err = run_cli(capsys, "sweep", "stripes.npz", "--recipe", "nope.toml", "--lr", "0.01,0.1")
    assert code == 2
    assert "the recipe nope.toml cannot be read" in err


def test_other_verbs_hear_the_same_variables(here, capsys, monkeypatch):
    monkeypatch.setenv("CONVSCOPE_IMAGE_SIZE", "0")
    code, _, err = run_cli(capsys, "check", "stripes.npz")
    assert code == 2
    assert "image size must lie in 1..1024, not 0" in err
