"""Enlarging and shrinking pictures as matrices that act on rows and on columns."""

import numpy as np

SIDE = 28
FRAME_WIDTH, FRAME_HEIGHT = 640, 480


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
