import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../../protocol/errors.ts'
import {
  decodeToken,
  encodeToken,
  type RecordClass,
  UPSTREAM_CLASSES,
  type UpstreamClass,
} from '../../protocol/subjects.ts'
import { BacklogMeter, type ReadExtent } from './backlog.ts'
import { ChainFile, NEW_CHAIN } from './chain-file.ts'
import type { Backlog, Chain, Chains } from './contract.ts'
import type { Disk } from './disk.ts'
import type { Entered, LogIndex } from './log-index.ts'
import type { Quarantine } from './quarantine.ts'

const SUFFIX = '.chain'

/** Whether records of a class travel upstream. */
export function isUpstream(recordClass: RecordClass): recordClass is UpstreamClass {
  return (UPSTREAM_CLASSES as readonly RecordClass[]).includes(recordClass)
}

/** Where the files of the targets are, and which of them records wait for. */
export interface TargetPlace {
  readonly folder: string
  readonly disk: Disk
  readonly quarantine: Quarantine
  /** @see StoreOptions.awaited */
  readonly awaited: Awaited | null
}

/** Lists of names of targets. */
export type Awaited = readonly (readonly string[])[]

interface Target {
  readonly file: ChainFile
  readonly meter: BacklogMeter
}

/** The uplink targets that the store knows: how far each has got, on disk, and what waits for it. */
export class TargetSet {
  readonly #folder: string
  readonly #disk: Disk
  readonly #quarantine: Quarantine
  readonly #awaited: Awaited | null
  readonly #index: LogIndex
  readonly #recordsOf: ReadExtent
  readonly #targets = new Map<string, Target>()
  /** What waits for a target that never acknowledged anything. */
  readonly #untouched: BacklogMeter
  /** Damaged cursors found at the start, with what they fell back to. */
  readonly damaged: { target: string; recordClass: UpstreamClass; seq: number }[] = []

  constructor({ folder, disk, quarantine, awaited }: TargetPlace, index: LogIndex, recordsOf: ReadExtent) {
    this.#folder = folder
    this.#disk = disk
    this.#quarantine = quarantine
    this.#awaited = awaited
    this.#index = index
    this.#recordsOf = recordsOf
    this.#untouched = new BacklogMeter(index, recordsOf, new Map())
    quarantine.folder(folder)
    for (const name of readdirSync(folder)) {
      const target = name.endsWith(SUFFIX) ? decodeToken(name.slice(0, -SUFFIX.length)) : null
      if (target === null) continue
      const file = ChainFile.open(this.#usablePath(target), disk)
      this.#add(target, file)
      for (const recordClass of file.damaged) {
        this.damaged.push({ target, recordClass, seq: file.seqs.get(recordClass) ?? 0 })
      }
    }
  }

  highestCursor(): number {
    let highest = 0
    for (const { file } of this.#targets.values()) {
      for (const { cursor, held, sent } of file.chains.values()) {
        highest = Math.max(highest, cursor, held?.lastSeq ?? 0, sent?.lastSeq ?? 0)
      }
    }
    return highest
  }

  /** By target. */
  chains(): Record<string, Chains> {
    return Object.fromEntries(Array.from(this.#targets, ([name, { file }]) => [name, Object.fromEntries(file.chains)]))
  }

  chainOf(name: string, recordClass: UpstreamClass): Chain {
    return this.#targets.get(name)?.file.chains.get(recordClass) ?? NEW_CHAIN
  }

  backlogs(): Record<string, Backlog> {
    const known = Array.from(this.#targets, ([name, { meter }]) => [name, meter.read()] as const)
    return Object.fromEntries([['', this.#untouched.read()], ...known])
  }

  /** Null, or why the chain could not be saved. */
  save(name: string, recordClass: UpstreamClass, chain: Chain): string | null {
    try {
      const target = this.#targets.get(name) ?? this.#add(name, ChainFile.make(this.#usablePath(name), this.#disk))
      if (chain.cursor !== (target.file.seqs.get(recordClass) ?? 0)) target.meter.moved(recordClass, chain.cursor)
      target.file.save(recordClass, chain)
      return null
    } catch (error) {
      return messageOf(error)
    }
  }

  added(recordClass: UpstreamClass, entered: Entered): void {
    this.#untouched.added(recordClass, entered)
    for (const { meter } of this.#targets.values()) meter.added(recordClass, entered)
  }

  /** Last sequence of a class that no target waits for, since it has surely synced it; infinite when none is awaited. */
  heldSeq(recordClass: UpstreamClass): number {
    const awaited = this.#awaited ?? Array.from(this.#targets.keys(), (name) => [name])
    const syncedSeqs = awaited.map((names) =>
      Math.max(...names.map((name) => this.chainOf(name, recordClass).syncedSeq)),
    )
    return Math.min(Number.POSITIVE_INFINITY, ...syncedSeqs)
  }

  /** Records went, or lie elsewhere now. */
  recount(): void {
    this.#untouched.recount()
    for (const { meter } of this.#targets.values()) meter.recount()
  }

  close(): void {
    for (const { file } of this.#targets.values()) file.close()
  }

  #usablePath(name: string): string {
    const path = join(this.#folder, `${encodeToken(name)}${SUFFIX}`)
    this.#quarantine.file(path)
    return path
  }

  #add(name: string, file: ChainFile): Target {
    const target = { file, meter: new BacklogMeter(this.#index, this.#recordsOf, file.seqs) }
    this.#targets.set(name, target)
    return target
  }
}
