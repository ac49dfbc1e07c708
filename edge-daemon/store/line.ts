/** Bytes that an envelope adds to a body at most, for bounding commits before sequences are known. */
export const ENVELOPE_BYTES = 128

const SEQ_AT = '{"seq":'.length
const TIMESTAMP_KEY = ',"timestamp":'
const TIMESTAMP_BYTES = Buffer.from(TIMESTAMP_KEY)
const ZERO = 0x30

/** The full JSON record: the envelope in front of a body that is a JSON object. `nodeJson` is the quoted node name. */
export function makeLine(seq: number, nodeJson: string, timestamp: number, bodyJson: string): string {
  const rest = bodyJson === '{}' ? '}' : `,${bodyJson.slice(1)}`
  return `{"seq":${seq},"node_id":${nodeJson},"timestamp":${timestamp}${rest}`
}

/** Sequence of a line of {@link makeLine}. */
export function seqOfLine(line: string): number {
  return Number.parseInt(line.slice(SEQ_AT, SEQ_AT + 20), 10)
}

/** Sequence of the line of {@link makeLine} that begins at `offset`. */
export function seqAt(ndjson: Uint8Array, offset: number): number {
  let seq = 0
  for (let at = offset + SEQ_AT; ; at += 1) {
    const digit = (ndjson[at] ?? 0) - ZERO
    if (digit < 0 || digit > 9) return seq
    seq = seq * 10 + digit
  }
}

/** Timestamp (Unix ms) of the line of {@link makeLine} that begins at `offset`. */
export function timestampAt(ndjson: Buffer, offset: number): number {
  let timestamp = 0
  for (let at = ndjson.indexOf(TIMESTAMP_BYTES, offset) + TIMESTAMP_BYTES.length; ; at += 1) {
    const digit = (ndjson[at] ?? 0) - ZERO
    if (digit < 0 || digit > 9) return timestamp
    timestamp = timestamp * 10 + digit
  }
}

/** Timestamp (Unix ms) of a line of {@link makeLine}. */
export function timestampOfLine(line: string): number {
  // Quotes in a node name are escaped, so the first unescaped key of that name is the envelope's.
  const at = line.indexOf(TIMESTAMP_KEY) + TIMESTAMP_KEY.length
  return Number.parseInt(line.slice(at, at + 20), 10)
}
