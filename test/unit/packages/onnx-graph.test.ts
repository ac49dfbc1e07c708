import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { inspectOnnx } from '../../../packages/onnx-graph.ts'
import { EdgeError } from '../../../protocol/errors.ts'
import { graphOf, message, modelOf, nodeOf, tensorOf } from '../../support/onnx-file.ts'

const digits = (file: string) => fileURLToPath(new URL(`../../../models/digits/${file}`, import.meta.url))
let dir: string
let path: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgedeck-onnx-'))
  path = join(dir, 'model.onnx')
})
afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

const relu = nodeOf('Relu')
const outside = tensorOf('weights', [13, message([1, 'location'], [2, '../../etc/passwd'])], [14, 1])
/** A node with the graph as its branch, as If and Loop have. */
const branching = (graph: Buffer): Buffer => nodeOf('If', '', [message([1, 'then_branch'], [6, graph])])

describe('looking into an ONNX file', () => {
  it('tells opset and operators of the digits model, in fp32 and in eight bits', () => {
    expect(inspectOnnx(digits('digits.onnx'))).toEqual({
      irVersion: 8,
      opset: 17,
      operators: { Conv: 3, Relu: 4, MaxPool: 3, Flatten: 1, Gemm: 2, Softmax: 1 },
    })
    expect(inspectOnnx(digits('digits-int8.onnx')).operators).toMatchObject({ Conv: 3, QuantizeLinear: 11 })
  })

  it('passes over weights of any size without reading them', async () => {
    const large = tensorOf('large', [9, Buffer.alloc(20e6, 0xff)])
    await writeFile(path, modelOf(graphOf([relu, relu], [large, tensorOf('small')])))
    expect(inspectOnnx(path).operators).toEqual({ Relu: 2 })
  })

  it.each<[string, Buffer, RegExp]>([
    ['an operator of somebody else', modelOf(graphOf([relu, nodeOf('Sleep', 'evil.ops')])), /"Sleep" of "evil.ops"/],
    [
      'an operator of the runtime, which may read files',
      modelOf(graphOf([nodeOf('EPContext', 'com.microsoft')])),
      /EPCon/,
    ],
    ['one in a branch', modelOf(graphOf([branching(graphOf([nodeOf('Sleep', 'evil')]))])), /"Sleep" of "evil"/],
    [
      'one in a branch of a branch of a second graph',
      Buffer.concat([
        modelOf(graphOf([relu])),
        message([7, graphOf([branching(graphOf([branching(graphOf([nodeOf('Sleep', 'evil')]))]))])]),
      ]),
      /"Sleep" of "evil"/,
    ],
    ['weights in another file', modelOf(graphOf([relu], [outside])), /outside of its file: "weights"/],
    [
      'weights in another file by their place alone',
      modelOf(graphOf([relu], [tensorOf('weights', [14, 1])])),
      /outside of its file: "weights"/,
    ],
    [
      'such weights in an attribute',
      modelOf(graphOf([nodeOf('Constant', '', [message([1, 'value'], [5, outside])])])),
      /outside of its file/,
    ],
    [
      'such weights among the tensors of an attribute in a branch',
      modelOf(graphOf([branching(graphOf([nodeOf('X', '', [message([10, tensorOf('fine')], [10, outside])])]))])),
      /outside of its file/,
    ],
    [
      'such weights in a sparse tensor',
      modelOf(message([1, relu], [15, message([1, tensorOf('values')], [2, outside])])),
      /outside of its file/,
    ],
    ['such weights in a branch', modelOf(graphOf([branching(graphOf([relu], [outside]))])), /outside of its file/],
    ['functions of its own', modelOf(graphOf([relu]), 17, [25, message([1, 'f'])]), /functions of its own/],
    ['an opset of the future', modelOf(graphOf([relu]), 27), /of opset 27, and 7 to 26 are known/],
    ['an opset of the past', modelOf(graphOf([relu]), 6), /of opset 6/],
    ['no opset', message([1, 8], [7, graphOf([relu])]), /does not say which opset/],
    ['no graph', message([1, 8], [8, message([2, 17])]), /holds no graph/],
    ['nothing', Buffer.alloc(0), /no ONNX model/],
    ['a text', Buffer.from('these stand for the weights of a network'), /no ONNX model/],
    ['the format of the runtime', Buffer.from('\x18\x00\x00\x00ORTM and more', 'latin1'), /own format/],
    [
      'a field that goes over its end',
      Buffer.concat([modelOf(graphOf([relu])), Buffer.from([0x3a, 0x7f])]),
      /over its end/,
    ],
    [
      'a size of 2 to the 63',
      Buffer.concat([Buffer.from([0x3a]), Buffer.alloc(9, 0xff), Buffer.from([0])]),
      /over its end/,
    ],
    ['a number that does not end', Buffer.alloc(40, 0xff), /does not end/],
    ['a group', Buffer.from([0x0b, 0x0c]), /unknown kind/],
    [
      'branches without end',
      modelOf(graphOf([Array.from({ length: 20 }).reduce<Buffer>((inner) => branching(graphOf([inner])), relu)])),
      /over 16 deep/,
    ],
  ])('refuses %s, and says a cure', async (_what, bytes, said) => {
    await writeFile(path, bytes)
    try {
      inspectOnnx(path)
    } catch (error) {
      if (!(error instanceof EdgeError)) throw error
      expect([error.code, error.message]).toEqual(['MODEL_INVALID', expect.stringMatching(said)])
      expect(error.message).toContain(path)
      expect(error.next).toHaveLength(1)
      return
    }
    throw new Error('it was taken')
  })

  it('opens neither a link nor a folder', async () => {
    await symlink(digits('digits.onnx'), path)
    expect(() => inspectOnnx(path)).toThrow(/no ONNX model/)
    expect(() => inspectOnnx(dir)).toThrow(/no ONNX model: it is not a file/)
  })
})
