import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ServedModel } from '../../edge-daemon/models/models.ts'

const LAST_LAYER = 'dense2.weight'
const LAST_LAYER_FLOATS = 640

/** The digits graph with a share of its last layer's weights turned round: it runs and is often wrong. */
export function worseGraph(graph: Buffer, everyNth = 2): Buffer {
  const worse = Buffer.from(graph)
  // Its name, the tag of the raw data, and two bytes of their length come before the weights.
  const at = worse.lastIndexOf(LAST_LAYER) + LAST_LAYER.length + 3
  for (let n = 0; n < LAST_LAYER_FLOATS; n += everyNth) worse.writeFloatLE(-worse.readFloatLE(at + n * 4), at + n * 4)
  return worse
}

/** The digits model with a share of its last layer's weights turned round, in a file of its own in `dir`: it runs and is often wrong, with no self-test that would find it. */
export function worseDigits(digits: ServedModel, dir: string, everyNth = 2): ServedModel {
  const graph = worseGraph(readFileSync(digits.path), everyNth)
  const path = join(dir, 'worse.onnx')
  writeFileSync(path, graph)
  const file = { path, sizeBytes: graph.length, digest: '0'.repeat(64) }
  return { ...digits, ...file, version: '1.0.1-worse', selfTest: [] }
}

/** The digits model's graph with a last layer that never says one of the digits: right about all others. */
export function neverSays(digit: number, graph: Buffer): Buffer {
  const changed = Buffer.from(graph)
  // Its name, the tag of the raw data, and a byte of their length come before the biases.
  const at = changed.lastIndexOf('dense2.bias') + 'dense2.bias'.length + 2
  changed.writeFloatLE(-1000, at + digit * 4)
  return changed
}
