import { randomBytes } from 'node:crypto'
import {
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { makeFolderSync } from '../../durable/make-folder.ts'
import { type OperatorAuditEntry, type OperatorAuditRecord, operatorAuditSchema } from '../../protocol/audit.ts'
import { AUDIT_GENESIS, headOf, link } from '../../protocol/audit-chain.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { withLock } from './journal-lock.ts'

/** A line of a journal: a record, or what is none. `line` counts from 1. */
export type JournalLine =
  | { readonly line: number; readonly record: OperatorAuditRecord; readonly text: string }
  | { readonly line: number; readonly record: null; readonly text: string }

const OWNER_ONLY = 0o600
const OTHERS = 0o077
/** More than the longest record, read from the end to find the last one. */
const TAIL_BYTES = 64 * 1024

/**
 * What an operator's consoles have sent, one record a line, each naming the one before by its hash. Several consoles of a
 * user append to one file, one after the other. An append is on the disk when it resolves.
 */
export class JournalFile {
  readonly path: string
  readonly operator: string

  /** @param operator whose it is; part of every record */
  constructor(path: string, operator: string) {
    this.path = path
    this.operator = operator
  }

  /**
   * Append a record.
   * @throws EdgeError `AUDIT_FAILING` when it cannot be brought to the disk, or others can read the file
   */
  async append(entry: OperatorAuditEntry): Promise<OperatorAuditRecord> {
    try {
      makeFolderSync(dirname(this.path), { mode: 0o700 })
      return await withLock(`${this.path}.lock`, () => this.#append(entry))
    } catch (error) {
      if (error instanceof EdgeError) throw error
      throw new EdgeError('AUDIT_FAILING', {
        message: `what is sent cannot be written to ${this.path}: ${messageOf(error)}`,
        next: ['make room on the disk, or let the file be writable'],
        cause: error,
      })
    }
  }

  /** Every line; none where there is no file. @throws Error when it cannot be read */
  read(): JournalLine[] {
    let text: string
    try {
      text = readFileSync(this.path, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
    const lines = text.split('\n')
    // What a console that died was just writing has no end, and was never sent.
    lines.pop()
    return lines.map((line, at) => ({ line: at + 1, record: parse(line), text: line }))
  }

  #append(entry: OperatorAuditEntry): OperatorAuditRecord {
    const fd = openSync(this.path, 'a+', OWNER_ONLY)
    try {
      const { size, mode } = fstatSync(fd)
      if ((mode & OTHERS) !== 0) {
        if (size > 0) throw openToOthers(this.path)
        fchmodSync(fd, OWNER_ONLY)
      }
      const { last, end } = lastRecord(fd, size)
      if (end < size) ftruncateSync(fd, end)
      const journal = last?.journal ?? randomBytes(16).toString('hex')
      const said = { journal, operator: this.operator, host: thisHost(), ...entry }
      const record = link(said, last === null ? AUDIT_GENESIS : headOf(last))
      writeSync(fd, `${JSON.stringify(record)}\n`)
      fsyncSync(fd)
      if (size === 0) syncFolder(dirname(this.path))
      return record
    } finally {
      closeSync(fd)
    }
  }
}

/** This machine as journals call it. */
export function thisHost(): string {
  return hostname().slice(0, 253)
}

/** The last line that is a record, and where the last whole line ends. */
function lastRecord(fd: number, size: number): { last: OperatorAuditRecord | null; end: number } {
  const start = Math.max(0, size - TAIL_BYTES)
  const bytes = Buffer.alloc(size - start)
  readSync(fd, bytes, 0, bytes.length, start)
  const end = bytes.lastIndexOf('\n') + 1
  const lines = bytes.subarray(0, end).toString('utf8').split('\n')
  const last = lines.map(parse).findLast((record) => record !== null) ?? null
  return { last, end: end === 0 && start > 0 ? size : start + end }
}

function parse(line: string): OperatorAuditRecord | null {
  try {
    const parsed = operatorAuditSchema.safeParse(JSON.parse(line))
    return parsed.success ? (parsed.data as OperatorAuditRecord) : null
  } catch {
    return null
  }
}

function syncFolder(dir: string): void {
  const fd = openSync(dir, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function openToOthers(path: string): EdgeError {
  return new EdgeError('AUDIT_FAILING', {
    message: `${path} can be read by other users of this machine`,
    next: [`run: chmod 600 ${path}`],
  })
}
