import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  newPackageKey,
  packageKeyPem,
  packageKeyText,
  readPackageSigners,
} from '../../../identity/package-signature.ts'
import { inspectOnnx, type OnnxGraph } from '../../../packages/onnx-graph.ts'
import { parseSignedPackage } from '../../../protocol/package.ts'
import type { Decoder } from '../decoder.ts'

const digits = (file: string): Buffer => readFileSync(new URL(`../../../models/digits/${file}`, import.meta.url))

/** What a node reads of a package before, and after, it knows who signed it. */
export function packageDecoders(): Decoder[] {
  const folder = mkdtempSync(join(tmpdir(), 'edgedeck-fuzz-onnx-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'model.onnx')
  const key = newPackageKey()
  return [
    {
      name: 'package-statement',
      samples: [digits('package.sig').toString('utf8')],
      decode: (text: string) => parseSignedPackage(text, 'package.sig'),
      isTaken: () => true,
    },
    {
      name: 'onnx-graph',
      samples: [digits('digits.onnx'), digits('digits-int8.onnx')],
      decode: (bytes: Uint8Array) => {
        writeFileSync(path, bytes)
        return inspectOnnx(path)
      },
      isTaken: (graph: OnnxGraph) => graph.opset > 0,
      share: 0.4,
    },
    {
      name: 'package-keys',
      samples: [packageKeyPem(key), packageKeyText(key)],
      decode: (text: string) => readPackageSigners(text),
      isTaken: (keys: readonly unknown[] | null) => keys !== null,
    },
  ]
}
