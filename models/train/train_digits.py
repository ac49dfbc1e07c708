"""Train the digits model and write its folder, which is a package: digits.onnx, digits-int8.onnx, manifest.json, card.md,
samples/, and package.sig without signatures (`edgedeck model sign` adds them).

    python3 -m venv /tmp/train && /tmp/train/bin/pip install -r models/train/requirements.txt
    node scripts/train-digits/export-digits.ts /tmp/digits
    /tmp/train/bin/python models/train/train_digits.py /tmp/digits models/digits

Takes some minutes on two cores. With `--from FILE` the network of a file is trained on (`--epochs 0`: only measured and
packed anew). The network is in network.py, what is done to its digits in variation.py, the split in
scripts/train-digits/digits.ts. The held-out digits are only read after training, to measure and to pick samples.
"""

import argparse
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import onnxruntime

from card import card_of, measure
from model_folder import chosen_samples, write_folder
from network import forward, from_onnx, new_network, to_onnx
from quantize import to_int8
from resampling import SIDE
from variation import empty_scene, vary

VERSION = "1.0.0"
SEED = 7
EPOCHS = 60
BATCH = 100
PEAK_RATE = 3e-3
SMOOTHING = 0.02
SCENES_WITHOUT_DIGIT = 6  # of each batch; their target is "no idea", so that an empty scene is not a confident digit
CALIBRATION_DIGITS = 500  # of those trained on, varied, from which the ranges of the eight-bit model are taken


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


def train(pictures, labels, network=None, epochs=EPOCHS, seed=SEED, peak_rate=PEAK_RATE):
    """A network trained on all these digits; one that is given is trained on."""
    key = jax.random.key(seed)
    order = np.random.default_rng(seed)
    key, own = jax.random.split(key)
    network = new_network(own) if network is None else {name: jnp.asarray(value) for name, value in network.items()}
    mean = jax.tree.map(jnp.zeros_like, network)
    square = jax.tree.map(jnp.zeros_like, network)
    pictures = pictures.astype(np.float32) / 255
    batches = len(pictures) // BATCH
    total = epochs * batches
    n = 0
    for epoch in range(epochs):
        began = time.monotonic()
        losses = []
        for chosen in order.permutation(len(pictures))[: batches * BATCH].reshape(batches, BATCH):
            n += 1
            progress = n / total
            rate = peak_rate * min(progress / 0.1, (1 + np.cos(np.pi * progress)) / 2)
            key, own = jax.random.split(key)
            network, mean, square, loss = step(
                network, mean, square, pictures[chosen], labels[chosen], own, float(n), rate
            )
            losses.append(loss)
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}, {time.monotonic() - began:.1f} s", flush=True)
    return {name: np.asarray(value, np.float32) for name, value in network.items()}


def calibration(pictures):
    """Some training digits as cameras see them, and scenes without a digit."""
    key, empty_key = jax.random.split(jax.random.key(SEED))
    chosen = pictures[:: len(pictures) // CALIBRATION_DIGITS].astype(np.float32) / 255
    seen = jax.vmap(vary)(jax.random.split(key, len(chosen)), chosen)
    empty = jax.vmap(empty_scene)(jax.random.split(empty_key, 50))
    return np.asarray(jnp.concatenate([seen, empty]), np.float32)


def session_of(onnx_bytes):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(onnx_bytes, options, providers=["CPUExecutionProvider"])


def pack(data, target, network, version, story):
    """Measure fp32 and INT8 on the held-out digits and write the package."""
    pictures, labels, _ = read_digits(data / "train.bin")
    held_pictures, held_labels, held_indices = read_digits(data / "heldout.bin")
    fp32 = to_onnx(network)
    int8 = to_int8(fp32, calibration(pictures))
    sessions = [session_of(fp32), session_of(int8)]
    rights, _, answers, confidence = zip(*(measure(session, held_pictures, held_labels) for session in sessions))
    if rights[1] < rights[0] - 0.005:
        raise SystemExit(f"INT8 answers {rights[1]:.2%} right and fp32 {rights[0]:.2%}: more than half a point less")
    made = {
        "version": version,
        "size_bytes": len(fp32),
        "int8_bytes": len(int8),
        "int8_right": rights[1],
        "trained_on": len(labels),
        "story": story,
        "batch": BATCH,
        "empty_per_batch": SCENES_WITHOUT_DIGIT,
    }
    card = card_of(sessions[0], held_pictures, held_labels, made, sessions[1])
    write_folder(
        target,
        {"name": "digits", "version": version, "description": "Handwritten digits 0 to 9"},
        [
            {"name": "fp32", "file": "digits.onnx", "precision": "fp32", "onnx": fp32, "accuracy": rights[0]},
            {"name": "int8", "file": "digits-int8.onnx", "precision": "int8", "onnx": int8, "accuracy": rights[1]},
        ],
        chosen_samples(held_pictures, held_labels, held_indices, np.stack(answers), np.stack(confidence)),
        card,
    )
    print(card)


def main():
    parser = argparse.ArgumentParser(description="Train the digits model and pack it.")
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--version", default=VERSION)
    parser.add_argument("--from", dest="start", type=Path, help="ONNX file that this script wrote")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--rate", type=float, default=PEAK_RATE)
    parser.add_argument("--seed", type=int, default=SEED)
    wish = parser.parse_args()
    pictures, labels, _ = read_digits(wish.data / "train.bin")
    network = None if wish.start is None else from_onnx(wish.start.read_bytes())
    if wish.epochs > 0:
        network = train(pictures, labels, network, wish.epochs, wish.seed, wish.rate)
    story = f"{EPOCHS} epochs" if wish.start is None or wish.epochs == 0 else f"{EPOCHS} epochs and {wish.epochs} more"
    pack(wish.data, wish.folder, network, wish.version, story)


if __name__ == "__main__":
    main()
