"""Writing a model's folder as a package: graphs, card, samples, manifest.json and the statement over all of them."""

import hashlib
import json
import re

import numpy as np
from PIL import Image

from resampling import SIDE

SAMPLES_PER_CLASS = 5
SELF_TESTS_PER_CLASS = 1


def write_folder(folder, model, variants, pictures, card):
    """Write everything; `package.sig` has no signatures, `edgedeck model sign` adds them.

    `model` is name, version and description; `variants` dicts of name, file, precision, onnx (bytes), accuracy (0..1);
    `pictures` an iterable of (label, index, pixels) of which the first of each class are the self-tests.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {variant["file"]: variant["onnx"] for variant in variants}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "card.md").write_text(card)
    samples = folder / "samples"
    samples.mkdir(exist_ok=True)
    for old in samples.glob("*.png"):
        old.unlink()
    self_test, seen = [], {}
    for label, index, pixels in pictures:
        path = f"samples/{label}-{index}.png"
        Image.fromarray(pixels).save(folder / path, optimize=True)
        seen[label] = seen.get(label, 0) + 1
        if seen[label] <= SELF_TESTS_PER_CLASS:
            self_test.append({"file": path, "class": int(label)})
    (folder / "manifest.json").write_text(formatted(manifest_of(model, variants, self_test)))
    held = sorted(
        path for path in folder.rglob("*") if path.is_file() and path.relative_to(folder).as_posix() != "package.sig"
    )
    statement = {
        "v": 1,
        "kind": "model",
        "name": model["name"],
        "version": model["version"],
        "files": sorted(
            (
                {"path": path.relative_to(folder).as_posix(), "bytes": path.stat().st_size, "sha256": digest_of(path)}
                for path in held
            ),
            key=lambda file: file["path"],
        ),
    }
    (folder / "package.sig").write_text(json.dumps({"statement": statement, "signatures": []}, indent=2) + "\n")


def digest_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def chosen_samples(pictures, labels, indices, answers, confidence):
    """The first digits of each class that every variant answers right with confidence 0.9.

    `answers` and `confidence` have a row for each variant.
    """
    for label in range(10):
        good = np.flatnonzero((labels == label) & (answers == label).all(0) & (confidence >= 0.9).all(0))
        for position in good[:SAMPLES_PER_CLASS]:
            yield label, indices[position], pictures[position]


def manifest_of(model, variants, self_test):
    return {
        "format": 2,
        "name": model["name"],
        "version": model["version"],
        "description": model["description"],
        "input": {"name": "input", "datatype": "FP32", "shape": [-1, 1, SIDE, SIDE]},
        "preprocessing": {"color": "gray-bt601", "resize": "area", "divideBy": 255, "polarity": "white-on-black"},
        "output": {"name": "probabilities", "datatype": "FP32", "shape": [-1, 10], "meaning": "probabilities"},
        "classes": [str(d) for d in range(10)],
        "variants": [
            {
                "name": variant["name"],
                "file": variant["file"],
                "sha256": hashlib.sha256(variant["onnx"]).hexdigest(),
                "bytes": len(variant["onnx"]),
                "precision": variant["precision"],
                "accuracyPct": round(float(variant["accuracy"]) * 100, 2),
            }
            for variant in variants
        ],
        "maxAccuracyLoss": 0.5,
        "selfTest": self_test,
    }


def formatted(manifest):
    """JSON as the project's formatter would leave it: what fits into 120 columns of plain values on one line."""
    text = json.dumps(manifest, indent=2)
    text = re.sub(r"\[\s+([^][{}]*?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", text)
    return text + "\n"
