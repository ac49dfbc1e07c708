import { statSync } from 'node:fs'
import { messageOf } from '../../protocol/errors.ts'
import type { ControllerLog } from './log.ts'
import { loadOperators, type Operator } from './operators.ts'

/** Who may log in now: the file of operators, read again when it changes. One with faults leaves the last good one in force. */
export class OperatorBook {
  readonly #file: string | null
  readonly #log: ControllerLog
  #operators: ReadonlyMap<string, Operator> = new Map()
  #seen = ''

  /** @throws EdgeError as {@link loadOperators}: at the start a file with faults is not passed over. */
  constructor(file: string | null, log: ControllerLog) {
    this.#file = file
    this.#log = log
    if (file === null) return
    this.#operators = loadOperators(file)
    this.#seen = stampOf(file)
  }

  get operators(): ReadonlyMap<string, Operator> {
    return this.#operators
  }

  /** Look whether the file was changed. */
  refresh(): void {
    if (this.#file === null) return
    const seen = stampOf(this.#file)
    if (seen === this.#seen) return
    this.#seen = seen
    try {
      this.#operators = loadOperators(this.#file)
      const fields = { operators: this.#operators.size }
      this.#log.log('info', 'operators.changed', 'the file of operators was read again', fields)
    } catch (error) {
      const msg = `the file of operators has faults, the one before stays in force: ${messageOf(error)}`
      this.#log.log('error', 'operators.faulty', msg)
    }
  }
}

function stampOf(file: string): string {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false })
  return `${stat?.ino}:${stat?.size}:${stat?.mtimeNs}`
}
