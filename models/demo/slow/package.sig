{
  "statement": {
    "v": 1,
    "kind": "model",
    "name": "digits",
    "version": "1.3.0",
    "files": [
      {
        "path": "card.md",
        "bytes": 269,
        "sha256": "29d62c943d80d7a065eb8045e0543d23f29ee0a12fd0084ea5ef5c0d6ccdf3ae"
      },
      {
        "path": "digits.onnx",
        "bytes": 306079,
        "sha256": "314c6faa4d01eac6fa89458d404c0873a4c04259d5f782a82d148f412744b2d6"
      },
      {
        "path": "manifest.json",
        "bytes": 1480,
        "sha256": "5a445e4ce8d370bfa2d93a22de143b358cabcc9541fe2a92254e6368fad64e2b"
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
        "path": "samples/2-2154.png",
        "bytes": 255,
        "sha256": "8179ec0bd2319cc3293c8b6b4ba1ca476f56a740e6d2fef558349f5b08fd0b22"
      },
      {
        "path": "samples/3-3154.png",
        "bytes": 307,
        "sha256": "1f69ef456334973407b9b5642d371b04a64675b6237d2747ec2e298f73f872f9"
      },
      {
        "path": "samples/4-4154.png",
        "bytes": 253,
        "sha256": "2076e703e01bf87828108ba0e5b76e5e2251eabd317acf7283a09a44a5757b1b"
      },
      {
        "path": "samples/5-5154.png",
        "bytes": 323,
        "sha256": "a27cf172dfc7faf3f132919cd980a6076c73b690c37ab7b757983add92f4d372"
      },
      {
        "path": "samples/6-6004.png",
        "bytes": 306,
        "sha256": "5ec2d3f636fde1cdc46727107e7986ab0a0437874e4db243957ddfc422ba044f"
      },
      {
        "path": "samples/7-7054.png",
        "bytes": 285,
        "sha256": "1d529ccdea504634d91b069ac48e86b907422ef06a98ce0b926b00e82bfb3124"
      },
      {
        "path": "samples/8-8154.png",
        "bytes": 283,
        "sha256": "0871fe683e0cf7b8169c797225e07ff572047a6cccbf2ce4ac75818babcab1f5"
      },
      {
        "path": "samples/9-9054.png",
        "bytes": 266,
        "sha256": "c20364760a8dd4bc33ed16f500b60aa4c33b1e4cd54f41a3a2cacaf9a513c87a"
      }
    ]
  },
  "signatures": []
}
