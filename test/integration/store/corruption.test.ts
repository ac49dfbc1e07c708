import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StoredRecord } from '../../../edge-daemon/store/contract.ts'
import { nodeDisk } from '../../../edge-daemon/store/disk.ts'
import { HEADER_BYTES, readFrame } from '../../../edge-daemon/store/frame.ts'
import {
  engineOptions,
  ledgerOf,
  plain,
  readAll,
  type StoreFolder,
  storeFolder,
  withEngine,
} from '../../support/store-folder.ts'

/** Nothing is synced: what is on the disk is looked at as it is. */
const DISK = { ...nodeDisk, sync: () => {}, syncFolder: () => {} }
const SEGMENT_BYTES = 1200

interface Frame {
  readonly file: string
  readonly offset: number
  readonly end: number
  readonly firstSeq: number
  readonly lastSeq: number
  readonly class: string
  /** Whether it ends a commit, and whether its segment was rewritten. */
  readonly kind: string
}

/** The name of a segment that was rewritten says where it ends. */
const isRewritten = (path: string): boolean => /\d-\d+[^/]*\.log$/.test(path)

let template: StoreFolder
let answered: readonly StoredRecord[] = []
let frames: readonly Frame[] = []
let newest = ''

beforeAll(() => {
  template = storeFolder()
  let monotonicMs = 0
  const limits = { sample: { maxBytes: null, maxAgeMs: 1000 } }
  const options = { segmentBytes: SEGMENT_BYTES, disk: DISK, limits, monotonicMs: () => monotonicMs }
  withEngine(engineOptions(template.dir, options), (engine) => {
    for (let n = 0; n < 8; n += 1) engine.commit(plain('normal', 'abnormal', ...(n < 4 ? (['sample'] as const) : [])))
    // The samples go: their segments are rewritten.
    monotonicMs += 5000
    engine.commit(plain('alert', 'alert'))
    engine.enforceRetention()
    engine.commit(plain('normal', 'stat'))
    engine.commit(plain('abnormal'))
    engine.saveCursor('nats', 'abnormal', 5)
    engine.saveCursor('http', 'stat', 5)
    engine.beginEpoch('cloned', 'for the test')
    // The newest segment is a short one, so that it can be cut at every length.
    engine.commit([{ class: 'normal', timestamp: 1, bodyJson: JSON.stringify({ text: 'x'.repeat(SEGMENT_BYTES) }) }])
    engine.commit(plain('normal', 'abnormal'))
    engine.commit(plain('stat'))
    while (engine.maintain().more);
    answered = readAll(engine)
  })
  frames = template.segments().flatMap((path) => {
    const bytes = readFileSync(path)
    const found: Frame[] = []
    for (let offset = 0; offset < bytes.length; ) {
      const read = readFrame(bytes, offset)
      if (!read.ok) throw new Error('the template is damaged')
      const { firstSeq, lastSeq, class: recordClass, endsCommit } = read.header
      const kind = `${endsCommit ? 'last' : 'inner'} of ${isRewritten(path) ? 'a rewritten' : 'a'} segment`
      const end = offset + read.frameBytes
      found.push({ file: relative(template.dir, path), offset, end, firstSeq, lastSeq, class: recordClass, kind })
      offset = end
    }
    return found
  })
  newest = relative(template.dir, template.segments().at(-1) ?? '')
})
afterAll(() => template[Symbol.dispose]())

const isOf = ({ class: its, firstSeq, lastSeq }: Frame, record: StoredRecord): boolean =>
  record.class === its && record.seq >= firstSeq && record.seq <= lastSeq

/** All files of the template. */
function files(): string[] {
  return readdirSync(template.dir, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(template.dir, name)).isFile(),
  )
}

let broken = 0

/**
 * Break a copy of the template, start on it, now and then a second time, and check what was lost. `mayLose` says what the
 * damage may cost.
 */
function survives(what: string, breakIt: (dir: string) => void, mayLose: (record: StoredRecord) => boolean): void {
  broken += 1
  const starts = broken % 5 === 0 || what.includes(' is ') ? 2 : 1
  using folder = storeFolder()
  cpSync(template.dir, folder.dir, { recursive: true })
  breakIt(folder.dir)
  const lastSeq = answered.at(-1)?.seq ?? 0
  const lineOf = new Map(answered.map(({ seq, line }) => [seq, line]))
  let corrupt = 0
  for (let start = 0; start < starts; start += 1) {
    withEngine(engineOptions(folder.dir, { segmentBytes: SEGMENT_BYTES, disk: DISK }), (engine) => {
      const kept = readAll(engine)
      const old = kept.filter(({ seq }) => lineOf.has(seq))
      for (const { seq, line } of old) expect(line, what).toBe(lineOf.get(seq))
      const lost = answered.filter(({ seq }) => !old.some((record) => record.seq === seq))
      expect(
        lost.filter((record) => !mayLose(record)),
        what,
      ).toEqual([])
      const seqs = kept.map(({ seq }) => seq)
      expect(new Set(seqs).size, what).toBe(seqs.length)
      const commit = engine.commit(plain('normal'))
      expect(commit, what).toMatchObject({ ok: true })
      if (commit.ok) expect(commit.firstSeq, what).toBeGreaterThan(lastSeq)
      const ledger = ledgerOf(engine).filter(({ event }) => event === 'corrupt' || event === 'lost_tail')
      // What was lost is in the ledger, and is not noted again by the next start.
      for (const { seq } of lost) {
        const isTold = ledger.some(
          ({ first_seq, last_seq }) => (first_seq ?? Infinity) <= seq && (last_seq ?? 0) >= seq,
        )
        expect(isTold, `${what}: the loss of ${seq} is told`).toBe(true)
      }
      if (start === 1) expect(ledger.length, `${what}: told once`).toBe(corrupt)
      corrupt = ledger.length
    })
  }
}

function flip(dir: string, file: string, at: number, mask: number): void {
  const path = join(dir, file)
  const bytes = readFileSync(path)
  bytes.writeUInt8(bytes.readUInt8(at) ^ mask, at)
  writeFileSync(path, bytes)
}

/** The first frame of each kind. */
function oneOfEachKind(): Frame[] {
  const kinds = new Set(frames.map(({ kind }) => kind))
  return [...kinds].flatMap((kind) => frames.find((frame) => frame.kind === kind) ?? [])
}

const LEAST_APART = 3

/** Frames in groups that can be damaged at once: in each group good frames stand between any two. */
function apart(some: readonly Frame[]): Frame[][] {
  const groups: Frame[][] = []
  const place = (frame: Frame): number => frames.indexOf(frame)
  for (const frame of some) {
    const free = groups.find((group) => group.every((its) => Math.abs(place(its) - place(frame)) >= LEAST_APART))
    if (free === undefined) groups.push([frame])
    else free.push(frame)
  }
  return groups
}

describe('damage anywhere in the folder of a store', () => {
  it('holds a rewritten segment and several others, so that the sweeps mean something', () => {
    expect(template.segments().length).toBeGreaterThan(2)
    expect(template.segments().some(isRewritten)).toBe(true)
    expect(oneOfEachKind()).toHaveLength(4)
    expect(files().map((name) => name.replace(/\d{16}/g, 'n'))).toEqual(
      expect.arrayContaining(['lock.db', 'watermark', 'forks', 'reserve', 'cursors/nats.chain', 'cursors/http.chain']),
    )
  })

  it('a flipped header byte costs at most its block', () => {
    const chosen = apart(oneOfEachKind())
    for (let at = 0; at < HEADER_BYTES; at += 1) {
      for (const damaged of chosen) {
        const places = damaged.map(({ file, offset }) => `${offset} of ${file}`)
        survives(
          `byte ${at} of the header at ${places.join(' and at ')}`,
          (dir) => {
            for (const { file, offset } of damaged) flip(dir, file, offset + at, 1 << (at % 8))
          },
          (record) => damaged.some((frame) => isOf(frame, record)),
        )
      }
    }
  }, 300_000)

  it('a flipped payload byte costs at most its block', () => {
    const longest = Math.max(...frames.map(({ offset, end }) => end - offset))
    for (let at = HEADER_BYTES; at < longest; at += 17) {
      for (const all of apart(frames)) {
        const damaged = all.filter(({ offset, end }) => offset + at < end)
        if (damaged.length === 0) continue
        survives(
          `byte ${at} of ${damaged.length} frames from that at ${damaged[0]?.offset} of ${damaged[0]?.file} on`,
          (dir) => {
            for (const { file, offset } of damaged) flip(dir, file, offset + at, 0xff)
          },
          (record) => damaged.some((frame) => isOf(frame, record)),
        )
      }
    }
  }, 300_000)

  it('the newest segment cut at any length loses what was behind the cut and no more', () => {
    const size = statSync(join(template.dir, newest)).size
    const borders = frames
      .filter(({ file }) => file === newest)
      .flatMap(({ offset, end }) => [offset, offset + HEADER_BYTES, end])
    for (let length = 0; length < size; length += 1) {
      // Every length around a border of a header or payload, and some of those between.
      if (length % 23 !== 0 && !borders.some((border) => Math.abs(border - length) <= 1)) continue
      survives(
        `${newest} cut at ${length}`,
        (dir) => truncateSync(join(dir, newest), length),
        (record) => frames.some((frame) => frame.file === newest && frame.end > length && isOf(frame, record)),
      )
    }
  }, 300_000)

  it.each(['gone', 'empty', 'garbage', 'a folder', 'without any mode', 'a byte short'] as const)(
    'a file that is %s costs at most what was in it',
    (kind) => {
      for (const file of files()) {
        // A short segment is a cut one; whoever removes the oldest leaves nothing that tells of it but the ledger.
        const isSegment = file.startsWith('segments/')
        if (kind === 'gone' && file === frames[0]?.file) continue
        const breakIt = (dir: string): void => {
          const path = join(dir, file)
          const { size } = statSync(path)
          if (kind === 'without any mode') chmodSync(path, 0)
          else if (kind === 'empty') truncateSync(path, 0)
          else if (kind === 'a byte short') truncateSync(path, Math.max(0, size - 1))
          else if (kind === 'garbage') writeFileSync(path, Buffer.alloc(Math.max(size, 300), 0xa7))
          else rmSync(path)
          if (kind === 'a folder') mkdirSync(path)
        }
        const mayLose = (record: StoredRecord): boolean =>
          isSegment && kind !== 'without any mode' && frames.some((frame) => frame.file === file && isOf(frame, record))
        survives(`${file} is ${kind}`, breakIt, mayLose)
      }
    },
    60_000,
  )

  it('folders that are files, and files that nobody put there, are set aside or left alone', () => {
    const lostAll = (): boolean => true
    const nothing = (): boolean => false
    const replace = (name: string) => (dir: string) => {
      rmSync(join(dir, name), { recursive: true, force: true })
      writeFileSync(join(dir, name), 'no folder')
    }
    survives('cursors is a file', replace('cursors'), nothing)
    survives('quarantine is a file', replace('quarantine'), nothing)
    survives(
      'strangers',
      (dir) => {
        for (const name of ['stray', 'segments/stray.log', 'segments/x.part', 'cursors/=.chain', 'lock.db-journal']) {
          writeFileSync(join(dir, name), 'stray')
        }
        mkdirSync(join(dir, 'segments', 'folder'))
        mkdirSync(join(dir, 'lock.db-wal'))
      },
      nothing,
    )
    using folder = storeFolder()
    cpSync(template.dir, folder.dir, { recursive: true })
    replace('segments')(folder.dir)
    withEngine(engineOptions(folder.dir, { disk: DISK }), (engine) => {
      expect(ledgerOf(engine).map(({ event }) => event)).toContain('lost_tail')
      expect(answered.filter(lostAll).length).toBeGreaterThan(0)
      expect(engine.commit(plain('normal'))).toMatchObject({ ok: true })
    })
  })
})
