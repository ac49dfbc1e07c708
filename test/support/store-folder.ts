import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PlainRecord } from '../../edge-daemon/store/commit.ts'
import type { ReadRequest, StoredRecord } from '../../edge-daemon/store/contract.ts'
import { type EngineOptions, LogEngine } from '../../edge-daemon/store/engine.ts'
import { readRange } from '../../edge-daemon/store/range-read.ts'
import type { LedgerRecord } from '../../protocol/records.ts'
import { RECORD_CLASSES, type RecordClass } from '../../protocol/subjects.ts'

/** A folder for one store; `using` removes it. */
export interface StoreFolder {
  readonly dir: string
  /** Paths of the segment files, oldest first. */
  segments(): string[]
  /** Change the bytes of a file of the store. */
  edit(path: string, change: (bytes: Buffer) => Buffer): void
  [Symbol.dispose](): void
}

/** Make a folder for one test. */
export function storeFolder(): StoreFolder {
  const root = mkdtempSync(join(tmpdir(), 'edgedeck-store-'))
  const dir = join(root, 'store')
  return {
    dir,
    segments: () =>
      readdirSync(join(dir, 'segments'))
        .toSorted()
        .map((name) => join(dir, 'segments', name)),
    edit: (path, change) => writeFileSync(path, change(readFileSync(path))),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  }
}

/** Options of an engine that neither rolls nor evicts unless told to. */
export function engineOptions(dir: string, changes: Partial<EngineOptions> = {}): EngineOptions {
  return { dir, nodeName: 'n1', maxBytes: 1e9, segmentBytes: 64e6, ...changes }
}

/** Records of the given classes with a running number in their body. */
export function plain(...classes: readonly RecordClass[]): PlainRecord[] {
  return classes.map((recordClass, n) => ({
    class: recordClass,
    timestamp: 1_793_000_000_000 + n,
    bodyJson: JSON.stringify({ n }),
  }))
}

/** Everything that a read returns; by default all records of all classes. */
export function readAll(engine: LogEngine, request: Partial<ReadRequest> = {}): StoredRecord[] {
  const steps = readRange(engine.source(), { classes: RECORD_CLASSES, limit: 1_000_000, ...request })
  return [...steps].filter((record) => record !== null)
}

/** The ledger of a store. */
export function ledgerOf(engine: LogEngine): LedgerRecord[] {
  return readAll(engine, { classes: ['ledger'] }).map(({ line }) => JSON.parse(line))
}

/** Open an engine, use it, close it. */
export function withEngine<T>(options: EngineOptions, use: (engine: LogEngine) => T): T {
  const engine = LogEngine.open(options)
  try {
    return use(engine)
  } finally {
    engine.close()
  }
}
