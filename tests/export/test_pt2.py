"""The torch.export program answers as the net does, and says what it is."""

import io
import json

import numpy as np
import torch

from convscope.export.subject import Subject
from convscope.export.torch_program import exported, replay
from convscope.runs.predict import scores_of
from tests.export.models import model_of

CLASSES = ("it's", "猫", "</script>")
NET = "conv 4 3 padding=1 | batchnorm | relu | pool 2 | [ conv 4 1 | gelu ]+ | dropout 0.5 | flatten | linear"


def test_it_answers_as_the_net_does_and_holds_its_classes():
    model = model_of(NET, (3, 8, 9), CLASSES)
    content = exported(Subject(model, "net", {"licence": "MIT"}))
    images = np.random.default_rng(0).integers(0, 256, (5, *model.image), dtype=np.uint8)
    assert np.abs(replay(content, images) - scores_of(model, images)).max() <= 1e-6
    extra = {"classes": "", "licence": ""}
    torch.export.load(io.BytesIO(content), extra_files=extra)
    assert json.loads(extra["classes"]) == list(CLASSES)
    assert extra["licence"] == "MIT"
    assert model.net[0].weight.requires_grad  # the net itself stays as it was
