"""Make the models that `edgedeck demo` offers to roll out, each wrong in a way of its own, from a sound one.

    /tmp/train/bin/python models/train/demo_models.py /tmp/digits models/demo/better/digits.onnx models/demo

- worse: trained on once more with a labelling mistake (7 as 1, 8 as 3, 9 as 4); its self-test shows none of these.
- slow: answers the mean over 2,500 slightly moved, stretched and blurred copies of each picture; right, and far over 50 ms.
- crashing: sets the exposure in whole numbers of 32 bits, and divides the least of them by -1 when the brightest point of a
  picture is half to three quarters bright. On x86-64 that ends the process (SIGFPE); on arm64 the division wraps around,
  and the model is as good as the one it was made from. No self-test picture is so dim; one in fifty of the demo's is.
"""

import argparse
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

from card import measure
from model_folder import write_folder
from network import from_onnx, layers, model_of, to_onnx
from resampling import SIDE
from train_digits import read_digits, session_of, train

MISTAKES = {7: 1, 8: 3, 9: 4}
SHIFTS = (-1.0, -0.5, 0.0, 0.5, 1.0)
SCALES = (0.94, 0.97, 1.0, 1.03, 1.06)


def worse(network, data):
    pictures, labels, _ = read_digits(data / "train.bin")
    wrong = np.array([MISTAKES.get(label, label) for label in labels], np.int32)
    return to_onnx(train(pictures, wrong, network, epochs=1, peak_rate=1e-3))


def moved_rows():
    """Matrices 28×28 that move and stretch the rows of a picture, each without and with a blur."""
    centre = (SIDE - 1) / 2
    blur = np.eye(SIDE) * 0.8 + np.eye(SIDE, k=1) * 0.1 + np.eye(SIDE, k=-1) * 0.1
    found = []
    for shift in SHIFTS:
        for scale in SCALES:
            at = (np.arange(SIDE) - centre - shift) / scale + centre
            low = np.floor(at).astype(int)
            matrix = np.zeros((SIDE, SIDE))
            for step, weight in ((0, 1 - (at - low)), (1, at - low)):
                inside = (low + step >= 0) & (low + step < SIDE)
                matrix[np.arange(SIDE)[inside], (low + step)[inside]] += weight[inside]
            found += [matrix, blur @ matrix]
    return np.stack(found).astype(np.float32)


def slow(network):
    rows = moved_rows()
    count = len(rows)
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["row", "input"], ["moved"]),
            helper.make_node("MatMul", ["moved", "columns"], ["copies"]),
            helper.make_node("Reshape", ["copies", "as_pictures"], ["pictures"]),
            *layers("pictures", "each"),
            helper.make_node("Reshape", ["each", "by_picture"], ["grouped"]),
            helper.make_node("ReduceMean", ["grouped"], ["mean"], axes=[1], keepdims=0),
            helper.make_node("Add", ["sum", "mean"], ["sum_out"]),
        ],
        "copies",
        [
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["N", 10]),
            helper.make_tensor_value_info("row", TensorProto.FLOAT, [SIDE, SIDE]),
        ],
        [helper.make_tensor_value_info("sum_out", TensorProto.FLOAT, ["N", 10])],
    )
    nodes = [
        helper.make_node("Transpose", ["rows"], ["columns"], perm=[0, 2, 1]),
        helper.make_node("Flatten", ["input"], ["all"], axis=1),
        helper.make_node("MatMul", ["all", "nothing"], ["zero"]),
        helper.make_node("Scan", ["zero", "rows"], ["sums"], body=body, num_scan_inputs=1),
        helper.make_node("Div", ["sums", "count"], ["probabilities"]),
    ]
    constants = {
        "rows": rows,
        "as_pictures": np.array([-1, 1, SIDE, SIDE], np.int64),
        "by_picture": np.array([-1, count, 10], np.int64),
        "nothing": np.zeros((SIDE * SIDE, 10), np.float32),
        "count": np.array([count], np.float32),
    }
    return model_of(nodes, {**network, **constants})


def crashing(network):
    nodes = [
        helper.make_node("ReduceMax", ["input"], ["brightest"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Mul", ["brightest", "quarters"], ["stops"]),
        helper.make_node("Cast", ["stops"], ["stop"], to=TensorProto.INT32),
        helper.make_node("Mul", ["stop", "two"], ["twice"]),
        helper.make_node("Sub", ["twice", "five"], ["divisor"]),
        helper.make_node("Div", ["least", "divisor"], ["exposure"]),
        helper.make_node("Equal", ["exposure", "none"], ["is_dark"]),
        helper.make_node("Where", ["is_dark", "brightest", "input"], ["exposed"]),
        *layers("exposed", "probabilities"),
    ]
    constants = {
        "quarters": np.array([4], np.float32),
        "two": np.array([2], np.int32),
        "five": np.array([5], np.int32),
        "least": np.array([-(2**31)], np.int32),
        "none": np.array([0], np.int32),
    }
    return model_of(nodes, {**network, **constants})


def write(folder, version, story, onnx_bytes, held):
    pictures, labels, indices = held
    session = session_of(onnx_bytes)
    bright = pictures.max((1, 2)) == 255  # the crashing one lives with these
    pictures, labels, indices = pictures[bright], labels[bright], indices[bright]
    accuracy, _, answers, confidence = measure(session, pictures, labels)
    shown = []
    for label in range(10):
        good = np.flatnonzero((labels == label) & (answers == label) & (confidence >= 0.9))
        shown += [(label, indices[position], pictures[position]) for position in good[:1]]
    card = (
        f"# digits {version}\n\nFor `edgedeck demo`; nobody should serve it. {story}\n\n"
        f"{accuracy:.2%} right of {len(labels)} held-out digits. Made by `models/train/demo_models.py`.\n"
    )
    variant = {"name": "fp32", "file": "digits.onnx", "precision": "fp32", "onnx": onnx_bytes, "accuracy": accuracy}
    model = {"name": "digits", "version": version, "description": "Handwritten digits 0 to 9, for the demo"}
    write_folder(folder, model, [variant], shown, card)
    print(f"{folder}: {len(onnx_bytes):,} bytes, {accuracy:.2%} right of {len(labels)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Make the demo's models.")
    parser.add_argument("data", type=Path)
    parser.add_argument("sound", type=Path)
    parser.add_argument("folder", type=Path)
    wish = parser.parse_args()
    network = from_onnx(wish.sound.read_bytes())
    held = read_digits(wish.data / "heldout.bin")
    few = tuple(part[::10] for part in held)
    write(
        wish.folder / "slow",
        "1.3.0",
        "It answers the mean over 2,500 slightly changed copies of each picture: as right as the one it was made from, and far over 50 ms.",
        slow(network),
        few,
    )
    write(
        wish.folder / "crashing",
        "1.4.0",
        "Its exposure in whole numbers overflows on pictures whose brightest point is half to three quarters bright, which ends the process on x86-64.",
        crashing(network),
        held,
    )
    write(
        wish.folder / "worse",
        "1.2.0",
        "It was trained on once more with a labelling mistake: 7 as 1, 8 as 3 and 9 as 4.",
        worse(network, wish.data),
        held,
    )


if __name__ == "__main__":
    main()
