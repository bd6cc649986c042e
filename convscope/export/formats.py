"""The formats a net can leave in: one table, and what each needs on this machine."""

import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from ..errors import UsageError
from ..recipe import ExportName
from ..runs.exported import INSTALL, MISSING, as_they_are, session_of
from .subject import Pixels, Replay, Subject

WHOLE = 200  # images that an ONNX file prepares in its proof: to look for ink takes it a millisecond and more


@dataclass(frozen=True)
class Format:
    """``write`` makes the whole file, ``replay`` runs it on prepared images uint8 (N, C, H, W), ``lacking`` says why
    this machine cannot run it ("" where it can), ``limits`` what the file cannot do that the net could.
    """

    ending: str
    write: Callable[[Subject], bytes]
    replay: Callable[[bytes, Subject, Pixels], Replay]
    lacking: Callable[[], str]
    limits: Callable[[Subject], str]


def _write_onnx(subject: Subject) -> bytes:
    if importlib.util.find_spec("onnx") is None:
        raise UsageError("onnx is not installed, which writes ONNX files", "pip install 'convscope[export]'")
    from .onnx.file import onnx_model

    return bytes(onnx_model(subject.model, subject.facts).SerializeToString())


def _replay_onnx(content: bytes, subject: Subject, images: Pixels) -> Replay:
    import onnxruntime

    session = session_of(content, f"{subject.name}.onnx")
    channels_last = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    more, whole = as_they_are(session), _passing(subject, images)
    start, answers = time.perf_counter(), []
    for first in range(len(images)):
        given = {"image": channels_last[first : first + 1]} | ({} if first in whole else more)
        answers.append(session.run(["probabilities"], given)[0])
    seconds = (time.perf_counter() - start) / len(images)
    return Replay(np.concatenate(answers).astype(np.float64), seconds, f"onnxruntime {onnxruntime.__version__}")


def _passing(subject: Subject, images: Pixels) -> set[int]:
    """Of the first prepared images those that its preparation leaves as they are: the file must do so, too."""
    some = images[:WHOLE]
    same = (subject.model.preparation.apply_all(some) == some).reshape(len(some), -1).all(1)
    return set(np.flatnonzero(same).tolist())


def _no_onnxruntime() -> str:
    return "" if importlib.util.find_spec("onnxruntime") else f"{MISSING} ({INSTALL})"


def _write_c(subject: Subject) -> bytes:
    from .c.header import header

    return header(subject).encode("ascii")


def _replay_c(content: bytes, subject: Subject, images: Pixels) -> Replay:
    from .c.compiler import Job, answers, compiler

    channels_last = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    job = Job(subject.identifier, content.decode(), len(subject.model.classes), channels_last)
    (found,), seconds = answers([job])
    return Replay(found.astype(np.float64), seconds / len(images), f"C ({Path(compiler() or '').name})")


def _no_compiler() -> str:
    from .c.compiler import COMPILERS, compiler

    return "" if compiler() else f"there is no C compiler here ({', '.join(COMPILERS)})"


def _this_size(subject: Subject) -> str:
    """Only images of the net's own size come in, prepared by whoever calls."""
    channels, height, width = subject.model.image
    form = ", in the training images' form: light ink on a ground of 0" if subject.model.preparation.ink else ""
    kind = "grey" if channels == 1 else "colour"
    return f"images must be {kind}, of {height}×{width} pixels{form}: the file does not prepare pictures"


def _write_html(subject: Subject) -> bytes:
    from .html.page import page

    return page(subject).encode()


def _replay_html(content: bytes, subject: Subject, images: Pixels) -> Replay:  # noqa: ARG001 - as all of them
    from .html.node import Question, ask

    (answer,) = ask([Question(content.decode(), images)])
    found = np.array(answer["probabilities"], np.float64)
    return Replay(found, answer["seconds"] / len(images), "Node")


def _no_node() -> str:
    from .html.node import node

    return "" if node() else "Node is not here, which runs the page's JavaScript"


def _eight_bits(subject: Subject) -> str:
    """Browsers decode pictures to eight bits."""
    if subject.model.preparation.deep is None:
        return ""
    return "browsers read 16-bit pictures with 8 bits, so these are prepared otherwise than by convscope predict"


def _write_native(subject: Subject) -> bytes:
    from .native.package import package

    return package(subject)


def _replay_native(content: bytes, subject: Subject, images: Pixels) -> Replay:
    from .native.objects import here
    from .native.package import loaded

    target = here()
    assert target is not None
    net, classes = loaded(content, subject.identifier, target), len(subject.model.classes)
    channels_last = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    start = time.perf_counter()
    found = net.run("predict", channels_last, classes)
    return Replay(found.astype(np.float64), (time.perf_counter() - start) / len(images), f"this machine's {target}")


def _no_target() -> str:
    from .native.objects import here

    return "" if here() else "none of the object files is for this processor"


def _untried(subject: Subject) -> str:
    """Code for other processors is compiled, but not run."""
    from ..engine.jit.standalone import TARGETS
    from .native.objects import here

    others = ", ".join(name for name in TARGETS if name != here())
    return f"{_this_size(subject)}; what is for other processors than this one was not run: {others}"


def _write_pt2(subject: Subject) -> bytes:
    from .torch_program import exported

    return exported(subject)


def _replay_pt2(content: bytes, subject: Subject, images: Pixels) -> Replay:  # noqa: ARG001 - as all of them
    import torch

    from .torch_program import replay

    start = time.perf_counter()
    found = replay(content, images)
    return Replay(found, (time.perf_counter() - start) / len(images), f"torch {torch.__version__}")


FORMATS: dict[ExportName, Format] = {
    "onnx": Format(".onnx", _write_onnx, _replay_onnx, _no_onnxruntime, lambda _: ""),
    "html": Format(".html", _write_html, _replay_html, _no_node, _eight_bits),
    "c": Format(".h", _write_c, _replay_c, _no_compiler, _this_size),
    "native": Format(".zip", _write_native, _replay_native, _no_target, _untried),
    "pt2": Format(".pt2", _write_pt2, _replay_pt2, lambda: "", _this_size),
}


def _write_own_onnx(subject: Subject) -> bytes:
    from .torch_program import own_onnx

    return own_onnx(subject)


# Of a net of somebody's own, which torch writes as it finds it.
OWN: dict[ExportName, Format] = {
    "onnx": Format(".onnx", _write_own_onnx, _replay_onnx, _no_onnxruntime, _this_size),
    "pt2": FORMATS["pt2"],
}


def format_of(path: Path | None) -> ExportName:
    """The format that a file's ending tells; onnx without a file. Raises UsageError for an ending of none."""
    if path is None:
        return "onnx"
    for name, made in FORMATS.items():
        if path.suffix.lower() == made.ending:
            return name
    endings = ", ".join(made.ending for made in FORMATS.values())
    raise UsageError(f"the ending of {path.name!r} tells no format", f"give to=…, or one of the endings {endings}")


def require_ending(path: Path, to: ExportName) -> None:
    """Raise UsageError where the ending of ``path`` is that of another format: who opens the file would be misled."""
    ending = path.suffix.lower()
    other = next((name for name, made in FORMATS.items() if made.ending == ending != FORMATS[to].ending), None)
    if other:
        raise UsageError(
            f"{path.name!r} has the ending of {other}, but {to} was asked for",
            f"name it *{FORMATS[to].ending}, or ask for {other}",
        )


assert set(FORMATS) == set(get_args(ExportName))
