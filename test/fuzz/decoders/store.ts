import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { crc32 } from 'node:zlib'
import { FrameReader, writeFrame } from '../../../edge-daemon/inference/framing.ts'
import { ChainFile, NEW_CHAIN } from '../../../edge-daemon/store/chain-file.ts'
import { nodeDisk } from '../../../edge-daemon/store/disk.ts'
import { ForkFile } from '../../../edge-daemon/store/fork-file.ts'
import { checkFrame, decodeLines, encodeFrame, HEADER_BYTES, readFrame } from '../../../edge-daemon/store/frame.ts'
import { readKeyFile } from '../../../edge-daemon/store/key-file.ts'
import { KeyRing } from '../../../edge-daemon/store/seal.ts'
import { readSegmentIndex } from '../../../edge-daemon/store/segment-index.ts'
import { Watermark } from '../../../edge-daemon/store/watermark.ts'
import type { Decoder } from '../decoder.ts'

const LINES = Array.from({ length: 40 }, (_, index) => `{"seq":${index + 1},"msg":"${'x'.repeat(120)}"}\n`)
const CONTENT = { class: 'abnormal', epoch: 'ab'.repeat(16), firstSeq: 1, lastSeq: 40, minTime: 1, maxTime: 2 } as const

function frameOf(lines: readonly string[], keys: KeyRing): Buffer {
  const content = { ...CONTENT, records: lines.length, endsCommit: true }
  return Buffer.concat(encodeFrame(content, Buffer.from(lines.join('')), keys.sealer).buffers)
}

/** As a thief of the disk would: the checksum fits what was changed. */
function withChecksum(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes)
  if (changed.length >= HEADER_BYTES) changed.writeUInt32LE(crc32(changed.subarray(8)), 4)
  return changed
}

/** What a daemon keeps on its disk and hands to its children: frames, slots, keys, indexes. */
export function storeDecoders(): Decoder[] {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-fuzz-'))
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }))
  const plain = new KeyRing(null)
  const sealed = new KeyRing({ keys: [{ id: 1, secret: new Uint8Array(32).fill(7) }], lost: [] })
  const readWith = (keys: KeyRing) => (bytes: Buffer) => {
    const fixed = withChecksum(bytes)
    checkFrame(bytes, 0)
    const read = readFrame(fixed, 0)
    return read.ok ? decodeLines(read.header, fixed.subarray(0, read.frameBytes), keys) : null
  }
  const isRead = (lines: unknown): boolean => lines !== null
  const onDisk = (name: string, make: (path: string) => void): Buffer => {
    const path = join(dir, name)
    make(path)
    const bytes = readFileSync(path)
    rmSync(path)
    return bytes
  }
  const asFile = (name: string, open: (path: string) => { close(): void }) => (bytes: Buffer) => {
    const path = join(dir, name)
    writeFileSync(path, bytes)
    try {
      open(path).close()
    } finally {
      rmSync(path, { force: true })
    }
    return true
  }
  const segment = join(dir, 'segments', 'segment')
  mkdirSync(join(dir, 'segments'))
  writeFileSync(segment, 'a segment')
  mkdirSync(join(dir, 'indexes'), { recursive: true })
  return [
    {
      name: 'stored-frame',
      samples: [frameOf(LINES, plain), frameOf(['{"seq":1}\n'], plain)],
      decode: readWith(plain),
      isTaken: isRead,
    },
    { name: 'sealed-frame', samples: [frameOf(LINES, sealed)], decode: readWith(sealed), isTaken: isRead },
    {
      name: 'chain-file',
      samples: [
        onDisk('chains', (path) => {
          const file = ChainFile.open(path, nodeDisk)
          file.save('ledger', { ...NEW_CHAIN, cursor: 41 })
          file.close()
        }),
      ],
      decode: asFile('chains', (path) => ChainFile.open(path)),
      isTaken: (is: boolean) => is,
      grows: false,
    },
    {
      name: 'watermark',
      samples: [onDisk('watermark', (path) => Watermark.open(path).close())],
      decode: asFile('watermark', (path) => Watermark.open(path)),
      isTaken: (is: boolean) => is,
      grows: false,
    },
    {
      name: 'fork-file',
      samples: [onDisk('forks', (path) => ForkFile.open(path).close())],
      decode: asFile('forks', (path) => ForkFile.open(path)),
      isTaken: (is: boolean) => is,
      grows: false,
    },
    {
      name: 'segment-index',
      samples: [
        (() => {
          const { size, mtimeNs } = statSync(segment, { bigint: true })
          const bytes = readFileSync(segment)
          const edges = crc32(bytes, crc32(bytes))
          const end = { lastSeq: 40, epoch: CONTENT.epoch }
          const head = {
            sizeBytes: Number(size),
            changed: String(mtimeNs),
            edges,
            end,
            keys: [],
            tables: [['normal', 0, 0]],
          }
          const json = Buffer.from(JSON.stringify(head))
          const start = Buffer.alloc(12)
          start.writeUInt32LE(0x01_78_69_ed, 0)
          start.writeUInt32LE(json.length, 8)
          return withChecksum(Buffer.concat([start, json, Buffer.alloc(96)]))
        })(),
      ],
      decode: (bytes: Buffer) => {
        writeFileSync(join(dir, 'indexes', 'segment.idx'), withChecksum(bytes))
        return readSegmentIndex(segment, { from: 1, to: 40 } as never)
      },
      isTaken: isRead,
    },
    {
      name: 'key-file',
      samples: [`# ours\n1:${'ab'.repeat(32)}\n2:lost\n7 : ${Buffer.alloc(32, 7).toString('base64')}\n`],
      decode: (text: string) => {
        const path = join(dir, 'store.keys')
        writeFileSync(path, text, { mode: 0o600 })
        chmodSync(path, 0o600)
        return readKeyFile(path)
      },
      isTaken: ({ keys }: { keys: readonly unknown[] }) => keys.length === 2,
    },
    {
      name: 'child-frames',
      samples: [
        (() => {
          const pipe = new PassThrough()
          writeFrame(pipe, 1, 7, Buffer.from('hello'))
          writeFrame(pipe, 2, 8, Buffer.alloc(0))
          return pipe.read() as Buffer
        })(),
      ],
      decode: (bytes: Buffer) => {
        let frames = 0
        const reader = new FrameReader(1024 * 1024, () => {
          frames += 1
        })
        reader.push(bytes)
        return frames
      },
      isTaken: (frames: number) => frames === 2,
      declares: (error) => error instanceof RangeError && error.message.includes('over the limit'),
    },
  ]
}
