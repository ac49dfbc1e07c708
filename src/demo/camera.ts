import http from 'node:http'
import type { CameraEvent } from './camera-log.ts'

/** Requests of one camera that may wait for their answers; a frame that finds no place is dropped, as cameras do. */
const MAX_IN_FLIGHT = 4
const REQUEST_TIMEOUT_MS = 15_000
/** Share by which the time between two frames varies, either way. */
const JITTER = 0.2
/** Most that is read of why a picture was refused. */
const MAX_REASON_CHARS = 1000

/** What a request came to. */
interface Answer {
  /** Null when there was none. */
  readonly status: number | null
  /** The answer's text, or why there was none. */
  readonly said: string
}

/** What a camera did so far. */
export interface CameraCounts {
  readonly sent: number
  /** Frames that found the node still busy with earlier ones. */
  readonly dropped: number
  /** Answers by HTTP status. */
  readonly answers: Readonly<Record<string, number>>
  /** Requests that got no answer at all. */
  readonly failed: number
}

/** What a camera needs. */
export interface CameraOptions {
  /** Where pictures go, e.g. `http://127.0.0.1:5000/infer`. */
  readonly url: string
  /** The next frame; null while there is none yet. */
  readonly nextFrame: () => Buffer | null
  readonly framesPerSec: number
  /** Gives numbers in [0, 1). */
  readonly random: () => number
  /** Hears what became of each picture. */
  readonly tell?: (event: CameraEvent) => void
}

/**
 * One camera: posts frames at its own pace whatever the node does (open loop), over connections that stay open. A node
 * that lags loses frames; they never pile up. A node that is away is tried again with the next frame.
 */
export class Camera {
  readonly #options: CameraOptions
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: MAX_IN_FLIGHT })
  #framesPerSec: number
  #timer: NodeJS.Timeout | null = null
  #inFlight = 0
  #running = false
  #sent = 0
  #dropped = 0
  #failed = 0
  readonly #answers: Record<string, number> = {}

  constructor(options: CameraOptions) {
    this.#options = options
    this.#framesPerSec = options.framesPerSec
  }

  get url(): string {
    return this.#options.url
  }

  start(): void {
    if (this.#running) return
    this.#running = true
    this.#schedule()
  }

  /** Stop sending and give up what is in flight. */
  stop(): void {
    this.#running = false
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#agent.destroy()
  }

  /** Change the pace; 0 pauses the camera. */
  setRate(framesPerSec: number): void {
    this.#framesPerSec = framesPerSec
    if (this.#running) this.#schedule()
  }

  counts(): CameraCounts {
    return { sent: this.#sent, dropped: this.#dropped, failed: this.#failed, answers: { ...this.#answers } }
  }

  #schedule(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (!this.#running || this.#framesPerSec <= 0) return
    const factor = 1 - JITTER + 2 * JITTER * this.#options.random()
    this.#timer = setTimeout(
      () => {
        this.#shoot()
        this.#schedule()
      },
      (1000 / this.#framesPerSec) * factor,
    )
  }

  #shoot(): void {
    if (this.#inFlight >= MAX_IN_FLIGHT) {
      this.#dropped += 1
      this.#options.tell?.({ kind: 'dropped', waiting: this.#inFlight })
      return
    }
    const frame = this.#options.nextFrame()
    if (frame === null) return
    this.#inFlight += 1
    this.#sent += 1
    const startedAt = performance.now()
    void this.#post(frame).then((answer) => {
      this.#inFlight -= 1
      const { status } = answer
      if (status === null) this.#failed += 1
      else this.#answers[status] = (this.#answers[status] ?? 0) + 1
      if (this.#running) this.#options.tell?.(eventOf(answer, performance.now() - startedAt, frame.length))
    })
  }

  #post(frame: Buffer): Promise<Answer> {
    const { promise, resolve } = Promise.withResolvers<Answer>()
    const request = http.request(
      this.#options.url,
      {
        method: 'POST',
        agent: this.#agent,
        timeout: REQUEST_TIMEOUT_MS,
        headers: { 'content-type': 'image/png', 'content-length': frame.length },
      },
      (response) => {
        let said = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => {
          if (said.length < MAX_REASON_CHARS) said += part
        })
        response.on('end', () => resolve({ status: response.statusCode ?? null, said }))
        response.on('close', () => resolve({ status: null, said: 'the connection closed amid the answer' }))
      },
    )
    request.on('timeout', () => request.destroy(new Error(`nothing for ${REQUEST_TIMEOUT_MS / 1000} s`)))
    request.on('error', (error) => resolve({ status: null, said: error.message }))
    request.end(frame)
    return promise
  }
}

function eventOf({ status, said }: Answer, ms: number, bytes: number): CameraEvent {
  if (status === 200) return { kind: 'answered', ms, bytes }
  if (status === null) return { kind: 'unanswered', ms, bytes, why: said }
  return { kind: 'refused', ms, bytes, status, why: reasonIn(said) }
}

/** What a node says of why it refused: the `msg` of its JSON, else the text. */
function reasonIn(said: string): string {
  try {
    const { msg } = JSON.parse(said) as { readonly msg?: unknown }
    return typeof msg === 'string' ? msg : said
  } catch {
    return said
  }
}
