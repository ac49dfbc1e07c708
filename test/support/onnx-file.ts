/** A field of a protocol buffer message: its number, and a number, a text, or messages within. */
export type WireField = readonly [number: number, value: number | string | Buffer]

/** A message of protocol buffers, field after field as given. */
export function message(...fields: readonly WireField[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([number, value]) =>
      typeof value === 'number'
        ? [varint(number * 8), varint(value)]
        : [varint(number * 8 + 2), varint(Buffer.byteLength(value)), Buffer.from(value)],
    ),
  )
}

/** A number as protocol buffers write it. */
export function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest >= 128) {
    bytes.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  return Buffer.from([...bytes, rest])
}

/** A tensor of weights, held in the file; `more` fields come behind. */
export function tensorOf(name: string, ...more: readonly WireField[]): Buffer {
  return message([1, 1], [2, 1], [8, name], [9, Buffer.alloc(4)], ...more)
}

/** A node of a graph; `attributes` are AttributeProto messages. */
export function nodeOf(operator: string, domain = '', attributes: readonly Buffer[] = []): Buffer {
  return message(
    [1, 'input'],
    [2, 'output'],
    [4, operator],
    ...attributes.map((attribute): WireField => [5, attribute]),
    ...(domain === '' ? [] : ([[7, domain]] as const)),
  )
}

/** A graph of nodes and initializers. */
export function graphOf(nodes: readonly Buffer[], initializers: readonly Buffer[] = []): Buffer {
  return message(
    ...nodes.map((node): WireField => [1, node]),
    [2, 'graph'],
    ...initializers.map((tensor): WireField => [5, tensor]),
  )
}

/** A model of one graph; `more` fields come behind. */
export function modelOf(graph: Buffer, opset = 17, ...more: readonly WireField[]): Buffer {
  return message([1, 8], [2, 'edgedeck'], [7, graph], [8, message([1, ''], [2, opset])], ...more)
}
