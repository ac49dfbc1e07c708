import ssh2, { type AnyAuthMethod, type Prompt } from 'ssh2'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { Prompter } from '../remote/contract.ts'
import { type LoginKey, type LoginKeys, loginKeys } from './login-keys.ts'
import { LOGIN_METHODS, type LoginMethod, type SshTarget } from './target.ts'

/** A server may ask many things, yet not for ever. */
const MAX_ROUNDS = 30
const MAX_SHOWN_CHARS = 2_000

/** Does something without the server's being held for slow meanwhile. */
export type Unhurried = <T>(work: () => Promise<T>) => Promise<T>

/** What to try next; null when there is nothing left. */
export type NextTry = AnyAuthMethod | null

/**
 * Logs in as OpenSSH would: keys first, then what the server asks, then a password. The server says after each step what may be
 * tried next, also after one that was right and not enough.
 */
export class Login {
  readonly #target: SshTarget
  readonly #prompter: Prompter
  readonly #unhurried: Unhurried
  readonly #tried: string[] = []
  #found: LoginKeys | null = null
  #waiting: LoginKey[] = []
  #offered: readonly string[] = []
  #rounds = 0
  #hasSigned = false
  #isGivenUp = false
  readonly #answered: Record<LoginMethod, number> = { publickey: 0, 'keyboard-interactive': 0, password: 0 }

  /** @param unhurried does what waits for the operator, a touch of a key included, and not for the server */
  constructor(target: SshTarget, { prompter, unhurried }: { prompter: Prompter; unhurried: Unhurried }) {
    this.#target = target
    this.#prompter = prompter
    this.#unhurried = unhurried
  }

  /**
   * What to try next.
   * @param offered what the server takes now; null before it was asked
   */
  async next(offered: readonly string[] | null): Promise<NextTry> {
    const { user, login } = this.#target
    // The library does not hear what is offered after a key was right and not enough: asking for nothing brings it to light.
    if (offered === null || this.#hasSigned) {
      this.#hasSigned = false
      return { type: 'none', username: user }
    }
    this.#offered = offered
    if (this.#isGivenUp) return null
    for (const method of login.methods) {
      if (!offered.includes(method)) continue
      if (method === 'publickey') {
        const key = await this.#nextKey()
        if (key !== undefined) return { type: 'agent', username: user, agent: this.#offer(key) }
      } else if (this.#answered[method] < login.passwordTries) {
        this.#answered[method]++
        if (method === 'password') {
          const next = await this.#password()
          if (next !== null) return next
        } else {
          return {
            type: method,
            username: user,
            prompt: (name, about, _language, prompts, finish) => {
              this.#answer(name, about, prompts).then(finish, () => {
                this.#giveUp('keyboard-interactive, which nobody could be asked')
                finish([])
              })
            },
          }
        }
      }
      if (this.#isGivenUp) return null
    }
    return null
  }

  /** Nothing was taken: what was offered, what was tried, and what else there is to know. */
  failed(reason?: string): EdgeError {
    const { label, login } = this.#target
    const offered = this.#offered.length === 0 ? 'nothing that it named' : this.#offered.join(', ')
    const tried = this.#tried.length === 0 ? 'nothing' : this.#tried.join('; ')
    const remarks = (this.#found?.remarks ?? []).map((remark) => `. ${remark}`).join('')
    const isTooMany = /too many authentication/i.test(reason ?? '')
    const next = [
      ...(isTooMany ? ['name its key by IdentityFile and IdentitiesOnly yes in ~/.ssh/config'] : []),
      ...(this.#isGivenUp ? ['answer what it asks, or open one shell on it by hand'] : []),
      ...(!login.methods.some((method) => this.#offered.includes(method)) && this.#offered.length > 0
        ? [`it takes ${offered} alone, of which ${login.methods.join(', ') || 'nothing'} is switched on here`]
        : []),
      `put your public key into its authorized_keys, or your key into the agent (ssh-add); check the user name`,
    ]
    return new EdgeError('SSH_LOGIN_REFUSED', {
      message: untrusted(
        `the SSH server lets nobody in as ${label}${reason === undefined ? '' : ` (${reason})`}: ` +
          `it takes ${offered}, tried were ${tried}${remarks}`.slice(0, MAX_SHOWN_CHARS),
      ),
      next,
    })
  }

  async #nextKey(): Promise<LoginKey | undefined> {
    if (this.#found === null) {
      this.#found = await loginKeys(this.#target.login, this.#prompter)
      this.#waiting = [...this.#found.keys]
      for (const remark of this.#found.remarks) this.#prompter.tell(remark)
    }
    const key = this.#waiting.shift()
    if (key !== undefined) this.#tried.push(`key ${key.name}`)
    return key
  }

  /** An agent of one key, which looks for the private part only when the server would take the public one. */
  #offer(key: LoginKey): OneKey {
    const sign: LoginKey['sign'] = (data, hash) => this.#unhurried(() => key.sign(data, hash))
    return new OneKey(
      { ...key, sign },
      {
        onSigned: () => {
          this.#hasSigned = true
        },
        onFault: (fault) => {
          this.#tried.push(`could not sign with ${key.name}: ${fault}`)
        },
      },
    )
  }

  async #password(): Promise<NextTry> {
    const { label, user } = this.#target
    const again = this.#answered.password > 1 ? 'That was not it. ' : ''
    const password = await this.#prompter.ask({ text: `${again}Password of ${label}: `, secret: true })
    if (password === null) return this.#giveUp('password, which nobody gave')
    this.#tried.push('password')
    return { type: 'password', username: user, password }
  }

  async #answer(name: string, about: string, prompts: readonly Prompt[]): Promise<string[]> {
    const answers: string[] = []
    if (++this.#rounds > MAX_ROUNDS) {
      this.#giveUp('keyboard-interactive, which never came to an end')
      return []
    }
    const heading = [name, about].map((text) => text.trim()).filter((text) => text !== '')
    if (heading.length > 0) this.#prompter.tell(heading.join('\n').slice(0, MAX_SHOWN_CHARS))
    for (const { prompt, echo } of prompts) {
      const text = `(${this.#target.label}) ${prompt.slice(0, MAX_SHOWN_CHARS)}`
      const answer = this.#isGivenUp ? null : await this.#prompter.ask({ text, secret: echo !== true })
      if (answer === null) this.#giveUp('keyboard-interactive, which nobody answered')
      answers.push(answer ?? '')
    }
    if (!this.#isGivenUp) this.#tried.push('keyboard-interactive')
    return this.#isGivenUp ? [] : answers
  }

  #giveUp(what: string): null {
    if (!this.#isGivenUp) this.#tried.push(what)
    this.#isGivenUp = true
    return null
  }
}

/** What {@link Login} reads from the server's list, without what is not known here. */
export function knownMethods(offered: readonly string[] | null): readonly string[] | null {
  return offered?.map((method) => LOGIN_METHODS.find((known) => known === method) ?? untrusted(method)) ?? null
}

class OneKey extends ssh2.BaseAgent<Buffer> {
  readonly #key: LoginKey
  readonly #events: { onSigned(): void; onFault(fault: string): void }

  constructor(key: LoginKey, events: { onSigned(): void; onFault(fault: string): void }) {
    super()
    this.#key = key
    this.#events = events
  }

  override getIdentities(callback: (error: Error | undefined, keys?: Buffer[]) => void): void {
    callback(undefined, [this.#key.blob])
  }

  override sign(
    _key: unknown,
    data: Buffer,
    options: unknown,
    callback?: (error: Error | undefined, signature?: Buffer) => void,
  ): void {
    const { hash } = (options ?? {}) as { readonly hash?: string }
    this.#key.sign(data, hash).then(
      (signature) => {
        this.#events.onSigned()
        callback?.(undefined, signature)
      },
      (error) => {
        this.#events.onFault(messageOf(error))
        callback?.(error instanceof Error ? error : new Error(messageOf(error)))
      },
    )
  }
}
