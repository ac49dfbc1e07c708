import type { Duplex } from 'node:stream'
import type { Client, ClientCallback } from 'ssh2'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { Prompter, RemoteChannel, RemoteHost, TerminalSize } from '../remote/contract.ts'
import { SshChannel } from './channel.ts'
import { connectOnce, type SshConnection } from './connection.ts'
import type { SshTarget } from './target.ts'

/** Who is asked while a connection is made, and what breaks it off. */
export interface ConnectOptions {
  readonly prompter: Prompter
  readonly signal?: AbortSignal
}

/**
 * Connect to a server over SSH, through its jump hosts: each proves who it is and lets us in the same way.
 * @throws EdgeError `SSH_…`
 */
export async function connectSsh(target: SshTarget, { prompter, signal }: ConnectOptions): Promise<RemoteHost> {
  const open: SshConnection[] = []
  const closeAll = async (): Promise<void> => {
    // From the far end: what is still said to a host goes through the one before it.
    for (const connection of open.toReversed()) {
      connection.close()
      await connection.lost
    }
  }
  try {
    for (const hop of hopsTo(target)) {
      const before = open.at(-1)
      const through = before === undefined ? null : await forward(before, hop, signal ?? null)
      open.push(await connectOnce(hop, { prompter, through, signal: signal ?? null }))
    }
  } catch (error) {
    void closeAll()
    throw error
  }
  return new SshHost(target, open.at(-1) as SshConnection, closeAll)
}

/** The hosts on the way, the target last. */
function hopsTo(target: SshTarget): SshTarget[] {
  return target.via === null ? [target] : [...hopsTo(target.via), target]
}

/** A way from one host to the next; a host that neither gives nor refuses it is not waited for longer than for any other answer. */
function forward(
  { client, lostBecause }: SshConnection,
  { host, port, label, via, answerTimeoutMs }: SshTarget,
  signal: AbortSignal | null,
): Promise<Duplex> {
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>()
  const late = setTimeout(() => refuse(`nothing came for ${answerTimeoutMs / 1000} s`), answerTimeoutMs)
  const onAbort = (): void => refuse('it was broken off')
  signal?.addEventListener('abort', onAbort, { once: true })
  function refuse(reason: string): void {
    reject(
      new EdgeError('SSH_REFUSED', {
        message: untrusted(`${via?.label} does not lead on to ${label}: ${reason}`),
        next: ['check that the jump host reaches it, and that its sshd has AllowTcpForwarding'],
      }),
    )
  }
  try {
    client.forwardOut('127.0.0.1', 0, host, port, (error, stream) => {
      if (error) refuse(lostBecause() ?? error.message)
      else resolve(stream)
    })
  } catch (error) {
    refuse(lostBecause() ?? messageOf(error))
  }
  if (signal?.aborted === true) onAbort()
  return promise.finally(() => {
    clearTimeout(late)
    signal?.removeEventListener('abort', onAbort)
  })
}

class SshHost implements RemoteHost {
  readonly how = 'ssh'
  readonly label: string
  readonly #answerTimeoutMs: number
  readonly #connection: SshConnection
  readonly #closeAll: () => Promise<void>

  constructor(
    { label, answerTimeoutMs }: Pick<SshTarget, 'label' | 'answerTimeoutMs'>,
    connection: SshConnection,
    closeAll: () => Promise<void>,
  ) {
    this.label = label
    this.#answerTimeoutMs = answerTimeoutMs
    this.#connection = connection
    this.#closeAll = closeAll
    // A host behind jump hosts that is gone leaves none of them open.
    void connection.lost.then(() => closeAll())
  }

  openShell({ term, size }: { readonly term: string; readonly size: TerminalSize }): Promise<RemoteChannel> {
    const window = { term, rows: size.rows, cols: size.columns, width: 0, height: 0 }
    return this.#open('shell', (client, take) => client.shell(window, take))
  }

  run(command: string): Promise<RemoteChannel> {
    return this.#open('command', (client, take) => client.exec(command, take))
  }

  close(): Promise<void> {
    return this.#closeAll()
  }

  async #open(
    what: 'shell' | 'command',
    request: (client: Client, take: ClientCallback) => void,
  ): Promise<RemoteChannel> {
    const { client, channels, lostBecause } = this.#connection
    let late: NodeJS.Timeout | undefined
    try {
      return await new Promise<RemoteChannel>((resolve, reject) => {
        const silent = new Error(`nothing came for ${this.#answerTimeoutMs / 1000} s`)
        late = setTimeout(() => reject(silent), this.#answerTimeoutMs)
        // The channel is listened to at once: its end may stand in the same packet as its beginning.
        request(client, (error, channel) => {
          if (error) return reject(error)
          channels.add(channel)
          channel.once('close', () => channels.delete(channel))
          resolve(new SshChannel(channel, lostBecause))
        })
      })
    } catch (cause) {
      const lost = lostBecause()
      throw lost === null
        ? new EdgeError('SSH_REFUSED', {
            message: untrusted(`${this.label} opens no ${what}: ${messageOf(cause)}`),
            next: ['check what sshd allows this user there (ForceCommand, MaxSessions, PermitTTY)'],
            cause,
          })
        : new EdgeError('SSH_DROPPED', {
            message: `the connection to ${this.label} broke off: ${lost}`,
            next: ['connect again'],
            cause,
          })
    } finally {
      clearTimeout(late)
    }
  }
}
