"""The network: its parameters, what it computes, and the same as ONNX."""

import jax
import jax.numpy as jnp
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from resampling import SIDE

CHANNELS = (12, 24, 32)
HIDDEN = 64


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


def from_onnx(onnx_bytes):
    """Inverse of to_onnx: the parameters by name."""
    graph = onnx.load_from_string(onnx_bytes).graph
    return {weights.name: numpy_helper.to_array(weights) for weights in graph.initializer}


def layers(given, result):
    """Nodes from a picture N×1×28×28 named `given` to probabilities N×10 named `result`; weights by name."""
    nodes, x = [], given
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
    return nodes + [
        helper.make_node("Flatten", [x], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "dense1.weight", "dense1.bias"], ["dense1"]),
        helper.make_node("Relu", ["dense1"], ["dense1.relu"]),
        helper.make_node("Gemm", ["dense1.relu", "dense2.weight", "dense2.bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], [result], axis=1),
    ]


def to_onnx(network):
    """The network as ONNX: `input` N×1×28×28 in, `probabilities` N×10 out, softmax inside."""
    return model_of(layers("input", "probabilities"), network)


def model_of(nodes, constants):
    """A graph from `input` to `probabilities`, with the constants that it names."""
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 1, SIDE, SIDE])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model.producer_name = "edgedeck"
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()
