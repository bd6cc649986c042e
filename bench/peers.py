"""The same photographs, the same minutes: convscope and what else is installed, each from scratch, in turns.

    python -m bench.peers FOLDER --minutes 1 --seeds 3 [--python OTHER/bin/python]

FOLDER has ``train/`` and ``test/`` with class folders. Each tool is used as its own beginners' page does, from its own
process, and stops when the minutes are over. ``--python`` is an environment in which the others are installed; what
cannot be imported there is said with its reason. Printed is a table: accuracy on ``test/``, seconds of the process, and
the lines that a user writes.
"""

import argparse
import inspect
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SIDE = 32


def convscope(folder: str, minutes: float, seed: int) -> float:
    from convscope import train

    with tempfile.TemporaryDirectory() as out:  # what a user writes: the next line
        run = train(folder, net="auto", no_pretrained=True, minutes=minutes, seed=seed, out=out, progress=False)
        return float(run.summary["test_accuracy"])


def keras(folder: str, minutes: float, seed: int) -> float:
    os.environ["KERAS_BACKEND"] = "torch"
    import keras
    import numpy as np
    from PIL import Image

    keras.utils.set_random_seed(seed)
    classes = sorted(path.name for path in Path(folder, "train").iterdir())

    def read(part: str):  # keras.utils.image_dataset_from_directory needs TensorFlow
        files = [path for name in classes for path in sorted(Path(folder, part, name).iterdir())]
        images = [np.asarray(Image.open(path).convert("RGB").resize((SIDE, SIDE))) for path in files]
        return np.stack(images), np.array([classes.index(path.parent.name) for path in files])

    class Clock(keras.callbacks.Callback):
        def on_epoch_end(self, *_):
            self.model.stop_training = time.perf_counter() - began > 60 * minutes

    layers = keras.layers
    net = keras.Sequential([keras.Input((SIDE, SIDE, 3)), layers.RandomFlip("horizontal"), layers.Rescaling(1 / 255)])
    for channels in (32, 64, 128):
        net.add(layers.Conv2D(channels, 3, padding="same", use_bias=False))
        net.add(layers.BatchNormalization())
        net.add(layers.ReLU())
        net.add(layers.MaxPooling2D())
    net.add(layers.GlobalAveragePooling2D())
    net.add(layers.Dense(len(classes), activation="softmax"))
    net.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = read("train")
    began = time.perf_counter()
    net.fit(x, y, batch_size=32, epochs=10_000, verbose=0, callbacks=[Clock()])
    return float(net.evaluate(*read("test"), verbose=0)[1])


def fastai(folder: str, minutes: float, seed: int) -> float:
    from fastai.vision import all as fv

    fv.set_seed(seed, True)
    data = fv.ImageDataLoaders.from_folder(folder, valid="test", batch_tfms=fv.aug_transforms(size=SIDE), num_workers=0)
    learner = fv.vision_learner(data, fv.resnet18, pretrained=False, metrics=fv.accuracy)
    with learner.no_bar():
        marks = [time.perf_counter()]
        for _ in range(2):  # how many epochs fit: one cycle has to know its end before it begins, and the first is slow
            learner.fit_one_cycle(1)
            marks.append(time.perf_counter())
        left = 60 * minutes - (marks[2] - marks[0])
        learner.fit_one_cycle(max(1, int(left / (marks[2] - marks[1]))))
    return float(learner.validate()[1])


def ultralytics(folder: str, minutes: float, seed: int) -> float:
    from ultralytics import YOLO

    with tempfile.TemporaryDirectory() as out:
        net = YOLO("yolo11n-cls.yaml")
        net.train(
            data=folder, imgsz=SIDE, time=minutes / 60, seed=seed, workers=0, verbose=False, plots=False, project=out
        )
        last = YOLO(Path(net.trainer.save_dir, "weights", "last.pt"))  # best.pt is chosen by the test images
        return float(last.val(data=folder, split="test", imgsz=SIDE, verbose=False, project=out).top1)


TOOLS: dict[str, Callable[[str, float, int], float]] = {
    "convscope": convscope,
    "keras": keras,
    "fastai": fastai,
    "ultralytics": ultralytics,
}


def measured(python: str, tool: str, folder: str, minutes: float, seed: int) -> tuple[float, float] | str:
    """(accuracy, seconds) of a tool in a process of its own, or why there is none."""
    command = [python, "-m", "bench.peers", folder, "--minutes", str(minutes), "--one", tool, "--seed", str(seed)]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60 * (3 * minutes + 5))
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["it ended without a word"])[-1][:160]
    return json.loads(done.stdout.strip().splitlines()[-1]), time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--tools", default=",".join(TOOLS))
    parser.add_argument("--one", choices=TOOLS, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(TOOLS[given.one](given.folder, given.minutes, given.seed)))
        return
    found: dict[str, list[tuple[float, float] | str]] = {tool: [] for tool in given.tools.split(",")}
    with tempfile.TemporaryDirectory() as place:
        folder = shutil.copytree(given.folder, Path(place, "images"))  # Ultralytics writes its lists beside the images
        for seed in range(given.seeds):  # in turns: what else the machine does hits all alike
            for tool, results in found.items():
                if not results or not isinstance(results[-1], str):
                    python = sys.executable if tool == "convscope" else given.python
                    results.append(measured(python, tool, str(folder), given.minutes, seed))
                    print(tool, seed, results[-1], file=sys.stderr, flush=True)
    print("| tool | test accuracy | seconds | lines |\n|---|---|---|---|")
    for tool, results in found.items():
        good = [result for result in results if not isinstance(result, str)]
        lines = len(inspect.getsource(TOOLS[tool]).splitlines()) - 1
        if not good:
            print(f"| {tool} | {results[-1]} | | |")
            continue
        accuracies, seconds = zip(*good, strict=True)
        spread = f" ± {100 * statistics.stdev(accuracies):.1f} (n = {len(good)})" if len(good) > 1 else " (n = 1)"
        words = f"{100 * statistics.mean(accuracies):.1f} %{spread}"
        print(f"| {tool} | {words} | {statistics.mean(seconds):.0f} | {1 if tool == 'convscope' else lines} |")


if __name__ == "__main__":
    main()
