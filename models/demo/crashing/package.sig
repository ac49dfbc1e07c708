{
  "statement": {
    "v": 1,
    "kind": "model",
    "name": "digits",
    "version": "1.4.0",
    "files": [
      {
        "path": "card.md",
        "bytes": 281,
        "sha256": "85a25679cac854d8013b0c34fc798cd5e20e05f7a328237aedf8b0eec3edd861"
      },
      {
        "path": "digits.onnx",
        "bytes": 117633,
        "sha256": "9c69f2a4919a37a2e6f7e93b9f1deebd24db93499dcca3fd783ff300bd0fefd5"
      },
      {
        "path": "manifest.json",
        "bytes": 1480,
        "sha256": "d369fa0959dc43aac574897c3bf1ebf47245e8685d4d80ad4dc6824d4be2fae7"
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
      },
      {
        "path": "samples/7-7009.png",
        "bytes": 228,
        "sha256": "eb62763adfd33bc658568018207a6261d8067c1a903f2df9fb1f93c02a4aa762"
      },
      {
        "path": "samples/8-8079.png",
        "bytes": 302,
        "sha256": "c22f7ecb1eeac9f66aad4eb13a0b6f16c85dbc2d7890cee8f9953ab60b80c877"
      },
      {
        "path": "samples/9-9024.png",
        "bytes": 249,
        "sha256": "f7dea930298d6ad96c9c2c78d11b688fbffb9995c7a5ebd255bb8ec04c380b0b"
      }
    ]
  },
  "signatures": []
}
