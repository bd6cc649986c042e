import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convscope.errors import UsageError
from convscope.net.ops import (
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAvg,
    Linear,
    Pad,
    Pool,
    Relu,
    Sigmoid,
    Tanh,
)
from convscope.net.shapes import table
from convscope.net.spec import SpecError, parse
from convscope.net.tree import text
from convscope.net.zoo import ZOO, net_name, resolve

small = st.integers(1, 9)
pair = st.tuples(small, small)
pads = st.tuples(st.integers(0, 4), st.integers(0, 4))


@st.composite
def pools(draw):
    kernel = draw(pair)
    padding = (draw(st.integers(0, kernel[0] // 2)), draw(st.integers(0, kernel[1] // 2)))
    return draw(st.sampled_from([Pool, AvgPool]))(kernel, draw(pair), padding, draw(st.booleans()))


convs = st.one_of(
    st.builds(Conv, small, pair, pair, pads, pair, small, st.booleans()),
    st.builds(Conv, small, pair, st.just((1, 1)), st.just("same"), pair, small, st.booleans()),
)
anywhere = st.one_of(
    st.sampled_from([Relu(), Tanh(), Sigmoid()]),
    st.just(BatchNorm()),
    st.floats(0, 0.99).map(lambda p: Dropout(round(p, 6))),
)
nets = st.tuples(
    st.lists(st.one_of(convs, pools(), anywhere, st.just(GlobalAvg())), max_size=6),
    st.lists(st.one_of(anywhere, st.builds(Linear, st.none() | small, st.booleans())), max_size=5),
).map(lambda parts: (*parts[0], Flatten(), *parts[1]))


PIECES = [
    "[",
    "]+",
    "]&",
    "]x2",
    "]+x3",
    "]",
    "/",
    "|",
    "relu",
    "conv 2 3",
    "linear",
    "flatten",
    "pool 2",
    "x",
    "]x999",
]


@given(nets)
def test_a_spec_is_read_back_as_it_was_written(layers):
    assert parse(text(layers)) == layers


def test_the_note_and_what_is_worked_out():
    assert resolve("note") == (
        Conv(10, (5, 5)),
        Pool((2, 2), (2, 2)),
        Relu(),
        Conv(20, (5, 5)),
        Pool((2, 2), (2, 2)),
        Relu(),
        Flatten(),
        Linear(None),
    )
    assert parse("conv 4 3x5 stride=2x1 padding=1x0 bias=no | linear") == (
        Conv(4, (3, 5), (2, 1), (1, 0), bias=False),
        Flatten(),
        Linear(None),
    )
    assert [net_name("note"), net_name("conv 1 1 | linear")] == ["note", "custom"]


@pytest.mark.parametrize(
    ("spec", "word", "message", "help_text"),
    [
        ("conv 10 5 | pul 2 | linear", "pul", "no layer is called 'pul'", "did you mean 'pool'?"),
        ("conv 10 | linear", "conv", "'conv' needs a kernel size, such as 3 or 3x5", "write: conv OUT K[xK]"),
        (
            "conv ten 5 | linear",
            "ten",
            "output channels must be a whole number from 1 to 1000000, not 'ten'",
            "conv OUT",
        ),
        ("conv 10 0 | linear", "0", "the kernel size must be a whole number from 1", "write: conv"),
        ("conv 10 5x5x5 | linear", "5x5x5", "the kernel size must be K or HxW", "write: conv"),
        (
            "conv 10 5 strid=2",
            "strid=2",
            "'conv' has no option 'strid'; its options: bias=, dilation=, groups=",
            "write",
        ),
        ("conv 10 5 stride=2 stride=3", "stride=3", "'stride' is given twice", "write: conv"),
        ("conv 10 5 stride=2 padding=same", "padding=same", "padding=same works with stride 1 only", "write"),
        ("conv 10 5 bias=maybe", "bias=maybe", "bias must be yes or no, not 'maybe'", "write: conv"),
        ("pool 2 padding=2", "padding=2", "padding of a pool can be at most half of its window", "write: pool"),
        ("relu 3", "3", "'relu' does not take '3' here", "write: relu"),
        ("dropout 1.5", "1.5", "the probability must lie in 0 ≤ p < 1, not '1.5'", "write: dropout P"),
        ("linear | conv 3 3", "conv", "'conv' needs an image, but the image is flattened before it", "before flatten"),
        ("conv 10 5 || linear", "|", "a layer is missing here", "write layers with | between them"),
        ("conv 99999999 5", "99999999", "must be a whole number", "write: conv"),
    ],
)
def test_errors_point_at_the_word(spec, word, message, help_text):
    with pytest.raises(SpecError) as caught:
        parse(spec)
    lines = caught.value.message.splitlines()
    assert message in lines[0]
    start = lines[2].index("^")
    assert lines[1][start:].startswith(word)
    assert len(lines[2].strip()) == len(word) or word == "|"
    assert help_text in caught.value.help
    assert caught.value.exit_code == 2


def test_an_empty_spec_and_an_unknown_name_are_refused():
    with pytest.raises(SpecError, match="a layer is missing"):
        parse("")
    with pytest.raises(UsageError, match="no net is called 'lenet'") as caught:
        resolve("lenet")
    assert "did you mean 'lenet5' or" in caught.value.help
    with pytest.raises(UsageError, match="no net is called 'some/file'"):
        resolve("some/file")
    with pytest.raises(SpecError, match="at most 200 layers"):
        parse(" | ".join(["relu"] * 201))


def test_every_named_net_can_be_read():
    for entry in ZOO.values():
        assert text(parse(entry.spec)) == entry.spec


def test_zeros_around_an_image_are_written_before_and_after():
    assert parse("pad 1 | pad 0 1 | pad 0x1 2x3 | linear")[:3] == (
        Pad((1, 1), (1, 1)),
        Pad((0, 0), (1, 1)),
        Pad((0, 1), (2, 3)),
    )
    with pytest.raises(SpecError, match="needs how many zeros stand before the image"):
        parse("pad | linear")
    with pytest.raises(SpecError, match="does not take '3' here"):
        parse("pad 1 2 3 | linear")


def test_a_name_that_ends_with_a_digit_keeps_its_running_number_apart():
    names = [row.name for row in table(parse("conv 2 1 | relu6 | relu6 | relu | linear"), (1, 4, 4), 2)]
    assert names == ["conv1", "relu6_1", "relu6_2", "relu1", "flatten1", "linear1"]


pieced = st.lists(st.sampled_from(PIECES), max_size=12).map(lambda words: " ".join(words).replace("_", " "))


@settings(max_examples=500)
@given(pieced | st.text("[]/|+&x2 conrelu", max_size=30))
def test_any_text_is_a_net_or_an_error_that_points_into_it(spec):
    try:
        net = parse(spec)
    except SpecError as caught:
        error = caught
    else:
        assert parse(text(net)) == net
        return
    assert 0 <= error.position <= len(spec)
    assert error.help or "at most" in error.message
