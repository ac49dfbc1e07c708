import type { SessionFact } from '../../protocol/status.ts'
import { nameOf, type Peer } from '../live/contract.ts'

/** Sessions that a status names; the others are counted. */
export const MAX_TOLD_SESSIONS = 16
/** How long who has left is still named when they had changed something, ms. */
const REMEMBERED_MS = 300_000
const MAX_NAME_CHARS = 64
/** Most shells that are remembered, and how long one whose end nobody tells, ms. */
const MAX_SHELLS = 256
const SHELL_REMEMBERED_MS = 24 * 3_600_000

/** What a status says of who acts on the node. */
export interface ToldSessions {
  readonly sessions?: SessionFact[]
  readonly moreSessions?: number
}

/** Who is connected to the node, and what each of them changed last. */
export class SessionBook {
  readonly #nowMs: () => number
  readonly #sessions = new Map<number, { readonly peer: Peer; fact: SessionFact }>()
  /** By its console's own name for it. */
  readonly #shells = new Map<string, { readonly by: string; readonly at: number }>()
  #nextKey = 1

  /** @param nowMs wall clock, Unix ms */
  constructor(nowMs: () => number = Date.now) {
    this.#nowMs = nowMs
  }

  /** A session began; its key is its own name in what a status says. */
  open(peer: Peer): number {
    const key = this.#nextKey
    this.#nextKey += 1
    const { kind, route, rights } = peer
    const who = nameOf(peer).slice(0, MAX_NAME_CHARS)
    this.#sessions.set(key, { peer, fact: { key, who, kind, role: rights.role, route, since: this.#nowMs() } })
    return key
  }

  /** Whoever's session this is has changed something, or handed it on for somebody. */
  acted(peer: Peer, { verb, by }: { readonly verb: string; readonly by: string }): void {
    for (const session of this.#sessions.values()) {
      if (session.peer !== peer) continue
      const handed = by === nameOf(peer) ? {} : { by: by.slice(0, MAX_NAME_CHARS) }
      session.fact = { ...session.fact, last: { verb, at: this.#nowMs(), ...handed } }
    }
  }

  /** An operator's console has opened a shell on this node. */
  shellBegan({ id, by }: { readonly id: string; readonly by: string }): void {
    const [oldest] = this.#shells.keys()
    if (this.#shells.size >= MAX_SHELLS && oldest !== undefined) this.#shells.delete(oldest)
    this.#shells.set(id, { by, at: this.#nowMs() })
  }

  /** It has ended; only whoever began it says so. */
  shellEnded({ id, by }: { readonly id: string; readonly by: string }): void {
    if (this.#shells.get(id)?.by === by) this.#shells.delete(id)
  }

  /** A session ended. */
  close(key: number): void {
    const session = this.#sessions.get(key)
    if (session === undefined) return
    if (session.fact.last === undefined) this.#sessions.delete(key)
    else session.fact = { ...session.fact, left: this.#nowMs() }
  }

  /**
   * For a status: who acted last first, then who came last. Nothing while there is only one session that has changed
   * nothing: whoever reads it knows of itself.
   */
  told(): ToldSessions {
    const nowMs = this.#nowMs()
    for (const [key, { fact }] of this.#sessions) {
      if (fact.left !== undefined && nowMs - fact.left > REMEMBERED_MS) this.#sessions.delete(key)
    }
    const facts = Array.from(this.#sessions.values(), ({ peer, fact }) => this.#withShells(fact, nameOf(peer)))
    if (facts.length < 2 && facts.every(({ last }) => last === undefined)) return {}
    facts.sort((a, b) => (b.last?.at ?? 0) - (a.last?.at ?? 0) || b.since - a.since)
    const more = facts.length - MAX_TOLD_SESSIONS
    return { sessions: facts.slice(0, MAX_TOLD_SESSIONS), ...(more > 0 ? { moreSessions: more } : {}) }
  }

  /** Told by name: a console may reach the node by another way when the shell ends than when it began. */
  #withShells(fact: SessionFact, name: string): SessionFact {
    if (fact.left !== undefined) return fact
    const since: number[] = []
    for (const [id, { by, at }] of this.#shells) {
      if (this.#nowMs() - at > SHELL_REMEMBERED_MS) this.#shells.delete(id)
      else if (by === name) since.push(at)
    }
    return since.length === 0 ? fact : { ...fact, shells: { open: since.length, since: Math.min(...since) } }
  }
}
