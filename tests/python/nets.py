"""Nets as people write them, with modules in modules, functions, and branches."""

import random

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    """A residual block with batch norm and one ReLU module that is called twice."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x
        return self.relu(out)


class Residual(nn.Module):
    """Blocks, pooling by functions, dropout by a module and by a function."""

    def __init__(self, channels=1, classes=10, side=28):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, 4, 5), nn.ReLU())
        self.blocks = nn.Sequential(Block(4), Block(4))
        self.drop = nn.Dropout(0.3)
        self.fc = nn.Linear(4 * ((side - 4) // 2) ** 2, classes)

    def forward(self, x):
        x = F.max_pool2d(self.stem(x), 2)
        x = self.blocks(x)
        x = x.view(x.size(0), -1)
        x = F.dropout(x, 0.2, self.training)
        return self.fc(self.drop(x))


class Uncovered(nn.Module):
    """A layer that the engine has no way for, in a module in a module."""

    def __init__(self, classes=10):
        super().__init__()
        self.body = nn.Sequential(nn.Sequential(nn.Conv2d(1, 4, 5, stride=3), nn.Softsign()), nn.Dropout(0.25))
        self.fc = nn.Linear(4 * 64, classes)

    def forward(self, x):
        return self.fc(self.body(x).flatten(1))


class Random(nn.Module):
    """A net drawn from ``seed``: kinds, sizes, joins and the way it is written."""

    def __init__(self, seed):
        super().__init__()
        draw = random.Random(seed)
        self.image = (draw.choice([1, 2, 3]), draw.randint(9, 20), draw.randint(9, 20))
        width = draw.choice([3, 4, 8])
        self.first = nn.Conv2d(self.image[0], width, draw.choice([1, 3, 5]), padding=draw.choice([0, 1, "same"]))
        self.second = nn.Conv2d(width, width, 3, padding=1, groups=draw.choice([1, width]))
        self.norm = nn.BatchNorm2d(width) if draw.random() < 0.5 else nn.Identity()
        self.act = draw.choice([nn.ReLU(), nn.Tanh(), nn.Sigmoid(), nn.ReLU6()])
        self.join, self.end = draw.choice(["add", "cat", "none"]), draw.choice(["flatten", "view", "mean"])
        self.pool = draw.choice([nn.MaxPool2d(2), nn.AvgPool2d(3, stride=2, padding=1), nn.AdaptiveAvgPool2d(1)])
        self.dropout = draw.choice([nn.Dropout(0.5), nn.Identity()])
        with torch.no_grad():
            features = self._features(torch.zeros(2, *self.image)).shape[1]
        self.fc = nn.Linear(features, draw.randint(1, 12))
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-1, 1)
                module.running_var.uniform_(0.5, 2)

    def _features(self, x):
        x = self.act(self.first(x))
        y = self.norm(self.second(x))
        x = {"add": lambda: x + y, "cat": lambda: torch.cat([x, y], 1), "none": lambda: torch.relu(y)}[self.join]()
        x = self.dropout(self.pool(x))
        if self.end == "mean":
            return x.mean((2, 3))
        return x.flatten(1) if self.end == "flatten" else x.view(x.size(0), -1)

    def forward(self, x):
        return self.fc(self._features(x))
