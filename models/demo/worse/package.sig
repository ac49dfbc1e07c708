{
  "statement": {
    "v": 1,
    "kind": "model",
    "name": "digits",
    "version": "1.2.0",
    "files": [
      {
        "path": "card.md",
        "bytes": 220,
        "sha256": "7b4d065110caff609d0c177f9be56ab337d7b3985cda2afa2b63a2d393559274"
      },
      {
        "path": "digits.onnx",
        "bytes": 117239,
        "sha256": "2a0f21c4e23116b0aa560450dfd982511bf143dcf787c51a2a682c042a3286a5"
      },
      {
        "path": "manifest.json",
        "bytes": 1282,
        "sha256": "f51f81a12ee36e9440975f9491ebacea00d40ef954c88209284eca1d07545610"
      },
      {
        "path": "samples/0-4.png",
        "bytes": 316,
        "sha256": "0210da9796678cb755dc2819874792cf5c653f9debf94e594d276ea04b173724"
      },
      {
        "path": "samples/1-1004.png",
        "bytes": 162,
        "sha256": "0f124224f9b75e66e2a0680e1f565341f9501617f3bf813bfc4407c16f56c59b"
      },
      {
        "path": "samples/2-2129.png",
        "bytes": 306,
        "sha256": "5c92846f3dbbbb4a4000ec8ca274d67aee8c87cfa6f43ce2ef1e6e07fd0305e8"
      },
      {
        "path": "samples/3-3119.png",
        "bytes": 330,
        "sha256": "206c67a5e158c1dcef779579b59607a3e10c222a7420549129d9f12e9758996f"
      },
      {
        "path": "samples/4-4154.png",
        "bytes": 253,
        "sha256": "2076e703e01bf87828108ba0e5b76e5e2251eabd317acf7283a09a44a5757b1b"
      },
      {
        "path": "samples/5-5134.png",
        "bytes": 171,
        "sha256": "49c28a62ad7a174bbeca26a56e9734a95ebfb3fdbc9c1eb87c8027a30fdb162c"
      },
      {
        "path": "samples/6-5994.png",
        "bytes": 304,
        "sha256": "9b82b664b92b881bd0022add23404bbf834a4dacd6196286d8843ce1cdb2480b"
      }
    ]
  },
  "signatures": []
}
