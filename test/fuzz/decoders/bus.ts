import { readPubAck } from '../../../edge-daemon/upstream/pub-ack.ts'
import { decodeHeartbeat } from '../../../protocol/presence.ts'
import { decodeToken, encodeToken, readBlockSubject } from '../../../protocol/subjects.ts'
import {
  decodeTunnelMessage,
  encodeTunnelMessage,
  type TunnelMessage,
  tunnelAnswerSchema,
  tunnelOpenSchema,
} from '../../../protocol/tunnel.ts'
import { type DecodedBlock, decodeBlock } from '../../../src/cloud/block.ts'
import { cloudBlock, cloudRecord, encodeBlock } from '../../support/cloud-blocks.ts'
import type { Decoder } from '../decoder.ts'
import { examplesOf } from './frames.ts'

/** Subjects, blocks and their headers, acknowledgements, heartbeats, tunnels. */
export function busDecoders(): Decoder[] {
  const zstd = encodeBlock(cloudBlock([cloudRecord(1), cloudRecord(5)]), 'zstd')
  const gzip = encodeBlock(cloudBlock([cloudRecord(1), cloudRecord(5)]), 'gzip')
  return [
    {
      name: 'subject',
      samples: ['edge.plant-a.node-1.results', 'edge.a=2Eb.n.resend.normal', 'edge.s.n.logs.error'],
      decode: (subject: string) => readBlockSubject(subject),
      isTaken: (read: object | null) => read !== null,
    },
    {
      name: 'subject-token',
      samples: ['plant-a', 'a=2Eb', '=E4=B8=9C'],
      decode: (token: string) => {
        const name = decodeToken(token)
        if (name !== null && encodeToken(name) !== token) throw new RangeError('a name has two tokens')
        return name
      },
      isTaken: (name: string | null) => name !== null,
    },
    {
      name: 'block-body',
      samples: [zstd.body, gzip.body],
      decode: (body: Buffer) => {
        const like = body.subarray(0, 2).equals(Buffer.from([0x1f, 0x8b])) ? gzip : zstd
        const rest = { region: 'east', subject: like.subject, position: 1, heldAtMs: 1 }
        return decodeBlock({ ...rest, header: (name) => like.headers[name] ?? null, body })
      },
      isTaken: (read: DecodedBlock) => read.ok,
    },
    {
      name: 'block-headers',
      samples: [JSON.stringify(zstd.headers)],
      decode: (text: string) => {
        const headers: unknown = JSON.parse(text)
        const header = (name: string): string | null => {
          const value = (headers as Record<string, unknown> | null)?.[name]
          return typeof value === 'string' ? value : null
        }
        return decodeBlock({ region: 'east', subject: zstd.subject, position: 1, heldAtMs: 1, header, body: zstd.body })
      },
      isTaken: (read: DecodedBlock) => read.ok,
      declares: (error) => error instanceof SyntaxError,
    },
    {
      name: 'publish-answer',
      samples: [Buffer.from('{"stream":"EDGE","seq":7}'), Buffer.from('{"error":{"code":503,"err_code":10077}}')],
      decode: (data: Buffer) =>
        readPubAck(undefined, data, { subject: 'edge.s.n.results', stream: { name: 'EDGE', domain: null }, count: 1 }),
      isTaken: (delivery: { outcome: string }) => delivery.outcome !== '',
    },
    {
      name: 'heartbeat',
      samples: examplesOf('presence.ts').map(({ json }) => Buffer.from(json)),
      decode: (data: Buffer) => decodeHeartbeat(data),
      isTaken: (read: object | null) => read !== null,
    },
    {
      name: 'tunnel-message',
      samples: [
        encodeTunnelMessage({ kind: 'data', seq: 7, acked: 1000, payload: Buffer.from('hello') }),
        encodeTunnelMessage({ kind: 'close', seq: 8, acked: 2 ** 40, payload: Buffer.from('over') }),
      ],
      decode: (bytes: Buffer) => {
        const read = decodeTunnelMessage(bytes)
        if (read !== null && !encodeTunnelMessage(read).equals(bytes)) throw new RangeError('a message has two forms')
        return read
      },
      isTaken: (read: TunnelMessage | null) => read !== null,
    },
    {
      name: 'tunnel-handshake',
      samples: [JSON.stringify({ v: 1 })],
      decode: (text: string) => {
        const value: unknown = JSON.parse(text)
        return [tunnelOpenSchema.safeParse(value), tunnelAnswerSchema.safeParse(value)]
      },
      isTaken: () => true,
      declares: (error) => error instanceof SyntaxError,
    },
  ]
}
