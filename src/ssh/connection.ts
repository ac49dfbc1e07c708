import { connect as connectTcp, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { NodeSSH } from 'node-ssh'
import type { AnyAuthMethod, Client, ClientChannel } from 'ssh2'
import { type EdgeError, messageOf } from '../../protocol/errors.ts'
import type { Prompter } from '../remote/contract.ts'
import { connectionError, reasonOf, type Stage } from './connection-error.ts'
import { HostKeyCheck } from './host-key.ts'
import { knownMethods, Login } from './login.ts'
import { Silence } from './silence.ts'
import type { SshTarget } from './target.ts'

const CLOSE_TIMEOUT_MS = 1_000
/** What a channel may hold for who does not read it: its window and as much again. The library lets a server send beyond it. */
const MAX_HELD_BYTES = 4 * 1024 * 1024
const MAX_BANNERS = 4
const MAX_BANNER_CHARS = 4_000

/** A connection that let us in. */
export interface SshConnection {
  readonly ssh: NodeSSH
  readonly client: Client
  /** Channels that are open, to be kept by who opens them. */
  readonly channels: Set<ClientChannel>
  /** Settles with why once the connection is gone; safe to show. */
  readonly lost: Promise<string>
  /** Why the connection is gone; null while it is there. */
  readonly lostBecause: () => string | null
  close(): void
}

/** What a connection is made over, and who is asked. */
export interface Dialling {
  readonly prompter: Prompter
  /** A way through another host; null = directly. */
  readonly through: Duplex | null
  readonly signal: AbortSignal | null
}

/**
 * Connect to one server, see that it is the right one, and log in.
 * @throws EdgeError `SSH_…`
 */
export function connectOnce(target: SshTarget, { prompter, through, signal }: Dialling): Promise<SshConnection> {
  return new Promise((resolve, reject) => {
    const hostKey = new HostKeyCheck({ rule: target.knownHosts, label: target.label, prompter: asking() })
    const login = new Login(target, { prompter: asking(), unhurried: (work) => silence.whileAsking(work) })
    const socket = through ?? dial(target)
    const ssh = new NodeSSH()
    const channels = new Set<ClientChannel>()
    let stage: Stage = through === null ? 'reaching' : 'greeting'
    let isIn = false
    let banners = 0
    let trusted: Buffer | null = null
    let fault: EdgeError | null = null
    let reason: string | null = null
    const silence = new Silence(target.answerTimeoutMs, () => {
      fail(connectionError(target, stage, `nothing came for ${target.answerTimeoutMs / 1000} s`))
    })

    // What the operator is asked stops the clock: it is not the server that is slow then.
    function asking(): Prompter {
      return {
        ask: (question) => silence.whileAsking(() => prompter.ask(question)),
        confirm: (text) => silence.whileAsking(() => prompter.confirm(text)),
        tell: (text) => prompter.tell(text),
      }
    }
    function fail(error: EdgeError): void {
      fault ??= error
      silence.end()
      signal?.removeEventListener('abort', onAbort)
      reject(fault)
      socket.destroy()
    }
    function onAbort(): void {
      fail(connectionError(target, stage, 'it was broken off'))
    }
    signal?.addEventListener('abort', onAbort, { once: true })

    // The library's promise settles at the first fault, also one that the login goes on after: its events are what counts.
    const connecting = ssh.connect({
      sock: socket,
      username: target.user,
      readyTimeout: 0,
      keepaliveInterval: target.keepaliveMs,
      keepaliveCountMax: target.keepaliveTries,
      agentForward: false,
      algorithms: { serverHostKey: [...hostKey.algorithms] as never },
      hostVerifier: (key: Buffer, verify: (isRight: boolean) => void) => {
        // Keys of the connection are made anew every so often, by the same server.
        if (trusted !== null) return verify(key.equals(trusted))
        silence.heard()
        stage = 'login'
        hostKey.check(key).then(
          () => {
            trusted = Buffer.from(key)
            verify(true)
          },
          (error) => {
            fail(error)
            verify(false)
          },
        )
      },
      authHandler: (offered: string[] | null, _isPartial: boolean, next: (method: AnyAuthMethod) => void) => {
        silence.heard()
        login.next(knownMethods(offered)).then(
          (method) => {
            if (fault !== null) return
            if (method === null) fail(login.failed())
            else next(method)
          },
          (error) => fail(error),
        )
      },
    })
    connecting.catch(() => undefined)
    const client = ssh.connection as Client
    // For as long as the connection lives: a reset at any time must not be an uncaught exception.
    client.on('error', (error: Error & { level?: string }) => {
      // A key that cannot sign is one of several; the next is tried.
      if (!isIn && error.level === 'agent') return
      reason ??= reasonOf(error)
      if (isIn) return
      if (/no matching host key format/i.test(error.message)) return fail(hostKey.noSuchKey())
      fail(stage === 'login' ? login.failed(messageOf(error)) : connectionError(target, stage, reasonOf(error)))
    })
    client.on('connect', () => {
      stage = 'greeting'
      silence.heard()
    })
    client.on('banner', (text) => {
      if (banners++ < MAX_BANNERS) prompter.tell(text.slice(0, MAX_BANNER_CHARS).trimEnd())
    })
    client.on('ready', () => {
      isIn = true
      reason = null
      silence.end()
      signal?.removeEventListener('abort', onAbort)
      socket.on('data', () => {
        if (![...channels].some(holdsTooMuch)) return
        reason = 'it sent more than was asked for'
        socket.destroy()
      })
      resolve({
        ssh,
        client,
        channels,
        lost,
        lostBecause: () => lostBecause,
        close: () => {
          client.end()
          // One that does not answer any more is not waited for.
          closing ??= setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS)
        },
      })
    })
    let closing: NodeJS.Timeout | null = null
    let lostBecause: string | null = null
    const lost = new Promise<string>((settle) => {
      client.on('close', () => {
        lostBecause = reason ?? 'the other side ended the connection'
        silence.end()
        if (closing !== null) clearTimeout(closing)
        settle(lostBecause)
        if (isIn) return
        if (stage === 'login') fail(login.failed(reason ?? 'it ended the connection'))
        else fail(connectionError(target, stage, lostBecause))
      })
    })
    for (const note of target.notes) prompter.tell(note)
    if (signal?.aborted === true) onAbort()
  })
}

function holdsTooMuch({ readableLength, stderr }: ClientChannel): boolean {
  return readableLength + stderr.readableLength > MAX_HELD_BYTES
}

function dial({ host, port, family }: SshTarget): Socket {
  const socket = connectTcp({ host, port, family, noDelay: true })
  socket.on('error', () => undefined)
  return socket
}
