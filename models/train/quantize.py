"""The network with weights and activations of eight bits."""

import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process


class Pictures(CalibrationDataReader):
    """Hands the pictures over in batches, 0..1."""

    def __init__(self, pictures, batch=50):
        self.batches = iter([pictures[at : at + batch, None] for at in range(0, len(pictures), batch)])

    def get_next(self):
        batch = next(self.batches, None)
        return None if batch is None else {"input": batch}


def to_int8(onnx_bytes, pictures):
    """Static quantization, ranges of activations taken from `pictures` (N×28×28 float32, 0..1).

    Only operators of ONNX itself (QuantizeLinear and DequantizeLinear) are in the result. Weights have seven bits: on
    processors without VNNI sums of products of eight bits overflow their sixteen, which costs 0.4 points.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, ready, target = (str(Path(folder) / name) for name in ("fp32.onnx", "ready.onnx", "int8.onnx"))
        Path(source).write_bytes(onnx_bytes)
        quant_pre_process(source, ready, skip_symbolic_shape=True)
        quantize_static(
            ready,
            target,
            Pictures(pictures),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        model = onnx.load(target)
    used = {node.domain for node in model.graph.node}
    opsets = [opset for opset in model.opset_import if opset.domain in used or opset.domain == ""]
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    model.producer_name = "edgedeck"
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()
