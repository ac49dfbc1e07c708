import { pngChunk, samplePicture } from '../support/pictures.ts'
import type { AckJournal } from './ack-journal.ts'
import type { TortureNode } from './torture-node.ts'

/** How a node is fed. */
export interface TrafficOptions {
  readonly random: () => number
  readonly journal: AckJournal
  /** Devices that send at the same time, each waiting for its answer. */
  readonly senders: number
  /** Longest pause of a device between two pictures, ms. */
  readonly pauseMs: number
  /** Share of what is sent that cannot be decoded, and so travels upstream itself. */
  readonly abnormalShare: number
}

const ANSWER_TIMEOUT_MS = 20_000
/** Sizes repeat after this many requests of a sender: far more than can be in flight. */
const SIZES = 2000
const END_CHUNK_BYTES = 12

interface Answer {
  readonly code: number
  readonly pred?: number
  readonly timestamp: number
  readonly epoch?: string | null
  readonly seq?: number | null
  readonly stored?: boolean
}

/** Devices that send pictures to one node and write every acknowledgement into the journal, through all its deaths. */
export class Traffic {
  readonly #node: TortureNode
  readonly #options: TrafficOptions
  readonly #pictures = Array.from({ length: 10 }, (_, digit) => samplePicture(digit))
  #isOn = false
  #sent = 0
  #devices: Promise<void>[] = []

  constructor(node: TortureNode, options: TrafficOptions) {
    this.#node = node
    this.#options = options
  }

  start(): void {
    this.#isOn = true
    this.#devices = Array.from({ length: this.#options.senders }, () => this.#device())
  }

  /** Send nothing more; resolves when every request has its answer or will never have one. */
  async stop(): Promise<void> {
    this.#isOn = false
    await Promise.all(this.#devices)
  }

  async #device(): Promise<void> {
    const { random, pauseMs } = this.#options
    while (this.#isOn) {
      const url = this.#node.served?.inferUrl
      if (url !== undefined) await this.#send(url)
      await new Promise((resolve) => setTimeout(resolve, url === undefined ? 50 : random() * pauseMs))
    }
  }

  async #send(url: string): Promise<void> {
    const { journal } = this.#options
    const counts = journal.of(this.#node.name)
    const body = this.#nextBody()
    let answer: Answer
    try {
      const response = await fetch(`${url}/infer`, {
        method: 'POST',
        headers: { 'content-type': 'image/png' },
        body: new Uint8Array(body),
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      })
      answer = (await response.json()) as Answer
    } catch (error) {
      const { code } = ((error as Error).cause ?? {}) as { code?: string }
      if (code !== 'ECONNREFUSED') counts.unanswered += 1
      return
    }
    const { code, pred = null, timestamp, epoch, seq, stored } = answer
    if (stored === false) counts.notStored += 1
    else if (stored !== true || typeof epoch !== 'string' || typeof seq !== 'number') counts.refused += 1
    else {
      const { name: node, disk: home } = this.#node
      journal.acknowledged({ home, node, epoch, seq, code, pred, timestamp, bytes: body.length })
    }
  }

  /** A picture or garbage of a size that no request near it has. */
  #nextBody(): Buffer {
    const { random, abnormalShare } = this.#options
    this.#sent += 1
    const extra = this.#sent % SIZES
    if (random() < abnormalShare) return Buffer.alloc(32 + extra, 0x2e)
    const picture = this.#pictures[Math.floor(random() * this.#pictures.length)] as Buffer
    const end = picture.length - END_CHUNK_BYTES
    return Buffer.concat([
      picture.subarray(0, end),
      pngChunk('tEXt', Buffer.alloc(1 + extra, 0x2e)),
      picture.subarray(end),
    ])
  }
}
