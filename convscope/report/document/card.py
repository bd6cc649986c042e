"""A model card in Markdown with Hugging Face's metadata: the facts of the report, in words of the chosen language."""

import json
from typing import Any

from ... import __version__
from ...language import chosen, say
from ...language.counts import number_of
from ...net.pretrained.catalogue import PRETRAINED
from ...training.scores import wilson
from .facts import RunFacts
from .limits import limits

MOST_CLASSES = 100
HUB = {"mnist": "ylecun/mnist", "fashion-mnist": "zalando-datasets/fashion_mnist"}  # where the hub has the very data


def card(facts: RunFacts) -> str:
    """The text of the card, as README.md of a model repository (https://huggingface.co/docs/hub/model-cards)."""
    parts = [_metadata(facts), f"# {facts.name}", _what(facts), _result(facts), _data(facts), _limits(facts)]
    parts += [_training(facts), _net(facts), _use()]
    return "\n\n".join(part for part in parts if part) + "\n"


def _metadata(facts: RunFacts) -> str:
    """YAML between two lines of ---; every value is JSON, which YAML takes as it is."""
    entry = PRETRAINED.get(facts.recipe.net.strip())
    told: dict[str, Any] = {
        "library_name": "convscope",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "convscope", facts.net_name],
        "metrics": ["accuracy"],
    }
    if entry:
        told |= {"license": entry.licence.lower()}
    if facts.data_name in HUB:
        told["datasets"] = [HUB[facts.data_name]]
    accuracy = _accuracy(facts)
    if accuracy is not None:
        metric = {"type": "accuracy", "value": round(accuracy, 6), "name": "test accuracy", "verified": False}
        results = [
            {
                "task": {"type": "image-classification"},
                "dataset": {"type": HUB.get(facts.data_name, facts.data_name), "name": facts.data_name},
                "metrics": [metric],
            }
        ]
        told["model-index"] = [{"name": facts.name, "results": results}]
    lines = [f"{key}: {_json(value)}" for key, value in told.items()]
    return "\n".join(["---", *lines, "---"])


def _json(value: object) -> str:
    """On one line for YAML, too, to which three more characters end one."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(f"\\u{ord(c):04x}" if c in "\x85\u2028\u2029" else c for c in text)


def _accuracy(facts: RunFacts) -> float | None:
    if facts.tested:
        return facts.tested.evaluation.accuracy
    return facts.summary.test_accuracy if facts.summary else None


def _what(facts: RunFacts) -> str:
    channels, height, width = facts.model.image
    kind = "grey" if channels == 1 else "colour"
    version = facts.environment.get("convscope", __version__)
    told = [
        f"Classifies {kind} images of {height}×{width} pixels into {len(facts.model.classes):,} classes: "
        f"{_names(facts.model.classes)}.",
        f"Trained with convscope {version}.",
    ]
    return "\n\n".join(map(say, told))


def _result(facts: RunFacts) -> str:
    if not facts.tested:
        noted = _accuracy(facts)
        what = "This run is not finished." if noted is None else f"{100 * noted:.2f} % test accuracy, as the run noted."
        views = f"\n\n{say(facts.views)}" if facts.views else ""
        return f"{_title('Result')}\n\n{say(what)}{views}"
    result = facts.tested.evaluation
    low, high = result.interval
    told = [
        f"{100 * result.accuracy:.2f} % of {number_of(result.images, 'test image')} are right (95 % interval "
        f"{100 * low:.2f} % to {100 * high:.2f} %).",
        f"Mean loss {result.loss:.4g}.",
    ]
    if facts.views:
        told.insert(1, facts.views)
    if result.calibration_error is not None:
        told.append(f"Calibration error {100 * result.calibration_error:.2f} %.")
    rows = _head("class", "recall", "95 % interval", "precision", "images")
    for one in result.classes[:MOST_CLASSES]:
        bounds = wilson(round((one.recall or 0) * one.support), one.support) if one.support else None
        between = f"{100 * bounds[0]:.2f} % – {100 * bounds[1]:.2f} %" if bounds else "—"
        rows.append(
            f"| {cell(one.name)} | {_percent(one.recall)} | {between} | {_percent(one.precision)} | {one.support:,} |"
        )
    left = len(result.classes) - MOST_CLASSES
    more = ["", say(f"The report has {number_of(left, 'more class', 'more classes')}.")] if left > 0 else []
    return "\n".join([_title("Result"), "", *(f"- {say(text)}" for text in told), "", *rows, *more])


def _data(facts: RunFacts) -> str:
    lines = [_title("Data"), ""]
    if facts.data:
        data = facts.data
        parts = [f"{len(data.train):,} for training"]
        parts += [f"{len(data.val):,} for validation"] if data.val else []
        parts += [f"{len(data.test):,} for tests", f"{number_of(data.skipped, 'unreadable image')} passed over."]
    else:
        parts = ["its images were not at hand when this card was written."]
    lines.append(f"{cell(facts.data_name)}: {', '.join(map(say, parts))}")
    return "\n".join([*lines, *(f"\n- {cell(say(note))}" for note in facts.notes)])


def _limits(facts: RunFacts) -> str:
    words = (said.zh if chosen() == "zh" else said.en for said in limits(facts))
    return "\n".join([_title("Limits"), "", *(f"- {cell(text)}" for text in words)])


def _training(facts: RunFacts) -> str:
    lines = [_title("Training"), "", *(f"    {line}" for line in facts.command.split("\n"))]
    if facts.summary:
        told = (
            f"{number_of(facts.summary.epochs, 'epoch')}, {number_of(facts.summary.steps, 'update')}, "
            f"{facts.summary.train_seconds:.1f} s on {facts.environment.get('cpu', facts.summary.device)} "
            f"({facts.summary.engine} engine, torch {facts.environment.get('torch', '?')})."
        )
        lines += ["", say(told)]
    return "\n".join(lines)


def _net(facts: RunFacts) -> str:
    if not facts.rows:
        own = say(f"A module of somebody's own, {facts.parameters:,} parameters.")
        return f"{_title('Net')}\n\n{own}"
    rows = _head("layer", "what", "output", "parameters", "multiply-adds", words=3)
    rows += [
        f"| {row.name} | {cell(row.text)} | {'×'.join(map(str, row.output))} | {row.parameters:,} | "
        f"{row.multiply_adds:,} |"
        for row in facts.rows
    ]
    told = say(f"{facts.parameters:,} parameters, {facts.multiply_adds:,} multiply-adds an image.")
    return "\n".join([_title("Net"), "", told, "", *rows])


def _use() -> str:
    lines = ["import convscope", "", 'run = convscope.load("model.safetensors")']
    return "\n".join([_title("Use"), "", "```python", *lines, 'print(run.classes, run.predict("picture.png"))', "```"])


def _title(text: str) -> str:
    return say(f"## {text}")


def _head(*columns: str, words: int = 1) -> list[str]:
    """The first lines of a table whose first ``words`` columns hold words, the others numbers."""
    sides = ["---"] * words + ["--:"] * (len(columns) - words)
    return [f"| {' | '.join(map(say, columns))} |", f"|{'|'.join(sides)}|"]


def _names(names: tuple[str, ...]) -> str:
    shown = ", ".join(cell(name) for name in names[:20])
    return shown + (f" {say(f'and {len(names) - 20:,} more')}" if len(names) > 20 else "")


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{100 * value:.2f} %"


def cell(text: str) -> str:
    """A name or sentence inside Markdown as it is: on one line, with nothing that Markdown or HTML would take up."""
    flat = " ".join(text.split())
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in flat).replace("&", "&amp;")
