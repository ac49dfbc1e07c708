import path from 'node:path'
import { HttpCloud } from './http-cloud.ts'
import { findNatsServer, type NatsServer, type NatsServerProgram, startNatsServer } from './nats-server.ts'

/** What {@link CloudEnd} needs. */
export interface CloudOptions {
  /** Folder for what the cloud keeps. */
  readonly dir: string
  readonly onSpawn: (pid: number) => void
  readonly onExit: (pid: number) => void
  /** Finds a nats-server; null makes the cloud a small HTTP receiver. */
  readonly findProgram?: () => Promise<NatsServerProgram | null>
}

/**
 * The cloud end of the demo: a nats-server with a stream of its own, or a small HTTP receiver where there is none. It
 * can be stopped and started again on the same port with the same data.
 */
export class CloudEnd {
  readonly #options: CloudOptions
  readonly #http: HttpCloud
  #program: NatsServerProgram | null = null
  #server: NatsServer | null = null
  #port = 0
  #up = false

  constructor(options: CloudOptions) {
    this.#options = options
    this.#http = new HttpCloud(path.join(options.dir, 'blocks'))
  }

  get kind(): 'nats' | 'http' {
    return this.#program === null ? 'http' : 'nats'
  }

  get isUp(): boolean {
    return this.#up
  }

  /** Port on the loopback; null before the first start. */
  get port(): number | null {
    return this.#port === 0 ? null : this.#port
  }

  /** Where it is reached directly; null before the first start. */
  get url(): string | null {
    return this.#port === 0 ? null : this.urlThrough(this.#port)
  }

  /** Its address when it is reached through a link that listens on `port`. */
  urlThrough(port: number): string {
    return this.kind === 'nats' ? `nats://127.0.0.1:${port}` : `http://127.0.0.1:${port}/blocks`
  }

  /** Start it for the first time. */
  async start(): Promise<void> {
    this.#program = await (this.#options.findProgram ?? findNatsServer)()
    await this.up()
    if (this.#server === null) return
    // Loaded when it is needed only: the console's first frame must not wait for the client.
    const { createDemoStream } = await import('./nats-stream.ts')
    await createDemoStream(this.#server.url)
  }

  /** Start it, on the port and with the data of before. Does nothing when it is up. */
  async up(): Promise<void> {
    if (this.#up) return
    const { dir, onSpawn, onExit } = this.#options
    if (this.#program === null) {
      this.#port = await this.#http.start(this.#port)
    } else {
      const server = await startNatsServer({ dir, port: this.#port, program: this.#program })
      onSpawn(server.pid)
      void server.exited.then(() => {
        onExit(server.pid)
        if (this.#server !== server) return
        this.#server = null
        this.#up = false
      })
      this.#server = server
      this.#port = server.port
    }
    this.#up = true
  }

  /** Stop it; what it holds stays. Does nothing when it is down. */
  async down(): Promise<void> {
    this.#up = false
    await this.#http.stop()
    await this.#server?.stop()
  }
}
