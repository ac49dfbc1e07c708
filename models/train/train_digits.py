"""Train the digits model and write its folder: digits.onnx, manifest.json, card.md and samples/.

    python3 -m venv /tmp/train && /tmp/train/bin/pip install -r models/train/requirements.txt
    node scripts/train-digits/export-digits.ts /tmp/digits
    /tmp/train/bin/python models/train/train_digits.py /tmp/digits models/digits

Takes some minutes on two cores. The network is in network.py, what is done to its digits in variation.py, the split in
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
import onnxruntime
from PIL import Image

from card import card_of
from network import forward, new_network, to_onnx
from resampling import SIDE
from variation import empty_scene, vary

VERSION = "1.0.0"
SEED = 7
EPOCHS = 60
BATCH = 100
PEAK_RATE = 3e-3
SMOOTHING = 0.02
SCENES_WITHOUT_DIGIT = 6  # of each batch; their target is "no idea", so that an empty scene is not a confident digit
SAMPLES_PER_CLASS = 5


def read_digits(path):
    """Pictures N×28×28 uint8, labels N, indices N, as export-digits.ts wrote them."""
    layout = np.dtype([("label", "u1"), ("index", "<u4"), ("pixels", "u1", (SIDE, SIDE))])
    rows = np.fromfile(path, dtype=layout)
    return rows["pixels"], rows["label"].astype(np.int32), rows["index"]


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
    made = {
        "version": VERSION,
        "size_bytes": len(onnx_bytes),
        "trained_on": len(labels),
        "epochs": EPOCHS,
        "batch": BATCH,
        "empty_per_batch": SCENES_WITHOUT_DIGIT,
    }
    card, answers, confidence = card_of(session, held_pictures, held_labels, made)
    (target / "card.md").write_text(card)
    write_samples(target / "samples", held_pictures, held_labels, held_indices, answers, confidence)
    print(card)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: train_digits.py DATA_FOLDER MODEL_FOLDER")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
