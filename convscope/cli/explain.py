"""``convscope explain``: one image in a trained net, from the class down to the multiply-adds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DataError, UsageError, near
from ..language import Name
from ..language.counts import number_of
from ..net.wiring import brackets
from ..storage.loading import loading
from . import columns, terminal
from .concepts import text as concept_text
from .concepts.options import save_plot
from .options import AsJson, DataDir, Moved, Offline, RunArgument, plot_option
from .predict import NO_INVERT, as_it_is

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..explain.ledger import Ledger
    from ..explain.trained.adversarial import Answer
    from ..explain.trained.explanation import Explanation, LayerRow
    from ..explain.trained.receptive import ReceptiveField
    from ..explain.trained.saliency import Saliency
    from ..net.model import Model
    from ..runs.folder import RunFolder


def register(app: typer.Typer) -> None:
    """Add this file's verb."""
    app.command()(explain)


def explain(
    run: RunArgument,
    image: Annotated[
        str | None, typer.Argument(help="An image file, or test:N (train:N): image N of its data.")
    ] = None,
    same: Annotated[str | None, typer.Option("--image", "-i", help="The image, if not given as an argument.")] = None,
    layer: Annotated[str | None, typer.Option(help="Explain an element of this layer's output ...")] = None,
    at: Annotated[str | None, typer.Option(metavar="CHANNEL,ROW,COLUMN", help="... which stands here.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="And its largest term, and so on down to a pixel.")] = False,
    weight: Annotated[
        str | None, typer.Option(metavar="conv1[3,0,2,2]", help="Explain the gradient of the loss for a weight.")
    ] = None,
    pixel: Annotated[
        str | None, typer.Option(metavar="CHANNEL,ROW,COLUMN", help="Explain the gradient of the loss for a pixel.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="The class of loss and saliency.  [default: the true one if it is known, else the predicted]"
        ),
    ] = None,
    fgsm: Annotated[
        int | None,
        typer.Option(metavar="EPSILON", help="Attack --target: move every pixel by so many of 255 (FGSM, 0 to 64)."),
    ] = None,
    saliency: Annotated[bool, typer.Option("--saliency", help="Why this class: three maps of the image.")] = False,
    sort: Annotated[bool, typer.Option("--sort", help="The largest terms first.")] = False,
    whole: Annotated[bool, typer.Option("--all", help="Print every term.")] = False,
    no_invert: Annotated[bool, typer.Option("--no-invert", help=NO_INVERT)] = False,
    plot: Annotated[
        Path | None,
        plot_option("Draw it: all feature maps, or with --layer the activation, or with --saliency its maps.", "FILE"),
    ] = None,
    moved: Moved = None,
    data_dir: DataDir = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Explain what a trained net makes of one image: classes, layers, any activation, any gradient, why this class.

    Gradients are those of the cross entropy for --target. Pixels and layers are what the net sees: normalised.
    """
    with loading():
        import torch

        from ..explain.trained.explanation import explain as explained
        from ..runs import folder as runs
        from ..training.scores import confidence_of

    torch.set_num_threads(1)  # one image is too little work to share
    if (image is None) == (same is None):
        raise UsageError("name one image: a file, or test:N for an image of the run's data", "for example test:0")
    if (layer is None) != (at is None) and not (layer or "").endswith("]"):
        raise UsageError("--layer and --at go together", "for example --layer conv2 --at 7,3,4")
    folder = runs.find(run)
    model = folder.model()
    pixels, truth = _pixels(folder, model, image or same or "", no_invert, moved, data_dir, offline)
    found = explained(model, pixels, prepared=True)
    goal = found.predicted if truth is None else truth
    if target is not None:
        goal = _class(target, model.classes)
    ledgers, field = _ledgers(found, layer, at, follow)
    if weight is not None:
        ledgers.append(found.weight_gradient(weight, goal))
    if pixel is not None:
        ledgers.append(found.pixel_gradient(_index(pixel, "--pixel"), goal))
    why = found.saliency(goal) if saliency else None
    attack = None if fgsm is None else _attack(model, pixels, goal, fgsm)
    if plot is not None:
        _draw(found, ledgers, field, why, plot, f"{folder.name}: {image or same}")
    if as_json:
        terminal.emit_json(
            {
                "run": str(folder.path),
                "image": image or same,
                "classes": found.classes,
                "truth": truth,
                "predicted": found.predicted,
                "scores": found.scores,
                "target": goal,
                "probabilities": found.probabilities if confidence_of(model.loss) == "probability" else None,
                "layers": found.rows,
                "ledgers": ledgers,
                "receptive_field": field,
                "saliency": why,
                "fgsm": attack,
            }
        )
        return
    _show(found, truth, folder.name)
    if field is not None:
        _show_field(field)
    concept_text.show_ledgers(ledgers, sort, whole)
    if why is not None:
        _show_saliency(found, why)
    if attack is not None:
        _show_attack(attack, found)


def _ledgers(
    found: "Explanation", layer: str | None, at: str | None, follow: bool
) -> "tuple[list[Ledger], ReceptiveField | None]":
    """The ledger that --layer and --at ask for (the whole way down with --follow), and its receptive field."""
    from ..explain.trained.explanation import place

    if layer is None:
        if follow:
            raise UsageError("--follow needs a start", "give --layer and --at")
        return [], None
    name, index = place(layer) if at is None else (layer, _index(at, "--at"))
    path = found.follow(name, index) if follow else [found.ledger(name, index)]
    return path, found.receptive_field(name, index)


def _show(found: "Explanation", truth: int | None, run: str) -> None:
    from ..training.scores import confidence_of, confidence_text

    known = "" if truth is None else f", which is right: class {found.classes[truth]}"
    if truth is not None and truth != found.predicted:
        known = f", but it is class {found.classes[truth]}"
    sure = confidence_text(found.loss, found.confidences[found.predicted], 2)
    print(f"{run} takes it for class {found.classes[found.predicted]} ({sure}){known}\n")
    order = sorted(range(len(found.classes)), key=lambda k: -found.scores[k])[:10]
    names = ["class", "score"] if confidence_of(found.loss) == "score" else ["class", "score", "probability"]
    rows = [
        [Name(found.classes[k]), f"{found.scores[k]:.4f}", f"{100 * found.confidences[k]:.4f} %"][: len(names)]
        for k in order
    ]
    columns.show(names, rows, right=names[1:])
    print()
    marks = brackets([row.name for row in found.rows], [row.inputs for row in found.rows])[1:]
    cells = [_cells(row, mark) for row, mark in zip(found.rows, marks, strict=True)]
    names = ["layer", "kind", "output", "lowest", "highest", "zeros", "reads"]
    columns.show(names, cells, right=["lowest", "highest", "zeros"])


def _cells(row: "LayerRow", mark: str) -> list[str]:
    """One layer of the table; ``mark`` draws where branches begin and end."""
    low, high = ("" if number is None else f"{number:.4f}" for number in (row.low, row.high))
    zeros = "" if row.zeros is None else f"{100 * row.zeros:.0f} %"
    name = f"{mark} {row.name}" if mark else row.name
    return [name, row.kind, "×".join(map(str, row.shape)), low, high, zeros, ", ".join(row.inputs)]


def _show_field(field: "ReceptiveField") -> None:
    place = ",".join(map(str, field.index))
    count = int(field.mask.sum())
    where = f"rows {field.top}…{field.bottom}, columns {field.left}…{field.right}" if count else "nothing but padding"
    print(f"\nreceptive field of {field.layer}[{place}]: {where} of the image, {number_of(count, 'pixel')}")


def _show_saliency(found: "Explanation", why: "Saliency") -> None:
    """The few pixels and the square that count most; the maps themselves are for --plot and --json."""
    import numpy as np

    print(f"\nwhy class {found.classes[why.target]}, score {why.score:.4f}")
    order = np.argsort(-np.abs(why.gradient_input), axis=None)[:5]
    places = [divmod(int(i), why.gradient_input.shape[1]) for i in order]
    most = ", ".join(f"{r},{q}: {why.gradient_input[r, q]:+.3f}" for r, q in places)
    print(
        f"gradient × input   the pixels that count most (row,column): {most}; the sum over all is "
        f"{why.gradient_input.sum():.4f}"
    )
    r, q = divmod(int(why.occlusion.argmax()), why.occlusion.shape[1])
    print(
        f"occlusion          squares of {why.square}×{why.square} over pixel {r},{q} cost {why.occlusion.max():.3f} "
        "of the score"
    )
    if why.grad_cam is not None:
        r, q = divmod(int(why.grad_cam.argmax()), why.grad_cam.shape[1])
        print(
            f"Grad-CAM           {why.layer} is strongest at row {r}, column {q} of its {why.grad_cam.shape[0]}×"
            f"{why.grad_cam.shape[1]}"
        )


def _attack(model: "Model", pixels: "NDArray[np.uint8]", goal: int, epsilon: int) -> "Answer":
    """What the net makes of the image when every pixel is moved by ``epsilon`` against class ``goal``."""
    from ..explain.trained.adversarial import MOST, fgsm

    if not 0 <= epsilon <= MOST:
        raise UsageError(f"--fgsm is {epsilon}, expected 0 to {MOST}", "it is how far a pixel moves, of 0 to 255")
    return fgsm(model, pixels, goal).answer(epsilon, model.loss)


def _show_attack(attack: "Answer", found: "Explanation") -> None:
    from ..training.scores import confidence_text

    sure = confidence_text(found.loss, attack.confidence, 2)
    target, predicted = found.classes[attack.target], found.classes[attack.predicted]
    print(f"\nFGSM by {attack.epsilon} against class {target}: class {predicted} ({sure})")
    if attack.flips_at is None:
        print("up to 64 the likeliest class stays the same")
    else:
        print(f"the likeliest class first changes at {attack.flips_at}")


def _pixels(
    folder: "RunFolder",
    model: "Model",
    image: str,
    no_invert: bool,
    moved: str | None,
    data_dir: Path | None,
    offline: bool,
) -> "tuple[NDArray[np.uint8], int | None]":
    """uint8 (C, H, W) and the true class, where it is known."""
    from ..data.pictures.decode import read_image
    from ..runs.own_data import own_data

    part, _, word = image.partition(":")
    if part in ("test", "train") and word:
        own = own_data(folder, moved, data_dir=data_dir, offline=offline)
        for note in own.notes:
            terminal.note(note)
        data = own.data
        images = data.test if part == "test" else data.train
        if not (word.isascii() and word.isdigit() and int(word[:10]) < len(images)):
            raise UsageError(f"there is no image {image[:40]!r}", f"{part} images are numbered 0..{len(images) - 1}")
        return images.images[int(word)], int(images.labels[int(word)])
    path = Path(image)
    if not path.exists():
        raise DataError(f"there is no file {image}", "name an image file, or test:N for an image of the run's data")
    return read_image(path, as_it_is(model.preparation) if no_invert else model.preparation), None


def _draw(
    found: "Explanation",
    ledgers: "list[Ledger]",
    field: "ReceptiveField | None",
    why: "Saliency | None",
    path: Path,
    title: str,
) -> None:
    from ..report import explained as pictures

    if why is not None:
        figure = pictures.draw_saliency(found, why)
    elif field is not None:
        figure = pictures.draw_activation(found, ledgers[0], field)
    else:
        figure = pictures.draw_maps(found, title)
    save_plot(figure, path)


def _class(text: str, classes: tuple[str, ...]) -> int:
    if text in classes:
        return classes.index(text)
    raise UsageError(f"no class is called {text[:40]!r}", near(text[:40], classes[:50]))


def _index(text: str, what: str) -> tuple[int, ...]:
    words = text.replace(",", " ").split()
    if not 1 <= len(words) <= 4 or not all(w.isascii() and w.isdigit() and len(w) < 10 for w in words):
        raise UsageError(f"{what} is {text[:40]!r}, expected whole numbers", f"for example {what} 0,3,4")
    return tuple(map(int, words))
