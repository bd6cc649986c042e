"""Random recipes, drawn from what the choices declare."""

import types
from typing import get_args

from hypothesis import assume
from hypothesis import strategies as st

from convscope.errors import UsageError
from convscope.recipe import CHOICES, Recipe

# Texts that name something: any word is a recipe's, and what it names is found out later.
WORDS = {"data": ["digits", "mnist", "some/folder"], "net": ["note", "conv 1 1 | linear"], "device": ["auto", "cpu"]}


def values(declared):
    """What one choice may be."""
    if declared.options:
        return st.sampled_from(declared.options)
    optional = isinstance(declared.kind, types.UnionType)
    kind = next(kind for kind in (get_args(declared.kind) or (declared.kind,)) if kind is not type(None))
    choice = declared.choice
    if kind is str:
        drawn = st.sampled_from(WORDS.get(declared.name, ["a"]))
    elif kind is bool:
        drawn = st.booleans()
    elif kind is int:
        drawn = st.integers(choice.ge, choice.le)
    else:
        low, high = (choice.ge, choice.le) if choice.gt is None else (choice.gt, choice.le)
        drawn = st.floats(
            low if low is not None else choice.gt,
            high if high is not None else choice.lt,
            exclude_min=choice.gt is not None,
            exclude_max=choice.lt is not None,
        )
    return st.none() | drawn if optional else drawn


@st.composite
def recipes(draw):
    """A whole recipe; choices that do not go together are drawn again."""
    chosen = draw(st.fixed_dictionaries({}, optional={name: values(known) for name, known in CHOICES.items()}))
    try:
        return Recipe(**chosen)
    except UsageError:  # two choices that do not go together
        assume(False)
