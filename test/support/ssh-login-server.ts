import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import ssh2, { type AuthContext, type KeyboardAuthContext, type Prompt } from 'ssh2'

/** What a {@link SshLoginServer} asks before it lets in. */
export interface LoginScript {
  /** Rounds of questions, each with the answers that are right. */
  readonly rounds?: readonly { readonly prompts: readonly Prompt[]; readonly answers: readonly string[] }[]
  readonly password?: string
  /** It lets in, and never answers what is asked then: neither for a program nor for a way on. */
  readonly isDeaf?: boolean
  /** Shown before the login. */
  readonly banner?: string
}

/** A server of its own that asks what PAM would ask; answers a command with its own text, and `flood` with more than anybody asked for. */
export class SshLoginServer {
  readonly host = '127.0.0.1'
  readonly user = 'mia'
  /** Answers that came, round by round. */
  readonly answers: string[][] = []
  readonly #server: ssh2.Server
  readonly #clients: ssh2.Connection[] = []

  private constructor(hostKeyFile: string, script: LoginScript) {
    const methods = [
      ...(script.rounds === undefined ? [] : ['keyboard-interactive' as const]),
      ...(script.password === undefined ? [] : ['password' as const]),
    ]
    const options = {
      hostKeys: [readFileSync(hostKeyFile)],
      ...(script.banner === undefined ? {} : { banner: script.banner }),
    }
    this.#server = new ssh2.Server(options, (client) => {
      this.#clients.push(client)
      client.on('error', () => undefined)
      client.on('authentication', (context: AuthContext) => {
        if (context.method === 'password' && context.password === script.password) return context.accept()
        if (context.method === 'keyboard-interactive' && script.rounds !== undefined) {
          return this.#ask(context as KeyboardAuthContext, script.rounds)
        }
        context.reject(methods)
      })
      if (script.isDeaf === true) {
        client.on('session', () => undefined).on('tcpip', () => undefined)
        return
      }
      client.on('session', (accept) => {
        accept().on('exec', (take, _refuse, { command }) => {
          const stream = take()
          if (command === 'flood') return flood(stream)
          stream.write(command)
          stream.exit(0)
          stream.end()
        })
      })
    })
  }

  /** Start one with the host key of that file; `await using` ends it. */
  static async start(hostKeyFile: string, script: LoginScript): Promise<SshLoginServer> {
    const server = new SshLoginServer(hostKeyFile, script)
    await new Promise<void>((resolve) => server.#server.listen(0, server.host, resolve))
    return server
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.end()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  #ask(context: KeyboardAuthContext, rounds: NonNullable<LoginScript['rounds']>, round = 0): void {
    const now = rounds[round]
    if (now === undefined) {
      context.accept()
      return
    }
    context.prompt([...now.prompts], 'Plant login', 'Have your token at hand', (given) => {
      const answers = given ?? []
      this.answers.push([...answers])
      const isRight = answers.length === now.answers.length && answers.every((answer, at) => answer === now.answers[at])
      if (isRight) this.#ask(context, rounds, round + 1)
      else context.reject(['keyboard-interactive'])
    })
  }
}

/** Send without regard to how much the other side has room for. */
function flood(stream: ssh2.ServerChannel): void {
  const { outgoing } = stream as unknown as { readonly outgoing: { window: number } }
  // No multiple of a packet: a window of exactly nothing would be noticed.
  const chunk = Buffer.alloc(1_000_003)
  for (let megabytes = 0; megabytes < 64; megabytes++) {
    outgoing.window = chunk.length
    stream.write(chunk)
  }
}
