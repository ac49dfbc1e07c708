{
  "statement": {
    "v": 1,
    "kind": "model",
    "name": "digits",
    "version": "1.1.0",
    "files": [
      {
        "path": "card.md",
        "bytes": 3669,
        "sha256": "529137f3f0bf21d02d7af6b5fbf593eb90e3e6f4da52f158627f3e08b2a82b8f"
      },
      {
        "path": "digits-int8.onnx",
        "bytes": 39302,
        "sha256": "4750a449bf6815d1d46b68d768af4dc3055b1e4c4c5019a5c941afb1924f5bed"
      },
      {
        "path": "digits.onnx",
        "bytes": 117239,
        "sha256": "853c66cb01f02b127c464a0d47ec5a53a339f11cf3050f7ea3c53a549a9c6b8f"
      },
      {
        "path": "manifest.json",
        "bytes": 1694,
        "sha256": "cfb7dc369fcc352a23dd4940b125dff8463d572049a3f8abd09d77c0a4441fe1"
      },
      {
        "path": "samples/0-14.png",
        "bytes": 343,
        "sha256": "a50a4f81e9738b981dce1e0c00cb959bc6b9e5aee5720379a38d7a896772d69e"
      },
      {
        "path": "samples/0-19.png",
        "bytes": 306,
        "sha256": "9bc5a4d809992744ce72e028d5213191302115432acaff9c20c52b53d207050d"
      },
      {
        "path": "samples/0-24.png",
        "bytes": 312,
        "sha256": "659cb213ca2f82d9fd6322b806c1d2992abe3dbfae0e2869e732cf5f9d1fc49e"
      },
      {
        "path": "samples/0-4.png",
        "bytes": 316,
        "sha256": "0210da9796678cb755dc2819874792cf5c653f9debf94e594d276ea04b173724"
      },
      {
        "path": "samples/0-9.png",
        "bytes": 297,
        "sha256": "0076f356ba797e26ceb2fd21ad366ecf4089183f431c5673486b8ce788a3c741"
      },
      {
        "path": "samples/1-1004.png",
        "bytes": 162,
        "sha256": "0f124224f9b75e66e2a0680e1f565341f9501617f3bf813bfc4407c16f56c59b"
      },
      {
        "path": "samples/1-1014.png",
        "bytes": 202,
        "sha256": "5a09512bc46cfbad386543cb07dc4bd63c9f8abc82a1199270d765b235e965fd"
      },
      {
        "path": "samples/1-1019.png",
        "bytes": 221,
        "sha256": "3dc08218632642bbb412b7422d2f6674e489432a91246e16442547c98f6d4897"
      },
      {
        "path": "samples/1-1024.png",
        "bytes": 172,
        "sha256": "8bd486fc369241d68c985db6cd6cc6aedc35972723af9836d529e8a530abac6c"
      },
      {
        "path": "samples/1-1029.png",
        "bytes": 243,
        "sha256": "6f09161d9213b852cf8ccc1956f16ea01bfd616b5fabb5da9401adc5f5c24d8d"
      },
      {
        "path": "samples/2-2129.png",
        "bytes": 306,
        "sha256": "5c92846f3dbbbb4a4000ec8ca274d67aee8c87cfa6f43ce2ef1e6e07fd0305e8"
      },
      {
        "path": "samples/2-2134.png",
        "bytes": 250,
        "sha256": "5addf3dc0c7e4c89be7a5c8ffddb7529ae46bab72943e7249e78a89663d43f33"
      },
      {
        "path": "samples/2-2139.png",
        "bytes": 299,
        "sha256": "a85a3f68f801cf1593fedaef20efa39b9f130fd9a524c0560cfa0a2d6b51829c"
      },
      {
        "path": "samples/2-2144.png",
        "bytes": 304,
        "sha256": "b71e79a7538af5a43d77139294cc7bb8e17f49c84ca55d04c0b987982baf5d7b"
      },
      {
        "path": "samples/2-2149.png",
        "bytes": 314,
        "sha256": "ad638706713b0cdd5f39ef7e4c3d8ba24a21d05ac65da0616cacc1f9ab97e3bf"
      },
      {
        "path": "samples/3-3119.png",
        "bytes": 330,
        "sha256": "206c67a5e158c1dcef779579b59607a3e10c222a7420549129d9f12e9758996f"
      },
      {
        "path": "samples/3-3124.png",
        "bytes": 222,
        "sha256": "2c66ac125777c1ca47b1647083488d47faac44b3fab09f536effffa976239775"
      },
      {
        "path": "samples/3-3129.png",
        "bytes": 270,
        "sha256": "d2cfc44a8306727a6c7e8a4ab9d8258a3631b1cc4daf91c2925192db9ffa06bd"
      },
      {
        "path": "samples/3-3134.png",
        "bytes": 259,
        "sha256": "2c8c84b250570c0032e842b4a3c42da0888cc4a4849b40e939f1cf31e3c70967"
      },
      {
        "path": "samples/3-3139.png",
        "bytes": 304,
        "sha256": "b069878ec344750e7d3cf5e8f73d637ac599393ecc98a9231482ada55948d3ac"
      },
      {
        "path": "samples/4-4154.png",
        "bytes": 253,
        "sha256": "2076e703e01bf87828108ba0e5b76e5e2251eabd317acf7283a09a44a5757b1b"
      },
      {
        "path": "samples/4-4159.png",
        "bytes": 329,
        "sha256": "f815fae407747270fa67054ca9cf70c12c200973a675d717c928c22db922d53e"
      },
      {
        "path": "samples/4-4164.png",
        "bytes": 324,
        "sha256": "51ad9d21a879bf15ba19d35058757fe9c182f5c142c4626123a839d2806e2616"
      },
      {
        "path": "samples/4-4169.png",
        "bytes": 303,
        "sha256": "9b062e0f462dfea064c1c745159dea71a78e745fa2a9cb57fdc500265560e39a"
      },
      {
        "path": "samples/4-4174.png",
        "bytes": 263,
        "sha256": "6b2ec46aea4a7a2c64078b45b7fae773c5678559c136fee7812b7e8227f129a2"
      },
      {
        "path": "samples/5-5134.png",
        "bytes": 171,
        "sha256": "49c28a62ad7a174bbeca26a56e9734a95ebfb3fdbc9c1eb87c8027a30fdb162c"
      },
      {
        "path": "samples/5-5139.png",
        "bytes": 259,
        "sha256": "89629f323d184a9e50ff3f9864ead8a3a4b5ca468b55c6f50daa68f01ea9b583"
      },
      {
        "path": "samples/5-5144.png",
        "bytes": 318,
        "sha256": "912891128cafcf62d0d1998f507a81a15922ea661a77a1a1fc3b9cd55710508d"
      },
      {
        "path": "samples/5-5149.png",
        "bytes": 327,
        "sha256": "6d39a47871763e03bb724401e70411072fadf9cb00ecc3a253fc218531aaff08"
      },
      {
        "path": "samples/5-5154.png",
        "bytes": 323,
        "sha256": "a27cf172dfc7faf3f132919cd980a6076c73b690c37ab7b757983add92f4d372"
      },
      {
        "path": "samples/6-5994.png",
        "bytes": 304,
        "sha256": "9b82b664b92b881bd0022add23404bbf834a4dacd6196286d8843ce1cdb2480b"
      },
      {
        "path": "samples/6-5999.png",
        "bytes": 282,
        "sha256": "4eed2c3f3ba30741ea51c19c207c1f165b52a1c7351aad55f5ed64a7c6c5bf05"
      },
      {
        "path": "samples/6-6004.png",
        "bytes": 306,
        "sha256": "5ec2d3f636fde1cdc46727107e7986ab0a0437874e4db243957ddfc422ba044f"
      },
      {
        "path": "samples/6-6009.png",
        "bytes": 290,
        "sha256": "13894b721c39db1ae49148a709cbfa98f79b0c34b9a648c9c2f4a316a6d49b3a"
      },
      {
        "path": "samples/6-6014.png",
        "bytes": 315,
        "sha256": "fd8ce27372e1796c5b3224886580d5013028ab5d5a4b46be1ae5bdd448701a06"
      },
      {
        "path": "samples/7-7009.png",
        "bytes": 228,
        "sha256": "eb62763adfd33bc658568018207a6261d8067c1a903f2df9fb1f93c02a4aa762"
      },
      {
        "path": "samples/7-7014.png",
        "bytes": 263,
        "sha256": "fb8475f7ea78eb49b356a53ed8f727514263b6a8a962f8b3d506282387c892d4"
      },
      {
        "path": "samples/7-7019.png",
        "bytes": 251,
        "sha256": "cb63fef53732d3f270a9c2e05f2d6d49ecd96e5f0f8b46ad354e2affc7f68ca8"
      },
      {
        "path": "samples/7-7024.png",
        "bytes": 240,
        "sha256": "2cdc2093edd3321f0a61133df26d95ebc538c25ddd5f28cdf607f19199179316"
      },
      {
        "path": "samples/7-7034.png",
        "bytes": 231,
        "sha256": "f973f2cd3c1f51643e8af44476575da72b1ef63b3c85caeb1b9c7073f500a0a9"
      },
      {
        "path": "samples/8-8079.png",
        "bytes": 302,
        "sha256": "c22f7ecb1eeac9f66aad4eb13a0b6f16c85dbc2d7890cee8f9953ab60b80c877"
      },
      {
        "path": "samples/8-8084.png",
        "bytes": 296,
        "sha256": "a2687e95b5d72ef02eb2684290885009e771b92b60ca2a06b7460cbe3a873a7b"
      },
      {
        "path": "samples/8-8089.png",
        "bytes": 326,
        "sha256": "176afc22b8f7f5dca38a7e705639d54983cf3f8ffd789bfc5ed0537080f2e40a"
      },
      {
        "path": "samples/8-8094.png",
        "bytes": 317,
        "sha256": "747790a74c3f71c754bcbc2591899b853387192459088a298c28393feeca73ea"
      },
      {
        "path": "samples/8-8099.png",
        "bytes": 264,
        "sha256": "2b5520f0c334136f42136025adbc1fb1508c146c822112fc54777560dae8fb44"
      },
      {
        "path": "samples/9-9024.png",
        "bytes": 249,
        "sha256": "f7dea930298d6ad96c9c2c78d11b688fbffb9995c7a5ebd255bb8ec04c380b0b"
      },
      {
        "path": "samples/9-9034.png",
        "bytes": 292,
        "sha256": "b0e72c0a442d9a7e7557eae80ed634736b79070f7ee223aceaa01aa96e2784a9"
      },
      {
        "path": "samples/9-9039.png",
        "bytes": 286,
        "sha256": "e7c6d5e530f3ba4797d047e7c8cfb6c79fa681d3effb771af6ff678e4de0798b"
      },
      {
        "path": "samples/9-9044.png",
        "bytes": 270,
        "sha256": "6ebaf4ca964c5adcb7f9876ca5564208a438d2fa8537ae3c9279dd5cb7e3bfd4"
      },
      {
        "path": "samples/9-9049.png",
        "bytes": 255,
        "sha256": "fe8fa0ccc3fbea65a9da33946bde98ec80edfdef82ef5b149e600b3bede3abdf"
      }
    ]
  },
  "signatures": []
}
