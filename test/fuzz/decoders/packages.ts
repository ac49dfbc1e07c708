import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readOverlay } from '../../../edge-daemon/config/live-settings.ts'
import {
  newPackageKey,
  packageKeyPem,
  packageKeyText,
  readPackageSigners,
} from '../../../identity/package-signature.ts'
import { inspectOnnx, type OnnxGraph } from '../../../packages/onnx-graph.ts'
import { DELIVERY_ARGS } from '../../../protocol/delivery.ts'
import { decodeLabelledHead, decodeLabelledPicture, type LabelledLine } from '../../../protocol/labelled.ts'
import { objectMetaSchema } from '../../../protocol/object-store.ts'
import { parseSignedPackage } from '../../../protocol/package.ts'
import type { Decoder } from '../decoder.ts'

const SETTINGS = `filter:
  minConfidence: 0.8
  abnormal:
    - { name: failed, when: result.code != 200 }
alerts: { cpuPct: 90, after: 10s }
`
const OBJECT = {
  name: `blobs/${'a'.repeat(64)}`,
  nuid: 'aaaa-0',
  size: 2,
  chunks: 1,
  digest: 'SHA-256=RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o=',
  deleted: false,
  options: { max_chunk_size: 131_072 },
}
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
      name: 'labelled-head',
      samples: ['{"format":1,"classes":["0","größe"],"pictures":2}'],
      decode: decodeLabelledHead,
      isTaken: ({ ok }: LabelledLine<unknown>) => ok,
    },
    {
      name: 'labelled-picture',
      samples: ['{"label":"1","picture":"iVBORw0KGgo="}'],
      decode: (line: string) => decodeLabelledPicture(line, new Set(['0', '1'])),
      isTaken: ({ ok }: LabelledLine<unknown>) => ok,
    },
    {
      name: 'package-keys',
      samples: [packageKeyPem(key), packageKeyText(key)],
      decode: (text: string) => readPackageSigners(text),
      isTaken: (keys: readonly unknown[] | null) => keys !== null,
    },
    {
      name: 'package-settings',
      samples: [SETTINGS],
      decode: (text: string) => readOverlay(text, 'settings.yaml'),
      isTaken: () => true,
    },
    {
      name: 'bucket-object',
      samples: [JSON.stringify(OBJECT)],
      decode: (text: string) => objectMetaSchema.safeParse(JSON.parse(text)).success,
      isTaken: (isSound: boolean) => isSound,
      declares: (error) => error instanceof SyntaxError,
    },
    {
      name: 'package-put',
      samples: [JSON.stringify({ digest: 'a'.repeat(64), blob: 'statement', offset: 0, data: 'eA==' })],
      decode: (text: string) => DELIVERY_ARGS['package.put'].safeParse(JSON.parse(text)).success,
      isTaken: (isSound: boolean) => isSound,
      declares: (error) => error instanceof SyntaxError,
    },
  ]
}
