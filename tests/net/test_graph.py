"""Nets with branches: how they are written, laid out and run."""

import copy
import gc
import subprocess
import sys
import weakref

import pytest
import torch
from hypothesis import assume, given, settings
from torch import nn

from convscope.net.build import build, seeded
from convscope.net.fixes import fixes
from convscope.net.graph import GraphNet, parts
from convscope.net.listing import listing
from convscope.net.ops import Add, Relu
from convscope.net.shapes import ShapeError, drawn, table
from convscope.net.spec import MAX_LAYERS, SpecError, parse
from convscope.net.tree import Branches, Repeat, layers, put, size, text
from convscope.net.wiring import brackets

from .trees import classified, fitting, image_layers, nested

IMAGE = (3, 8, 8)
SKIP = "conv 4 3 padding=1 | relu | [ conv 4 3 padding=1 | relu ]+ | linear"


@settings(max_examples=300)
@given(nested(image_layers))
def test_a_net_with_branches_is_read_back_as_it_was_written(net):
    assume(size(net) <= MAX_LAYERS)
    assert parse(text(net)) == net


def outputs(net, x):
    """What every module makes, by name."""
    found = {}
    for name, module in net.named_children():
        module.register_forward_hook(lambda m, i, output, name=name: found.__setitem__(name, output))
    net(x)
    return found


@settings(max_examples=200)
@given(nested(image_layers))
def test_the_table_of_a_graph_says_what_torch_does(body):
    net = classified(body)
    assume(size(net) <= 60)
    try:
        rows = table(net, IMAGE, 5)
    except ShapeError:
        return
    assume(max(sum(row.multiply_adds for row in rows), 1) < 2e7)
    module = build(net, IMAGE, 5).eval()
    made = outputs(module, torch.zeros(2, *IMAGE))
    assert [row.name for row in rows] == [name for name, _ in module.named_children()]
    sizes = {"image": IMAGE} | {name: tuple(tensor.shape[1:]) for name, tensor in made.items()}
    for row in rows:
        assert tuple(made[row.name].shape[1:]) == row.output
        assert row.parameters == sum(p.numel() for p in module.get_submodule(row.name).parameters())
        assert row.shapes == tuple(sizes[source] for source in row.inputs)


@settings(max_examples=40, deadline=None)
@given(fitting)
def test_the_listing_is_a_net_of_plain_torch_with_the_same_weights_and_scores(body):
    net = classified(body)
    assume(size(net) <= 40)
    image = (2, 5, 5)
    rows = table(net, image, 3)
    module = build(net, image, 3, seed=1).eval()
    scope = {}
    exec(f"import torch\nfrom collections import OrderedDict\nfrom torch import nn\n{listing(rows)}", scope)
    plain = scope["net"].eval()
    assert not isinstance(plain, GraphNet)
    plain.load_state_dict(module.state_dict())
    with seeded(2):
        x = torch.randn(3, *image)
    torch.testing.assert_close(plain(x), module(x), rtol=0, atol=0)


def test_a_skip_connection_is_an_add_node_with_two_inputs():
    rows = table(parse(SKIP), IMAGE, 10)
    assert [(row.name, row.inputs) for row in rows] == [
        ("conv1", ("image",)),
        ("relu1", ("conv1",)),
        ("conv2", ("relu1",)),
        ("relu2", ("conv2",)),
        ("add1", ("relu2", "relu1")),
        ("flatten1", ("add1",)),
        ("linear1", ("flatten1",)),
    ]
    assert drawn(rows) == ["  input", "  conv1", "╭ relu1", "│ conv2", "│ relu2", "╰ add1", "  flatten1", "  linear1"]
    assert (rows[4].text, rows[4].formula) == ("relu2 + relu1", "4×8×8 + 4×8×8")


def test_a_projection_is_put_in_where_the_shapes_differ_and_says_so():
    rows = table(parse("[ conv 6 3 stride=2 padding=1 | relu ]+ | linear"), IMAGE, 10)
    assert [row.name for row in rows] == ["conv1", "relu1", "projection1", "add1", "flatten1", "linear1"]
    put_in = rows[2]
    assert (put_in.inputs, put_in.text, put_in.output) == (
        ("image",),
        "projection 6 1 stride=2 bias=no",
        (6, 4, 4),
    )
    assert put_in.note == "put in, since image is 3×8×8 and what it is added to 6×4×4"
    assert (put_in.parameters, put_in.multiply_adds) == (18, 288)
    net = build(parse("[ conv 6 3 stride=2 padding=1 | relu ]+ | linear"), IMAGE, 10)
    assert isinstance(net.projection1, nn.Conv2d)
    assert net.projection1.bias is None


def test_joins_without_what_came_in_and_repetitions():
    rows = table(parse("[ conv 2 1 / conv 3 3 padding=1 ]& | [ relu ]&x2 | linear"), IMAGE, 10)
    assert [(row.name, row.inputs, row.output) for row in rows][:7] == [
        ("conv1", ("image",), (2, 8, 8)),
        ("conv2", ("image",), (3, 8, 8)),
        ("concat1", ("conv1", "conv2"), (5, 8, 8)),
        ("relu1", ("concat1",), (5, 8, 8)),
        ("concat2", ("concat1", "relu1"), (10, 8, 8)),
        ("relu2", ("concat2",), (10, 8, 8)),
        ("concat3", ("concat2", "relu2"), (20, 8, 8)),
    ]
    assert parse("[ [ relu ]+ ]x3") == parse("[ relu ]+x3") == (Repeat(3, (Branches(Add(), ((Relu(),),)),)),)
    assert text(parse("[ [ relu ]+ ]x3")) == "[ relu ]+x3"


@pytest.mark.parametrize(
    ("spec", "word", "message", "help_text"),
    [
        ("relu | [ relu", "[", "this bracket is never closed", "]+ adds what came in"),
        ("relu ]+ | linear", "]+", "']+' closes nothing", "write [ … ]+"),
        ("relu / relu", "/", "'/' stands between the branches of a bracket", "write [ … ]+"),
        ("[ relu ] | linear", "]", "what ']' does is not known", "]+ adds what came in"),
        ("[ relu ]- | linear", "]-", "what ']-' does is not known", "]x3 repeats"),
        ("[ ]+ | linear", "]+", "a layer is missing here", "write layers with | between them"),
        ("[ relu / ]+ | linear", "]+", "a layer is missing here", "write layers with | between them"),
        ("[ / relu ]+ | linear", "/", "a layer is missing here", "write layers with | between them"),
        ("[ relu / relu ]x2 | linear", "]x2", "branches need a sign that joins them", "]& puts it before"),
        ("[ relu ]x0 | linear", "]x0", "a bracket is repeated 1 to 200 times, not 0", "]x3 repeats"),
        ("[ relu ]x201 | linear", "]x201", "a bracket is repeated 1 to 200 times, not 201", "]x3 repeats"),
        ("[ relu ]+ relu", "relu", "a | is missing before 'relu'", "write | between layers"),
        ("relu [ relu ]+", "[", "a | is missing before '['", "write | between layers"),
        ("[ relu | linear 3 ]+", "linear", "'linear' flattens the image inside a bracket", "put flatten before"),
        ("[ flatten ]x2 | linear", "flatten", "'flatten' flattens the image inside a bracket", "put flatten before"),
        ("[ flatten / flatten ]& | pool 2", "pool", "'pool' needs an image", "before flatten"),
        ("[ conv 3 3 paddng=1 ]+", "paddng=1", "'conv' has no option 'paddng'", "write: conv OUT"),
        ("[ rleu ]+", "rleu", "no layer is called 'rleu'", "did you mean 'relu'"),
    ],
)
def test_errors_in_brackets_point_at_the_word(spec, word, message, help_text):
    with pytest.raises(SpecError) as caught:
        parse(spec)
    lines = caught.value.message.splitlines()
    assert message in lines[0]
    start = lines[2].index("^")
    assert lines[1][start:].startswith(word)
    assert len(lines[2].strip()) == len(word)
    assert help_text in caught.value.help


def test_the_number_of_layers_is_bounded_after_repetition_and_so_is_the_depth():
    with pytest.raises(SpecError, match="at most 200 layers"):
        parse("[ [ relu | relu ]x50 ]x3 | linear")
    with pytest.raises(SpecError, match="brackets stand at most 20 deep"):
        parse("[ " * 21 + "relu" + " ]+" * 21)
    parse("[ " * 20 + "relu" + " ]+" * 20)


@pytest.mark.parametrize(
    ("spec", "message", "help_text"),
    [
        ("[ conv 3 3 ]+ | linear", "it adds element by element, but its inputs are 3×6×6 and 3×8×8", "equal sizes"),
        ("[ relu / flatten ]+ | linear", "its inputs are 3×8×8 and 192", "put flatten before the bracket"),
        ("[ relu / pool 2 ]& | linear", "must agree, but its inputs are 3×8×8 and 3×4×4", "equal sizes"),
        ("flatten | [ linear 5 ]+ | linear", "its inputs are 5 and 192", "equal sizes"),
    ],
)
def test_branches_that_do_not_fit_are_refused_with_the_table(spec, message, help_text):
    with pytest.raises(ShapeError) as caught:
        table(parse(spec), IMAGE, 10)
    assert message in caught.value.problem
    assert help_text in caught.value.help
    assert caught.value.layer in ("add1", "concat1")
    assert caught.value.op is not None


def test_a_failing_layer_is_shown_below_the_brackets_that_lead_to_it():
    with pytest.raises(ShapeError) as caught:
        table(parse("relu | [ conv 3 3 padding=1 ]+ | conv 3 9 | linear"), IMAGE, 10)
    assert caught.value.message.splitlines() == [
        "conv2 (conv 3 9) does not fit: its window covers 9 pixels, but the height is 8 + 2·0",
        "  ╭ relu1     relu                        3×8×8",
        "  │ conv1     conv 3 3 padding=1          3×8×8",
        "  ╰ add1      conv1 + relu1               3×8×8",
        "  conv2       conv 3 9                    ✗",
    ]


def test_names_in_the_state_dict_are_kinds_with_running_numbers():
    net = build(parse(SKIP), IMAGE, 10)
    assert list(net.state_dict()) == [
        "conv1.weight",
        "conv1.bias",
        "conv2.weight",
        "conv2.bias",
        "linear1.weight",
        "linear1.bias",
    ]
    other = build(parse(SKIP), IMAGE, 10, seed=9)
    other.load_state_dict(copy.deepcopy(net).state_dict())
    x = torch.rand(2, *IMAGE)
    assert torch.equal(other(x), net(x))


def test_the_forward_pass_is_what_a_person_would_write():
    net = build(parse(SKIP), IMAGE, 10)
    x = torch.rand(2, *IMAGE)
    before = torch.relu(net.conv1(x))
    after = torch.relu(net.conv2(before)) + before
    assert torch.equal(net(x), net.linear1(after.flatten(1)))


class Watched(nn.Module):
    """Passes its input on as a new tensor, and knows which of those it made still live."""

    def __init__(self, alive):
        super().__init__()
        self.alive = alive

    def forward(self, x):
        y = x + 1
        self.alive.append(weakref.ref(y))
        return y


def test_what_nobody_will_read_is_let_go_during_the_forward_pass():
    alive, counts = [], []

    class Counted(Watched):
        def forward(self, x):
            gc.collect()
            counts.append(sum(ref() is not None for ref in alive))
            return super().forward(x)

    names = "abcdef"
    net = GraphNet({name: Counted(alive) for name in names}, {"e": ("b",), "f": ("e",)})
    with torch.no_grad():
        net(torch.zeros(1))
    # When c runs, b lives; when d runs, b and c; when e runs, b alone and d, which is nobody's, is still the last.
    assert counts[2:4] == [1, 2]
    assert max(counts) <= 3


def test_a_chain_is_a_sequential_and_a_net_with_branches_cannot_be_cut():
    chain = build(parse("conv 2 3 | relu | linear"), IMAGE, 10)
    assert [type(module).__name__ for module in chain[:2]] == ["Conv2d", "ReLU"]
    assert isinstance(chain[1], nn.ReLU)
    chain.append(nn.Softmax(1))
    assert chain(torch.rand(1, *IMAGE)).sum().item() == pytest.approx(1)
    with pytest.raises(TypeError, match="a net with branches cannot be cut"):
        build(parse(SKIP), IMAGE, 10)[:3]


def test_the_parts_of_any_sequential_are_known():
    plain = nn.Sequential(nn.ReLU(), nn.Flatten())
    assert [(part.name, part.inputs) for part in parts(plain)] == [("0", ("image",)), ("1", ("0",))]
    net = build(parse(SKIP), IMAGE, 10)
    assert [part.inputs for part in net.parts] == [row.inputs for row in table(parse(SKIP), IMAGE, 10)]


def test_brackets_of_nested_branches_stand_beside_each_other():
    names = ["a", "b", "c", "d"]
    assert brackets(names, [("image",), ("a",), ("b", "a"), ("c", "image")]) == [" ╭", "╭│", "││", "╰│", " ╰"]
    assert brackets(["a", "b"], [("image",), ("a",)]) == ["", "", ""]


@settings(max_examples=100)
@given(nested(image_layers, 3))
def test_changes_that_are_proposed_for_a_net_with_branches_get_further(body):
    net = (*body, *parse("linear"))
    assume(size(net) <= 40)
    found = fixes(net, (1, 4, 4), 3)
    for fix in found:
        assert text(parse(fix.net)) == fix.net
        if fix.whole:
            table(parse(fix.net), fix.image, 3)


def test_convolutions_in_a_bracket_are_padded_where_its_ends_do_not_fit():
    found = fixes(parse("[ conv 3 3 | [ depthwise 3 ]+ ]+ | linear"), IMAGE, 10)
    assert fixes(parse("[ conv 3 3 ]+ | linear"), IMAGE, 10)[0].net == "[ conv 3 3 padding=same ]+ | flatten | linear"
    assert [(fix.what, fix.whole) for fix in found] == [("padding=same", False)]


def test_an_item_is_replaced_wherever_it_stands():
    net = parse("[ relu | [ tanh / sigmoid ]& ]x2 | linear")
    path = next(path for path, op in layers(net) if op.kind == "sigmoid")
    assert text(put(net, path, parse("relu | tanh"))) == "[ relu | [ tanh / relu | tanh ]& ]x2 | flatten | linear"


def test_shapes_are_worked_out_without_torch():
    code = (
        "import sys; from convscope.net.zoo import resolve; from convscope.net.shapes import table; "
        "table(resolve('resnet8'), (3, 32, 32), 10); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
