"""Writes tests/fixtures/*.safetensors: what PyTorch makes of inputs that `gradients.rs`, and
`tests/pytorch.rs` of the crate `ops`, give to `lab::ops`.

    python tests/make_fixtures.py                     writes all of them
    python tests/make_fixtures.py softmax rms_norm    writes those of these operations

needs torch and numpy. With torch 2.15.0 the files come out the same to the bit, except for the signs of NaN, which depend
on the processor. Each file holds the cases of one operation, as tensors `<case>/<name>`: the inputs; `output`;
`projection`, random numbers of the output's shape; and for each input `x` the gradient `d_x` of the sum of output
times projection. Inputs are what an f32 holds, and are computed with as f64, so that the results are as good as exact.

The losses of `curve.safetensors` are those of a training, in f32, with the first weights and the batches of the test
`training_curve::fifty_losses_are_those_of_pytorch`. That test writes them:

    WRITE_CURVE=/tmp/curve.safetensors cargo test --release training_curve
    python tests/make_fixtures.py /tmp/curve.safetensors
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

FIXTURES = Path(__file__).parent / "fixtures"
TYPES = {"F32": np.float32, "U32": np.uint32}
NAN, INFINITY = float("nan"), float("inf")


def write(name, tensors):
    """The format safetensors: the length of a header, the header, bytes."""
    header, data = {}, b""
    for key, array in tensors.items():
        kind = "U32" if array.dtype == np.uint32 else "F32"
        raw = array.astype(TYPES[kind]).tobytes()
        span = [len(data), len(data) + len(raw)]
        header[key] = {"dtype": kind, "shape": list(array.shape), "data_offsets": span}
        data += raw
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    (FIXTURES / f"{name}.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + data)


def read(path):
    raw = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header, data = json.loads(raw[8 : 8 + length]), raw[8 + length :]
    header.pop("__metadata__", None)
    array = lambda entry: np.frombuffer(data[slice(*entry["data_offsets"])], TYPES[entry["dtype"]])
    return {key: torch.tensor(array(entry).reshape(entry["shape"]).astype(
        np.int64 if entry["dtype"] == "U32" else np.float32)) for key, entry in header.items()}


class Cases:
    """The cases of one operation."""

    def __init__(self, name, seed):
        self.name, self.tensors, self.generator = name, {}, torch.Generator().manual_seed(seed)

    def normal(self, *shape):
        return torch.randn(shape, generator=self.generator)

    def whole(self, low, high, *shape):
        return torch.randint(low, high, shape, generator=self.generator)

    def add(self, case, operation, settings=(), labels=None, gradients=True, **inputs):
        variables = {name: value.double().requires_grad_() for name, value in inputs.items()}
        output = operation(**variables)
        projection = self.normal(*output.shape)
        output.backward(projection.double())
        kept = {f"{case}/{name}": value for name, value in inputs.items()}
        kept |= {f"{case}/output": output.detach(), f"{case}/projection": projection}
        if gradients:
            kept |= {f"{case}/d_{name}": value.grad for name, value in variables.items()}
        self.tensors |= {name: value.float().numpy() for name, value in kept.items()}
        for name, value in [("settings", settings), ("labels", labels)]:
            if value is not None:
                self.tensors[f"{case}/{name}"] = torch.as_tensor(value).numpy().astype(np.uint32)

    def write(self):
        write(self.name, self.tensors)


def strange(x):
    """Puts numbers that are none, and infinite ones, here and there."""
    flat = x.clone().flatten()
    places = {3: NAN, 10: INFINITY, 17: -INFINITY, 24: NAN, 25: NAN, 26: INFINITY, 27: NAN, 31: INFINITY}
    for at, value in places.items():
        flat[at] = value
    return flat.reshape(x.shape)


def conv2d():
    cases = Cases("conv2d", 1)
    #  batch, channels, height, width, channels of the output, kernel, stride, padding
    for b, c, h, w, o, (kh, kw), s, p in [
        (1, 1, 14, 13, 3, (3, 3), 1, 0),
        (7, 3, 5, 6, 5, (3, 3), 1, 0),
        (2, 17, 6, 5, 9, (3, 3), 1, 0),
        (1, 3, 6, 7, 33, (3, 3), 1, 0),
        (7, 2, 5, 5, 4, (3, 3), 1, 1),
        (2, 4, 7, 6, 5, (1, 1), 1, 0),
        (1, 5, 10, 9, 6, (5, 5), 2, 1),
        (2, 3, 9, 7, 4, (3, 3), 2, 0),
        (2, 2, 7, 5, 3, (2, 2), 3, 2),
        (1, 3, 3, 3, 2, (3, 3), 1, 0),
        (2, 2, 6, 7, 3, (3, 2), 1, 1),
    ]:
        convolve = lambda x, weight, bias=None: F.conv2d(x, weight, bias, s, p)
        name = f"{b}x{c}x{h}x{w} to {o}, kernel {kh}x{kw}, stride {s}, padding {p}"
        x, weight = cases.normal(b, c, h, w), cases.normal(o, c, kh, kw)
        cases.add(name, convolve, [s, p], x=x, weight=weight, bias=cases.normal(o))
    cases.add("no bias", lambda x, weight: F.conv2d(x, weight), [1, 0],
              x=cases.normal(2, 3, 6, 5), weight=cases.normal(4, 3, 3, 3))
    cases.add("strange", lambda x, weight, bias: F.conv2d(x, weight, bias), [1, 0],
              x=strange(cases.normal(2, 2, 7, 8)), weight=cases.normal(9, 2, 3, 3), bias=cases.normal(9))
    cases.write()


def max_pool2d():
    cases = Cases("max_pool2d", 2)
    pool = lambda window, stride: lambda x: F.max_pool2d(x, window, stride)
    for b, c, h, w, window, stride in [
        (1, 1, 8, 8, 2, 2), (7, 2, 7, 9, 2, 2), (2, 9, 5, 6, 2, 2), (1, 17, 4, 3, 2, 2),
        (2, 3, 10, 11, 3, 3), (2, 3, 8, 9, 3, 2), (1, 2, 7, 7, 3, 1), (2, 2, 9, 10, 2, 3), (1, 2, 4, 4, 4, 4),
    ]:
        name = f"{b}x{c}x{h}x{w}, window {window}, stride {stride}"
        cases.add(name, pool(window, stride), [window, stride], x=cases.normal(b, c, h, w))
    for window, stride in [(2, 2), (3, 2)]:
        last = f", window {window}, stride {stride}"
        settings = [window, stride]
        cases.add("ties" + last, pool(*settings), settings, x=cases.whole(0, 3, 2, 3, 7, 8).float())
        cases.add("zeros" + last, pool(*settings), settings, x=torch.zeros(2, 2, 7, 6))
        cases.add("strange" + last, pool(*settings), settings, x=strange(cases.normal(2, 2, 7, 6)))
        cases.add("nothing but -infinity" + last, pool(*settings), settings, x=torch.full((1, 2, 5, 5), -INFINITY))
    cases.write()


def relu():
    cases = Cases("relu", 3)
    for shape in [(1,), (7, 3), (1, 3, 5, 7), (2, 2, 16, 8)]:
        cases.add("x".join(map(str, shape)), lambda x: F.relu(x), x=cases.normal(*shape))
    cases.add("zeros", lambda x: F.relu(x), x=torch.tensor([0.0, -0.0, 1e-30, -1e-30, 2.0, -2.0]))
    cases.add("strange", lambda x: F.relu(x), x=strange(cases.normal(5, 8)))
    cases.write()


def block():
    """Convolution, ReLU, and pool."""
    cases = Cases("block", 4)

    def add(name, window, x, weight, bias, gradients=True):
        run = lambda x, weight, bias: F.max_pool2d(F.relu(F.conv2d(x, weight, bias)), window)
        cases.add(name, run, [window], gradients=gradients, x=x, weight=weight, bias=bias)

    for b, c, h, w, o, k, window in [
        (1, 1, 10, 10, 3, 3, 2), (7, 3, 6, 7, 5, 3, 2), (2, 17, 6, 7, 9, 3, 2), (1, 3, 7, 6, 33, 3, 2),
        (1, 8, 11, 11, 16, 3, 2), (1, 2, 11, 12, 3, 3, 3), (2, 2, 9, 8, 3, 5, 2), (1, 2, 5, 5, 3, 1, 2),
        (2, 3, 4, 4, 2, 3, 2),
    ]:
        add(f"{b}x{c}x{h}x{w} to {o}, kernel {k}, window {window}", window,
            cases.normal(b, c, h, w), cases.normal(o, c, k, k), cases.normal(o))
    # Whole numbers make equal ones among the values that the pool sees, and zeros before the ReLU.
    add("ties", 2, cases.whole(-1, 2, 2, 2, 8, 9).float(), cases.whole(-1, 2, 9, 2, 3, 3).float(), torch.zeros(9))
    add("zeros", 2, torch.zeros(2, 2, 6, 7), cases.normal(3, 2, 3, 3), torch.zeros(3))
    add("nothing above zero", 2, cases.normal(2, 2, 6, 7), cases.normal(3, 2, 3, 3), torch.full((3,), -1e3))
    # PyTorch multiplies gradients of zero with what is no number, which a fused backward does not: its output only.
    add("strange", 2, strange(cases.normal(2, 2, 10, 9)), cases.normal(9, 2, 3, 3), cases.normal(9), gradients=False)
    cases.write()


def cross_entropy():
    cases = Cases("cross_entropy", 5)
    for batch, classes in [(1, 10), (7, 10), (7, 3), (2, 1), (5, 33)]:
        labels = cases.whole(0, classes, batch)
        run = lambda logits: F.cross_entropy(logits, labels)
        cases.add(f"{batch}x{classes}", run, labels=labels, logits=3 * cases.normal(batch, classes))

    def add(name, logits, labels):
        run = lambda logits: F.cross_entropy(logits, torch.tensor(labels))
        cases.add(name, run, labels=labels, logits=torch.tensor(logits))

    add("large", [[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [1e30, 0.0, 3.0]], [0, 2, 0])
    add("ties and zeros", [[0.0, 0.0, 0.0], [2.0, 2.0, -1.0]], [1, 0])
    add("NaN", [[1.0, NAN, 0.0], [1.0, 2.0, 3.0]], [0, 1])
    add("infinity", [[1.0, INFINITY, 0.0], [1.0, 2.0, 3.0]], [0, 1])
    add("-infinity beside the label", [[1.0, -INFINITY, 0.0], [1.0, 2.0, 3.0]], [0, 1])
    add("-infinity at the label", [[1.0, -INFINITY, 0.0], [1.0, 2.0, 3.0]], [1, 1])
    cases.write()


def cross_entropy_of_extremes():
    cases = Cases("cross_entropy_of_extremes", 7)

    def add(name, logits, labels):
        cases.add(name, lambda logits: F.cross_entropy(logits, labels), labels=labels, logits=logits)

    add("one row of 100 and -100", signs(cases, 1, 33), torch.tensor([20]))
    add("one column of 100 and -100", signs(cases, 9, 1), torch.zeros(9, dtype=torch.int64))
    add("100 and -100", signs(cases, 7, 5), cases.whole(0, 5, 7))
    add("near 100", 100 + cases.normal(7, 5), cases.whole(0, 5, 7))
    add("right and wrong by 200", rows_of_100(), torch.tensor([0, 1, 2, 2, 1]))
    cases.write()


def binary_cross_entropy():
    cases = Cases("binary_cross_entropy", 8)

    def add(name, logits, targets):
        cases.add(name, lambda logits, targets: F.binary_cross_entropy_with_logits(logits, targets),
                  logits=logits, targets=targets)

    for shape in [(1,), (1, 10), (7, 1), (5, 33), (2, 3, 7)]:
        name = "x".join(map(str, shape))
        add(name, 3 * cases.normal(*shape), torch.rand(shape, generator=cases.generator))
        add(name + ", targets 0 and 1", 3 * cases.normal(*shape), cases.whole(0, 2, *shape).float())
    add("100 and -100", signs(cases, 7, 5), torch.rand((7, 5), generator=cases.generator))
    add("100 and -100, targets 0 and 1", signs(cases, 7, 5), cases.whole(0, 2, 7, 5).float())
    add("right by 10", torch.tensor([10.0, -10.0, 10.0]), torch.tensor([1.0, 0.0, 1.0]))
    add("zeros", torch.zeros(3), torch.tensor([0.0, 1.0, 0.25]))
    cases.write()


def signs(cases, *shape):
    """100 and -100, at random."""
    return 200.0 * cases.whole(0, 2, *shape) - 100


def rows_of_100():
    """Each has its largest values, one or several, elsewhere; or all values are equal."""
    return torch.tensor([[100.0, -100, 0], [100, -100, 0], [-100, 100, 100], [-100, -100, -100], [100, 99.5, -3]])


def rows(name, seed, operation):
    """An operation along a dimension."""
    cases = Cases(name, seed)
    add = lambda name, dim, x: cases.add(f"{name}, along {dim}", lambda x: operation(x, dim), [dim], x=x)
    for shape in [(1,), (1, 10), (7, 1), (7, 10), (3, 4, 5), (3, 129)]:
        for dim in range(len(shape)):
            add("x".join(map(str, shape)), dim, 3 * cases.normal(*shape))
    add("one row of 100 and -100", 1, signs(cases, 1, 33))
    for dim in [0, 1]:
        add("rows of 100 and -100", dim, rows_of_100())
        add("near 100", dim, 100 + cases.normal(7, 5))
        add("from -100 to 100", dim, 200 * torch.rand((7, 5), generator=cases.generator) - 100)
        add("from -10000 to 10000", dim, 1e4 * signs(cases, 4, 3) / 100)
    cases.write()


def softmax():
    rows("softmax", 9, F.softmax)


def log_softmax():
    rows("log_softmax", 10, F.log_softmax)


def norm(name, seed, operation, parameters):
    """A norm. Its setting is the k of eps = 10^-k."""
    cases = Cases(name, seed)

    def add(name, x, k=5, count=len(parameters)):
        given = {key: cases.normal(x.shape[-1]) for key in parameters[:count]}
        run = lambda x, **given: operation(x, x.shape[-1:], **given, eps=10.0**-k)
        cases.add(", ".join([name, *given]), run, [k], x=x, **given)

    # With an eps near 0 the norm of a single value is no more than its sign, and the gradient all rounding error.
    for shape, k in [((10,), 5), ((1, 10), 5), ((7, 10), 5), ((5, 3), 5), ((7, 1), 0), ((3, 2, 33), 5), ((2, 129), 5)]:
        for count in range(len(parameters) + 1):
            add("x".join(map(str, shape)), cases.normal(*shape), k, count)
    add("large eps", cases.normal(5, 9), k=0)
    add("small eps", cases.normal(5, 9), k=12)
    add("100 and -100", signs(cases, 5, 7))
    add("near 100", 100 + cases.normal(5, 7))
    add("zeros", torch.zeros(2, 5))
    for size in [1e-6, 1e-3, 1e3, 1e6]:
        add(f"of about {size:g}", size * cases.normal(2, 7))
    cases.write()


def layer_norm():
    norm("layer_norm", 11, F.layer_norm, ["weight", "bias"])


def rms_norm():
    norm("rms_norm", 12, F.rms_norm, ["weight"])


def network():
    """The course's network, smaller."""
    cases = Cases("network", 6)
    for batch, side in [(1, 12), (7, 13)]:
        labels = cases.whole(0, 4, batch)
        flat = 5 * (((side - 2) // 2 - 2) // 2) ** 2

        def run(x, weight1, bias1, weight2, bias2, weight3, bias3):
            x = F.max_pool2d(F.relu(F.conv2d(x, weight1, bias1)), 2)
            x = F.max_pool2d(F.relu(F.conv2d(x, weight2, bias2)), 2)
            return F.cross_entropy(F.linear(x.flatten(1), weight3, bias3), labels)

        shapes = [(3, 1, 3, 3), (3,), (5, 3, 3, 3), (5,), (4, flat), (4,)]
        names = ["weight1", "bias1", "weight2", "bias2", "weight3", "bias3"]
        weights = {name: 0.3 * cases.normal(*shape) for name, shape in zip(names, shapes)}
        cases.add(f"{batch}x{side}", run, labels=labels, x=cases.normal(batch, 1, side, side), **weights)
    cases.write()


def curve(path):
    torch.set_num_threads(2)
    given = read(path)
    images, labels = given.pop("images"), given.pop("labels")
    weights = {name: value.requires_grad_() for name, value in given.items()}
    adam = torch.optim.Adam(list(weights.values()), lr=0.001)
    losses = []
    for x, y in zip(images.split(128), labels.split(128)):
        x = F.max_pool2d(F.relu(F.conv2d(x, weights["conv1.weight"], weights["conv1.bias"])), 2)
        x = F.max_pool2d(F.relu(F.conv2d(x, weights["conv2.weight"], weights["conv2.bias"])), 2)
        loss = F.cross_entropy(F.linear(x.flatten(1), weights["dense.weight"], weights["dense.bias"]), y)
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    write("curve", {"training/losses": np.array(losses, dtype=np.float32)})


OPERATIONS = {operation.__name__: operation for operation in [
    conv2d, max_pool2d, relu, block, cross_entropy, cross_entropy_of_extremes, binary_cross_entropy, softmax, log_softmax,
    layer_norm, rms_norm, network,
]}
arguments = sys.argv[1:]
if arguments and arguments[0].endswith(".safetensors"):
    curve(arguments[0])
else:
    for name in arguments or OPERATIONS:
        OPERATIONS[name]()
