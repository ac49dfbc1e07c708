import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'

/** A cable between two spaces, with an address at each end. */
export interface Cable {
  readonly from: string
  readonly fromAddress: string
  readonly to: string
  readonly toAddress: string
}

/**
 * Machines that are network namespaces of this one, joined by cables (veth pairs) and by nothing else: what has no cable
 * cannot be reached, as behind NAT. Needs root, `ip` (iproute2) and, to listen in, `tcpdump`.
 */
export class NetSpaces {
  readonly #names: ReadonlyMap<string, string>
  readonly #captures: Capture[] = []

  /** @throws Error that says what is missing */
  constructor(spaces: readonly string[], cables: readonly Cable[]) {
    if (process.getuid?.() !== 0) throw new Error('network namespaces need root: run the tests as root')
    const tag = `ed${process.pid.toString(36)}`
    this.#names = new Map(spaces.map((space) => [space, `${tag}-${space}`]))
    for (const name of this.#names.values()) ip('netns', 'add', name)
    for (const space of spaces) this.#ip(space, 'link', 'set', 'lo', 'up')
    cables.forEach((cable, index) => {
      const [near, far] = [`${tag}a${index}`, `${tag}b${index}`]
      ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far)
      for (const [device, space, address] of [
        [near, cable.from, cable.fromAddress],
        [far, cable.to, cable.toAddress],
      ] as const) {
        ip('link', 'set', device, 'netns', this.#nameOf(space))
        this.#ip(space, 'addr', 'add', `${address}/24`, 'dev', device)
        this.#ip(space, 'link', 'set', device, 'up')
      }
    })
  }

  /** The beginning of a command line that runs what follows in a space. */
  within(space: string): string[] {
    return ['ip', 'netns', 'exec', this.#nameOf(space)]
  }

  /** Listen in on every device of a space but its loopback, from now on. */
  async capture(space: string): Promise<Capture> {
    const devices = this.#devices(space)
    const [program = '', ...args] = this.within(space)
    const child = spawn(
      program,
      [...args, 'tcpdump', '-i', 'any', '--immediate-mode', '-U', '-s', '0', '-w', '-', 'not', 'host', '127.0.0.1'],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    const capture = new Capture(child, devices)
    this.#captures.push(capture)
    await capture.started
    return capture
  }

  /** Pull a cable's end out, or put it back in. */
  plug(space: string, address: string, state: 'up' | 'down'): void {
    const line = this.#ip(space, '-o', 'addr', 'show', 'to', `${address}/32`)
    const device = /^\d+:\s+([^\s@]+)/.exec(line)?.[1]
    if (device === undefined) throw new Error(`${space} has no address ${address}`)
    this.#ip(space, 'link', 'set', device, state)
  }

  /** Remove the spaces and their cables; what runs in them must have been ended before. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const capture of this.#captures) await capture.stop()
    for (const name of this.#names.values()) ip('netns', 'del', name)
  }

  #devices(space: string): string[] {
    return this.#ip(space, '-o', 'link', 'show')
      .split('\n')
      .map((line) => /^\d+:\s+([^\s@:]+)/.exec(line)?.[1] ?? 'lo')
      .filter((device) => device !== 'lo')
  }

  #ip(space: string, ...args: string[]): string {
    return ip('-n', this.#nameOf(space), ...args)
  }

  #nameOf(space: string): string {
    const name = this.#names.get(space)
    if (name === undefined) throw new Error(`there is no space ${space}`)
    return name
  }
}

/** What went over the cables of a space. */
export class Capture {
  readonly devices: readonly string[]
  /** Settles when every packet from now on is seen. */
  readonly started: Promise<void>
  readonly #child: ChildProcess
  readonly #chunks: Buffer[] = []

  constructor(child: ChildProcess, devices: readonly string[]) {
    this.devices = devices
    this.#child = child
    child.stdout?.on('data', (chunk: Buffer) => this.#chunks.push(chunk))
    this.started = new Promise((resolve, reject) => {
      let said = ''
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        said += text
        if (said.includes('listening on')) resolve()
      })
      child.on('error', reject)
      child.on('close', () => reject(new Error(`tcpdump ended: ${said}`)))
    })
  }

  /** End it; the bytes of all packets, headers and payloads as they came. */
  async stop(): Promise<Buffer> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const closed = once(this.#child, 'close')
      this.#child.kill('SIGINT')
      await closed
    }
    return Buffer.concat(this.#chunks)
  }
}

function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8' })
}
