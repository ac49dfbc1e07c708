import { describe, expect, it } from 'vitest'
import { requireTensor } from '../../../edge-daemon/inference/tensor-check.ts'

const said = { name: 'input', shape: [-1, 1, 28, 28] }
const real = (shape: readonly (number | string)[], more: Record<string, unknown> = {}) =>
  [{ name: 'input', isTensor: true, type: 'float32', shape, ...more }] as Parameters<typeof requireTensor>[1]

describe('a graph’s real input', () => {
  it.each<readonly (number | string)[]>([
    ['N', 1, 28, 28],
    [-1, 1, 28, 28],
    ['N', 'C', 'H', 'W'],
  ])('may be [%s, %s, %s, %s]', (...shape) => {
    expect(() => requireTensor('input', real(shape), said)).not.toThrow()
  })

  it('may leave the shape of an output unsaid', () => {
    expect(() => requireTensor('output', real([]), said)).not.toThrow()
  })

  it.each<[string, Parameters<typeof requireTensor>[1], RegExp]>([
    ['another name', real(['N', 1, 28, 28], { name: 'x' }), /no input named "input", only "x"/],
    [
      'another besides',
      [...real(['N', 1, 28, 28]), ...real(['N'], { name: 'mask' })],
      /wants 2 inputs \("input", "mask"\)/,
    ],
    ['bytes', real(['N', 1, 28, 28], { type: 'uint8' }), /of uint8, and float32 is served/],
    ['a sequence', real([], { isTensor: false }), /no tensor/],
    ['colours', real(['N', 3, 28, 28]), /says 1 where 3 stands/],
    ['another size', real(['N', 1, 28, 32]), /says 28 where 32 stands/],
    ['no channels', real(['N', 28, 28]), /has 3 dimensions \[N, 28, 28\], the manifest says 4/],
    ['batches of one only', real([1, 1, 28, 28]), /batches of 1 only; export it with a dynamic first dimension/],
  ])('is refused with %s', (_what, found, message) => {
    expect(() => requireTensor('input', found, said)).toThrow(message)
  })
})
