"""What is done to the digits while training, so that the network knows them as a camera shows them."""

import jax
import jax.numpy as jnp
import numpy as np

from resampling import FRAME_HEIGHT, FRAME_WIDTH, SIDE, area_matrix, interpolation_matrix


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
    return jnp.clip(
        dim * (1 + slope_x * x + slope_y * y) + dim * grain * jax.random.normal(keys[2], (SIDE, SIDE)), 0, 1
    )
