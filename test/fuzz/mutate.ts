/** What a decoder takes: text, or bytes. */
export type Input = string | Buffer

type Random = () => number

const EDGES = [
  ...['0', '-0', '-1', '1e999', '-1e999', '1e-999', '0.1', '255', '256', '65536', '2147483648', '4294967296'],
  ...[
    '9007199254740991',
    '9007199254740992',
    '18446744073709551616',
    'NaN',
    'Infinity',
    '1_000',
    '0x10',
    '"1"',
    'null',
  ],
]
const ODD_TEXTS = [
  ...[
    '',
    '\u0000',
    '\u001b[2J',
    '\u202e',
    '\ufeff',
    '\ud800',
    '\udc00\ud800',
    '😀',
    'e\u0301\u0302\u0303\u0304',
    '\u2028',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    '../../etc/passwd',
    '%00',
    '%',
    '%zz',
    '\r\n\r\n',
    '"',
    '\\',
    '\\u0000',
    "'",
  ],
  ...[
    '&a [*a,*a]',
    '<<: *a',
    '!!binary "x"',
    '---',
    '...',
    '$'.concat('{x}'),
    '-----BEGIN CERTIFICATE-----',
    '=',
    '==',
  ],
]
const NESTS: readonly (readonly [string, string])[] = [
  ['[', ']'],
  ['{"a":', '}'],
  ['[{"a":', '}]'],
  ['(', ')'],
  ['- ', ''],
  ['"', '"'],
]

function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)] as T
}

function placeIn(random: Random, input: Input): number {
  return Math.floor(random() * (input.length + 1))
}

/** One text with a part of it changed as decoders like it least. */
const TEXT_CHANGES: readonly ((text: string, random: Random, others: readonly string[]) => string)[] = [
  // A character more, less or other.
  (text, random) => {
    const at = placeIn(random, text)
    return (
      text.slice(0, at) + String.fromCharCode(Math.floor(random() * 256)) + text.slice(at + Math.floor(random() * 2))
    )
  },
  (text, random) => text.slice(0, placeIn(random, text)),
  (text, random) => text.slice(placeIn(random, text)),
  // The begin of one and the end of another.
  (text, random, others) => {
    const other = pick(random, others)
    return text.slice(0, placeIn(random, text)) + other.slice(placeIn(random, other))
  },
  // A number at an edge.
  (text, random) => {
    const numbers = [...text.matchAll(/-?\d+(?:\.\d+)?/g)]
    if (numbers.length === 0) return text + pick(random, EDGES)
    const { index, 0: found } = pick(random, numbers)
    return text.slice(0, index) + pick(random, EDGES) + text.slice(index + found.length)
  },
  (text, random) => {
    const at = placeIn(random, text)
    return text.slice(0, at) + pick(random, ODD_TEXTS) + text.slice(at)
  },
  // A stretch of it again and again.
  (text, random) => {
    const at = placeIn(random, text)
    const piece = text.slice(at, at + 1 + Math.floor(random() * 20))
    return text.slice(0, at) + piece.repeat(1 + Math.floor(random() * 200)) + text.slice(at)
  },
  (text, random) => {
    const [open, close] = pick(random, NESTS)
    const at = placeIn(random, text)
    const depth = pick(random, [10, 100, 3000])
    return text.slice(0, at) + open.repeat(depth) + close.repeat(depth) + text.slice(at)
  },
  // A value of another kind.
  (text, random) => {
    const values = [...text.matchAll(/"(?:[^"\\]|\\.)*"|\b(?:true|false|null)\b|-?\d+/g)]
    if (values.length === 0) return text
    const { index, 0: found } = pick(random, values)
    const kinds = [
      'null',
      'true',
      '[]',
      '{}',
      '""',
      '"x"',
      '-1',
      '[[]]',
      '{"__proto__":{"a":1}}',
      `"${'x'.repeat(70_000)}"`,
    ]
    return text.slice(0, index) + pick(random, kinds) + text.slice(index + found.length)
  },
  // A line less, or twice.
  (text, random) => {
    const lines = text.split('\n')
    const at = Math.floor(random() * lines.length)
    lines.splice(at, 1, ...(random() < 0.5 ? [] : [lines[at] ?? '', lines[at] ?? '']))
    return lines.join('\n')
  },
]

const BYTE_CHANGES: readonly ((bytes: Buffer, random: Random, others: readonly Buffer[]) => Buffer)[] = [
  (bytes, random) => {
    const changed = Buffer.from(bytes)
    for (let flips = 1 + Math.floor(random() * 8); flips > 0 && changed.length > 0; flips -= 1) {
      const at = Math.floor(random() * changed.length)
      changed[at] = (changed[at] ?? 0) ^ (1 << Math.floor(random() * 8))
    }
    return changed
  },
  (bytes, random) => bytes.subarray(0, placeIn(random, bytes)),
  (bytes, random) => bytes.subarray(placeIn(random, bytes)),
  (bytes, random, others) => {
    const other = pick(random, others)
    return Buffer.concat([bytes.subarray(0, placeIn(random, bytes)), other.subarray(placeIn(random, other))])
  },
  // A length or count at an edge.
  (bytes, random) => {
    const changed = Buffer.from(bytes)
    if (changed.length < 4) return changed
    const at = Math.floor(random() * (changed.length - 3))
    changed.writeUInt32LE(pick(random, [0, 1, 0x7f, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff]), at)
    return changed
  },
  (bytes, random) => {
    const at = placeIn(random, bytes)
    const piece = bytes.subarray(at, at + 1 + Math.floor(random() * 64))
    return Buffer.concat([bytes.subarray(0, at), ...Array.from({ length: 50 }, () => piece), bytes.subarray(at)])
  },
  (_bytes, random) => Buffer.from(Array.from({ length: Math.floor(random() * 300) }, () => Math.floor(random() * 256))),
]

/** A sample with one to three changes; texts and bytes are kept what they are. */
export function mutate(sample: Input, random: Random, others: readonly Input[]): Input {
  let changed = sample
  for (let times = 1 + Math.floor(random() * 3); times > 0; times -= 1) {
    if (typeof changed === 'string') {
      changed = pick(random, TEXT_CHANGES)(changed, random, others as readonly string[])
    } else {
      changed = pick(random, BYTE_CHANGES)(changed, random, others as readonly Buffer[])
    }
  }
  return changed
}

/** Inputs of about any size that a decoder may take badly: for seeing how its time grows. */
export function growing(sample: Input, random: Random): ((size: number) => Input)[] {
  if (typeof sample !== 'string') {
    const at = placeIn(random, sample)
    const piece = sample.subarray(at, at + 16)
    const fill = piece.length === 0 ? Buffer.from([0]) : piece
    return [
      (size) => Buffer.alloc(size, sample),
      (size) => Buffer.concat([sample.subarray(0, at), Buffer.alloc(size, fill), sample.subarray(at)]),
    ]
  }
  const at = placeIn(random, sample)
  const stretched = (piece: string) => (size: number) =>
    sample.slice(0, at) + piece.repeat(Math.ceil(size / piece.length)) + sample.slice(at)
  const pieces = ['[', '{"a":', 'a', ' ', '\n', '-', '"', '\\', ',', '0', 'a: ', '- ', '&a ', '?', '%41', '.', '=']
  return [
    ...[pick(random, pieces), pick(random, pieces), sample.slice(at, at + 12) || 'x'].map(stretched),
    (size) => sample.repeat(Math.ceil(size / Math.max(1, sample.length))),
    (size) => pick(random, pieces).repeat(size),
  ]
}
