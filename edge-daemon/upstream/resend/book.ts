import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { makeFolder } from '../../../durable/make-folder.ts'
import { messageOf } from '../../../protocol/errors.ts'
import type { UpstreamLog } from '../log.ts'
import { isDone, type Resend, resendSchema } from './request.ts'

const bookSchema = z.object({ v: z.literal(1), requests: z.array(resendSchema) })
/** Requests that are done and remembered, so that one asked for twice is answered and not sent again. */
const REMEMBERED = 64

/**
 * The resend requests of a node, in one small file that is replaced as a whole. A file that cannot be read never stops
 * the start: it is set aside and the book begins empty. One that cannot be written is tried again with the next change;
 * until then a restart sends again what the target says it does not hold.
 */
export class ResendBook {
  readonly #at: string | null
  readonly #log: UpstreamLog
  readonly #requests = new Map<string, Resend>()
  #saving: Promise<void> | null = null
  #isChanged = false
  #isRefused = false

  /** @param at the file; null for a book that is not kept */
  constructor(at: string | null, log: UpstreamLog) {
    this.#at = at
    this.#log = log
  }

  /** Read what is kept. */
  async load(): Promise<void> {
    if (this.#at === null) return
    let text: string
    try {
      text = await readFile(this.#at, 'utf8')
    } catch {
      return
    }
    try {
      for (const request of bookSchema.parse(JSON.parse(text)).requests) this.#requests.set(request.requestId, request)
    } catch {
      const aside = `${this.#at}.damaged`
      await rename(this.#at, aside).catch(() => undefined)
      this.#log.warn('resend.book_damaged', `the list of resend requests is damaged and set aside as ${aside}`)
    }
  }

  get(requestId: string): Resend | null {
    return this.#requests.get(requestId) ?? null
  }

  /** Every request, oldest first. */
  all(): Resend[] {
    return [...this.#requests.values()]
  }

  /** Enter a request, or its progress; kept soon after. */
  put(request: Resend): void {
    this.#requests.set(request.requestId, request)
    const done = this.all().filter(isDone)
    for (const { requestId } of done.slice(0, -REMEMBERED)) this.#requests.delete(requestId)
    this.#isChanged = true
    this.#saving ??= this.#saveAll()
  }

  /** Resolves when everything that was put is kept, or cannot be. */
  async saved(): Promise<void> {
    await this.#saving
  }

  async #saveAll(): Promise<void> {
    while (this.#isChanged) {
      this.#isChanged = false
      try {
        if (this.#at !== null) await save(this.#at, JSON.stringify({ v: 1, requests: this.all() }))
        this.#isRefused = false
      } catch (error) {
        if (!this.#isRefused) this.#log.warn('resend.book_unsaved', `resend requests are not kept: ${messageOf(error)}`)
        this.#isRefused = true
      }
    }
    this.#saving = null
  }
}

async function save(at: string, text: string): Promise<void> {
  await makeFolder(dirname(at), { mode: 0o700 })
  const file = await open(`${at}.new`, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.datasync()
  } finally {
    await file.close()
  }
  await rename(`${at}.new`, at)
}
