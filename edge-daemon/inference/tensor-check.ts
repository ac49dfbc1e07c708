import type { InferenceSession } from 'onnxruntime-node'

/** What a manifest says of an input or output; −1 stands for the batch. */
export interface SaidTensor {
  readonly name: string
  readonly shape: readonly number[]
}

/**
 * Find out whether a graph's real inputs or outputs are what its manifest says: the one name among them (of inputs the
 * only one), 32-bit floats, as many dimensions, each fixed one of the same size, and a batch of any size.
 * @throws Error that says what is not so.
 */
export function requireTensor(
  what: 'input' | 'output',
  found: readonly InferenceSession.ValueMetadata[],
  said: SaidTensor,
): void {
  const known = found.map(({ name }) => `"${name}"`).join(', ')
  const tensor = found.find(({ name }) => name === said.name)
  if (tensor === undefined) throw new Error(`the graph has no ${what} named "${said.name}", only ${known}`)
  if (what === 'input' && found.length > 1) {
    throw new Error(`the graph wants ${found.length} inputs (${known}), and only "${said.name}" is fed`)
  }
  if (!tensor.isTensor || tensor.type !== 'float32') {
    throw new Error(
      `the ${what} "${said.name}" is ${tensor.isTensor ? `of ${tensor.type}` : 'no tensor'}, and float32 is served`,
    )
  }
  // A graph need not say the shape of what it gives; the first runs count its values.
  if (tensor.shape.length === 0) return
  const shape = `[${tensor.shape.join(', ')}]`
  if (tensor.shape.length !== said.shape.length) {
    throw new Error(
      `the ${what} "${said.name}" has ${tensor.shape.length} dimensions ${shape}, the manifest says ${said.shape.length}`,
    )
  }
  said.shape.forEach((size, index) => {
    const real = tensor.shape[index]
    if (typeof real !== 'number' || real < 0) return
    if (size === -1) {
      throw new Error(
        `the ${what} "${said.name}" takes batches of ${real} only; export it with a dynamic first dimension`,
      )
    }
    if (real !== size)
      throw new Error(`the ${what} "${said.name}" is ${shape}, the manifest says ${size} where ${real} stands`)
  })
}
