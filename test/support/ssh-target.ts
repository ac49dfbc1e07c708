import { join } from 'node:path'
import type { ChannelEnd, Prompter, RemoteChannel } from '../../src/remote/contract.ts'
import type { SshTarget } from '../../src/ssh/target.ts'
import type { Sshd } from './sshd.ts'

/** What is not as usual in a target. */
export type TargetChanges = Partial<Omit<SshTarget, 'login' | 'knownHosts'>> & {
  readonly login?: Partial<SshTarget['login']>
  readonly knownHosts?: Partial<SshTarget['knownHosts']>
}

/** A server of a test as a target; its known keys are looked up in `dir`, which need hold none. */
export function targetOf(
  server: Pick<Sshd, 'host' | 'port' | 'user'>,
  dir: string,
  changes: TargetChanges = {},
): SshTarget {
  const { host, port, user } = server
  const { login, knownHosts, ...rest } = changes
  return {
    host,
    port,
    user,
    label: `${user}@${host}:${port}`,
    answerTimeoutMs: 15_000,
    keepaliveMs: 15_000,
    keepaliveTries: 3,
    family: 0,
    via: null,
    notes: [],
    ...rest,
    login: {
      methods: ['publickey', 'keyboard-interactive', 'password'],
      keyFiles: [],
      onlyKeyFiles: false,
      agent: null,
      passwordTries: 3,
      ...login,
    },
    knownHosts: {
      name: host,
      port,
      userFiles: [join(dir, 'known_hosts')],
      globalFiles: [],
      unknown: 'ask',
      hashNames: false,
      ...knownHosts,
    },
  }
}

/** An operator who answers as the test says; null as an answer gives none. A question that no answer is left for fails. */
export class ScriptedPrompter implements Prompter {
  readonly asked: { text: string; secret: boolean }[] = []
  readonly confirmed: string[] = []
  readonly told: string[] = []
  readonly #answers: (string | null)[]
  readonly #confirms: boolean

  constructor({ answers = [], confirms = false }: { answers?: readonly (string | null)[]; confirms?: boolean } = {}) {
    this.#answers = [...answers]
    this.#confirms = confirms
  }

  async ask(question: { readonly text: string; readonly secret: boolean }): Promise<string | null> {
    this.asked.push({ ...question })
    const answer = this.#answers.shift()
    if (answer === undefined) throw new Error(`nobody thought of the question "${question.text}"`)
    return answer
  }

  async confirm(text: string): Promise<boolean> {
    this.confirmed.push(text)
    return this.#confirms
  }

  tell(text: string): void {
    this.told.push(text)
  }
}

/** All that a program wrote, and how it ended. */
export async function outputOf(
  channel: RemoteChannel,
): Promise<{ readonly stdout: string; readonly stderr: string; readonly end: ChannelEnd }> {
  const parts = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
  channel.onOutput((chunk, output) => parts[output].push(chunk))
  const end = await channel.ended
  return { stdout: Buffer.concat(parts.stdout).toString(), stderr: Buffer.concat(parts.stderr).toString(), end }
}
