"""The reference: what somebody writes first, a plain Flask service over onnxruntime.

It is the service of the requirements' source document (step 3 of its instructions), corrected so that it runs: the
clock, HTTP statuses that equal `code`, and no question to the cloud on each request, which alone would take longer than
everything else. One thread for the model, since the benchmark gives the server one core, and no line of log for each
request, which only slows it. It keeps no result.

    python server.py MODEL.onnx PORT [--keep-alive]
"""

import base64
import logging
import sys
import time
from io import BytesIO

import numpy as np
import onnxruntime as ort
from flask import Flask, jsonify, request
from PIL import Image, UnidentifiedImageError
from werkzeug.serving import WSGIRequestHandler

app = Flask(__name__)
options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])


def preprocess(image_base64):
    img = Image.open(BytesIO(base64.b64decode(image_base64))).convert("L")
    img = img.resize((28, 28))
    return np.expand_dims(np.expand_dims(np.array(img) / 255.0, axis=0), axis=0).astype(np.float32)


def answer(code, **fields):
    return jsonify({"code": code, "node_id": "edge-node-01", "timestamp": int(time.time() * 1000), **fields}), code


@app.route("/infer", methods=["POST"])
def infer():
    data = request.get_json(silent=True)
    image_base64 = data.get("image_base64") if isinstance(data, dict) else None
    if not image_base64:
        return answer(400, msg="image_base64 is missing")
    try:
        pixels = preprocess(image_base64)
    except (UnidentifiedImageError, ValueError, OSError) as error:
        return answer(422, msg=str(error))
    output = session.run(None, {"input": pixels})
    return answer(200, pred=int(np.argmax(output[0])))


@app.route("/readyz")
def readyz():
    return "ready"


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    if "--keep-alive" in sys.argv:
        WSGIRequestHandler.protocol_version = "HTTP/1.1"
    app.run(host="127.0.0.1", port=int(sys.argv[2]))
