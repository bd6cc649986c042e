"""Random nets with branches, for hypothesis."""

from hypothesis import strategies as st

from convscope.net.ops import (
    AdaptiveAvgPool,
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Depthwise,
    Dropout,
    Dropout2d,
    Flatten,
    GlobalAvg,
    Linear,
    Pad,
    Pool,
    Relu,
    Sigmoid,
    Tanh,
)
from convscope.net.ops.activation import Gelu, LeakyRelu, Relu6, Silu
from convscope.net.tree import Branches, Repeat

small = st.integers(1, 4)
pair = st.tuples(small, small)
pads = st.tuples(st.integers(0, 3), st.integers(0, 3))
modes = st.sampled_from(["zeros", "reflect", "replicate", "circular"])


@st.composite
def pools(draw):
    kernel = draw(pair)
    padding = (draw(st.integers(0, kernel[0] // 2)), draw(st.integers(0, kernel[1] // 2)))
    return draw(st.sampled_from([Pool, AvgPool]))(kernel, draw(pair), padding, draw(st.booleans()))


convs = st.one_of(
    st.builds(Conv, st.sampled_from([2, 3, 4, 6]), pair, pair, pads, pair, st.integers(1, 3), st.booleans(), modes),
    st.builds(Conv, small, pair, st.just((1, 1)), st.just("same"), pair, st.just(1), st.booleans(), modes),
    st.builds(Depthwise, pair, st.integers(1, 2), pair, pads, pair, st.booleans(), modes),
)
activations = st.sampled_from([Relu(), Tanh(), Sigmoid(), LeakyRelu(0.1), Relu6(), Silu(), Gelu(), Gelu("tanh")])
dropouts = st.builds(lambda kind, p: kind(round(p, 6)), st.sampled_from([Dropout, Dropout2d]), st.floats(0, 0.99))
anywhere = st.one_of(activations, st.just(BatchNorm()), dropouts)
image_layers = st.one_of(
    convs, pools(), anywhere, st.just(GlobalAvg()), st.builds(AdaptiveAvgPool, pair), st.builds(Pad, pads, pads)
)


def nested(layer, most=4):
    """Sequences of layers, joins and repetitions of what ``layer`` draws."""
    return st.recursive(
        st.lists(layer, min_size=1, max_size=most).map(tuple),
        lambda inner: st.lists(
            st.one_of(
                layer,
                st.builds(
                    Branches, st.sampled_from([Add(), Concat()]), st.lists(inner, min_size=1, max_size=3).map(tuple)
                ),
                st.builds(Repeat, st.integers(1, 3), inner),
            ),
            min_size=1,
            max_size=most,
        ).map(tuple),
        max_leaves=6,
    )


# Layers that keep a 2-channel image's shape: whatever is built from them fits.
keeping = st.one_of(
    st.builds(Conv, st.just(2), st.sampled_from([(1, 1), (3, 3), (1, 3)]), st.just((1, 1)), st.just("same")),
    activations,
    st.just(Pool((3, 3), (1, 1), (1, 1))),
    st.just(AvgPool((3, 3), (1, 1), (1, 1))),
)
fitting = nested(keeping, 3)


def classified(net, classes=None):
    """``net`` with what makes scores of it."""
    return (*net, Flatten(), Linear(classes))
