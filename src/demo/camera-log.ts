import { appendFileSync, renameSync, statSync } from 'node:fs'

/** What happened to a picture; times in ms. */
export type CameraEvent =
  | { readonly kind: 'answered'; readonly ms: number; readonly bytes: number }
  | {
      readonly kind: 'refused'
      readonly ms: number
      readonly bytes: number
      readonly status: number
      readonly why: string
    }
  | { readonly kind: 'unanswered'; readonly ms: number; readonly bytes: number; readonly why: string }
  /** Not sent: so many others still waited for their answers. */
  | { readonly kind: 'dropped'; readonly waiting: number }

/** An answer that takes longer is worth a warning; the nodes' own alert has the same limit. */
const SLOW_MS = 50
/** What goes wrong again and again is told once in this time, with how often. */
const AGAIN_MS = 1000
const SUMMARY_MS = 10_000
/** Size in bytes at which the file is put aside; the one put aside before is overwritten. */
const MAX_BYTES = 2_000_000

/** What {@link CameraLog} needs. */
export interface CameraLogOptions {
  readonly file: string
  /** Unix ms. */
  readonly now: () => number
  readonly maxBytes?: number
}

/**
 * The log that a camera writes beside its node, as logfmt: each answer at debug, slow answers as warnings, pictures that
 * came to nothing as warnings or errors, and a summary every 10 s. Its node follows it like any program's.
 */
export class CameraLog {
  readonly #options: CameraLogOptions
  /** What was told last of each trouble, and what has come since. */
  readonly #troubles = new Map<string, { toldAt: number; times: number; line: string }>()
  #summary: { since: number; answered: number; slowestMs: number } | null = null
  #bytes: number | null = null
  #unwritten = 0

  constructor(options: CameraLogOptions) {
    this.#options = options
  }

  /** The camera sends to this address from now on. */
  pointed(url: string): void {
    this.#write(`level=info msg="sends to its node" ${pairs({ url })}`)
  }

  note(event: CameraEvent): void {
    const now = this.#options.now()
    this.#tellOfRepeats(now)
    const isSlow = event.kind === 'answered' && event.ms > SLOW_MS
    const line = lineOf(event, isSlow)
    if (event.kind !== 'answered' || isSlow) this.#trouble(isSlow ? 'slow' : event.kind, line, now)
    else this.#write(line)
    if (event.kind === 'answered') this.#sum(event.ms, now)
  }

  #trouble(kind: string, line: string, now: number): void {
    const known = this.#troubles.get(kind)
    if (known !== undefined) {
      known.times += 1
      known.line = line
      return
    }
    this.#troubles.set(kind, { toldAt: now, times: 0, line })
    this.#write(line)
  }

  #tellOfRepeats(now: number): void {
    for (const [kind, trouble] of this.#troubles) {
      if (now - trouble.toldAt < AGAIN_MS) continue
      if (trouble.times === 0) this.#troubles.delete(kind)
      else this.#troubles.set(kind, { toldAt: now, times: 0, line: '' })
      if (trouble.times > 0) this.#write(trouble.times === 1 ? trouble.line : `${trouble.line} times=${trouble.times}`)
    }
  }

  #sum(ms: number, now: number): void {
    const { since, answered, slowestMs } = this.#summary ?? { since: now, answered: 0, slowestMs: 0 }
    this.#summary = { since, answered: answered + 1, slowestMs: Math.max(slowestMs, ms) }
    if (now - since < SUMMARY_MS) return
    const told = {
      answered: answered + 1,
      slowest_ms: Math.max(slowestMs, ms),
      seconds: Math.round((now - since) / 1000),
    }
    this.#write(`level=info msg="pictures answered" ${pairs(told)}`)
    this.#summary = null
  }

  #write(said: string): void {
    const lost = this.#unwritten === 0 ? '' : ` unwritten=${this.#unwritten}`
    const line = `time=${new Date(this.#options.now()).toISOString()} ${said}${lost}\n`
    const { file, maxBytes = MAX_BYTES } = this.#options
    try {
      this.#bytes ??= statSync(file, { throwIfNoEntry: false })?.size ?? 0
      if (this.#bytes >= maxBytes) {
        renameSync(file, `${file}.1`)
        this.#bytes = 0
      }
      appendFileSync(file, line)
      this.#bytes += line.length
      this.#unwritten = 0
    } catch {
      // A full disk must not stop the camera; the next line that can be written counts those that could not.
      this.#unwritten += 1
    }
  }
}

function lineOf(event: CameraEvent, isSlow: boolean): string {
  switch (event.kind) {
    case 'answered':
      return isSlow
        ? `level=warn msg="slow answer" ${pairs({ ms: event.ms, limit_ms: SLOW_MS, bytes: event.bytes })}`
        : `level=debug msg="picture answered" ${pairs({ ms: event.ms, bytes: event.bytes })}`
    case 'refused': {
      const { status, why, ms, bytes } = event
      return `level=error msg="picture refused" ${pairs({ status, why, ms, bytes })}`
    }
    case 'unanswered':
      return `level=error msg="no answer from the node" ${pairs({ why: event.why, ms: event.ms, bytes: event.bytes })}`
    case 'dropped':
      return `level=warn msg="picture dropped, the node lags" ${pairs({ waiting: event.waiting })}`
  }
}

function pairs(fields: Readonly<Record<string, string | number>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${typeof value === 'number' ? Number(value.toFixed(1)) : JSON.stringify(value)}`)
    .join(' ')
}
