import { EdgeError, messageOf } from '../../../protocol/errors.ts'
import { untrusted } from '../../../protocol/untrusted-text.ts'
import type { KeyName } from '../../actions/keys.ts'
import type { NodeKey, Plan, Strategy } from '../../rollout/contract.ts'
import type { RolloutService } from '../../rollout/service.ts'
import { DEFAULT_STRATEGY } from '../../rollout/strategy.ts'
import type { ConsoleStore } from '../console-store.ts'
import { editText } from '../edit-text.ts'
import type { Act } from './acts.ts'
import { isDecision } from './acts.ts'
import type { RolloutEntry } from './book.ts'
import { actLines, confirmLines, faultInTyped, whyBehind } from './confirm-text.ts'
import { isBeginnable, offersFor, type PackageOffer, type PackageOffers, type RolloutFace } from './face.ts'
import { KNOBS } from './knobs.ts'

/** What rollouts are begun and decided with. */
export interface RolloutParts {
  readonly service: RolloutService
  /** Packages that can be rolled out now. Never rejects: places that cannot be read are faults. */
  readonly offers: (signal: AbortSignal) => Promise<PackageOffers>
  /** The package that a typed text names: a folder, or NAME@VERSION#DIGEST. @throws EdgeError */
  readonly find: (typed: string) => Promise<PackageOffer>
  /** A strategy file by its path. @throws EdgeError */
  readonly strategy: (file: string) => Promise<Strategy>
  /** What the dialog begins with; the defaults when absent. */
  readonly first?: Strategy
}

/** What the way to a rollout leads through. */
export interface RolloutVisitParts {
  readonly store: ConsoleStore
  readonly rollouts: RolloutParts | null
  readonly production: boolean
  readonly context: string
  readonly toast: (text: string) => void
  /** Drive a rollout that was begun here, and show it. */
  readonly begun: (id: string) => void
  readonly drive: (id: string) => void
}

const MOST_WHY_CHARS = 200
const MOST_FAULT_LINES = 10

/** The way from `u` to a rollout, and from a key to a decision about one: packages, plan, confirmation, and back. */
export class RolloutVisit {
  readonly #parts: RolloutVisitParts
  #abort: AbortController | null = null
  /** Takes the answer to what is asked; null for none. */
  #answer: ((answer: string | PackageOffer | null) => void) | null = null
  #isAllowed: (typed: string) => string | null = () => null
  #replan: (strategy: Strategy) => Pick<Extract<RolloutFace, { phase: 'planning' }>, 'plan' | 'fault'> = () => ({
    plan: null,
    fault: null,
  })

  constructor(parts: RolloutVisitParts) {
    this.#parts = parts
  }

  /** Roll something out to these nodes. Never rejects. */
  async open(nodes: readonly NodeKey[]): Promise<void> {
    await this.#visit('no rollout', async (rollouts, signal) => {
      const title = `roll out to ${nodes.length === 1 ? untrusted(nodes[0] ?? '') : `${nodes.length} nodes`}`
      this.#show({ phase: 'busy', title, text: 'looking for packages …' })
      const { offers, faults } = await rollouts.offers(signal)
      if (signal.aborted) return
      const offer = await this.#chosen(rollouts, { phase: 'choosing', title, offers, faults, typed: '', row: 0 })
      if (offer === null) return
      const { item, sources } = offer
      const what = `${item.name} ${item.version}`
      await this.#planned(
        rollouts,
        `${what} to ${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'}`,
        rollouts.first ?? DEFAULT_STRATEGY,
        (strategy) => rollouts.service.plan({ target: 'daemon', item, sources, nodes, strategy, undoes: null }),
      )
    })
  }

  /** Do something about a rollout, after it was confirmed. Never rejects. */
  async act(act: Act, entry: RolloutEntry): Promise<void> {
    await this.#visit(`${act} did nothing`, async (rollouts) => {
      const { plan, id } = entry.state
      const what = untrusted(`${plan.item.name} ${plan.item.version}`)
      if (act === 'undo') {
        const nodes = plan.waves.flatMap((wave) => wave.nodes)
        await this.#planned(rollouts, `undo ${what}`, plan.strategy, (strategy) =>
          rollouts.service.plan({
            target: plan.target,
            item: plan.item,
            sources: plan.sources,
            nodes,
            strategy,
            undoes: id,
          }),
        )
        return
      }
      const production = this.#parts.production && act !== 'pause' && act !== 'abort'
      const word = production ? plan.item.name : null
      const typed = await this.#typed(
        {
          phase: 'typing',
          title: `${act} ${what}?`,
          lines: actLines(act, entry.state, production ? this.#parts.context : null),
          typed: '',
          fault: null,
          enter: `${act}s`,
        },
        (text) => faultInTyped(text, word),
      )
      if (typed === null) return
      if (!isDecision(act)) {
        this.#parts.drive(id)
        return
      }
      this.#show({ phase: 'busy', title: `${act} ${what}`, text: 'writing it down …' })
      const why = whyBehind(typed, word).slice(0, MOST_WHY_CHARS)
      await rollouts.service.decide(id, { decision: act, wave: null, why: why === '' ? null : why })
      this.#parts.toast(`${act}: written down; whoever drives it obeys`)
    })
  }

  /** Ask before the console is left; resolves with whether it is. */
  async leave(driven: readonly RolloutEntry[], lines: readonly string[]): Promise<boolean> {
    this.#callOff()
    this.#abort = new AbortController()
    const title = driven.length === 1 ? 'a rollout is driven here' : `${driven.length} rollouts are driven here`
    const typed = await this.#typed(
      { phase: 'typing', title, lines, typed: '', fault: null, enter: 'leaves' },
      () => null,
    )
    this.#close()
    return typed !== null
  }

  /** A key while it lies over the screen. */
  press(key: KeyName): void {
    const { overlay } = this.#parts.store.get()
    if (overlay?.name !== 'rollout') return
    const { face } = overlay
    if (key === 'esc' || key === 'ctrl-c') this.#callOff()
    else if (face.phase === 'choosing') this.#choose(face, key)
    else if (face.phase === 'planning') this.#turn(face, key)
    else if (face.phase === 'typing') this.#type(face, key)
    else if (face.phase === 'failed' && key === 'enter') this.#callOff()
  }

  /** One of the packages that are there, or what was typed: a folder, or a name with its digest. Null for none. */
  async #chosen(
    rollouts: RolloutParts,
    first: Extract<RolloutFace, { phase: 'choosing' }>,
  ): Promise<PackageOffer | null> {
    let face = first
    for (;;) {
      const answer = await this.#asked(face)
      if (answer === null || typeof answer !== 'string') return answer
      try {
        return await rollouts.find(answer)
      } catch (error) {
        const fault = untrusted(error instanceof EdgeError ? error.toLine() : messageOf(error))
        face = { ...first, typed: answer, faults: [fault] }
      }
    }
  }

  /** Look at the plan, change it, and begin. */
  async #planned(
    rollouts: RolloutParts,
    title: string,
    first: Strategy,
    planOf: (strategy: Strategy) => Plan,
  ): Promise<void> {
    this.#replan = (strategy) => {
      try {
        return { plan: planOf(strategy), fault: null }
      } catch (error) {
        return { plan: null, fault: untrusted(error instanceof EdgeError ? error.toLine() : messageOf(error)) }
      }
    }
    let face: Extract<RolloutFace, { phase: 'planning' }> = {
      phase: 'planning',
      title,
      strategy: first,
      file: null,
      ...this.#replan(first),
      row: 0,
      scroll: 0,
    }
    for (;;) {
      const answer = await this.#asked(face)
      if (answer === null) return
      const { overlay } = this.#parts.store.get()
      if (overlay?.name === 'rollout' && overlay.face.phase === 'planning') face = overlay.face
      if (answer === 'file') {
        face = (await this.#fromFile(rollouts, face)) ?? face
        if (this.#abort?.signal.aborted !== false) return
        continue
      }
      const { plan } = face
      if (plan === null) continue
      const begun = await this.#confirmed(rollouts, title, plan)
      if (begun) return
      if (this.#abort?.signal.aborted !== false) return
    }
  }

  async #fromFile(
    rollouts: RolloutParts,
    face: Extract<RolloutFace, { phase: 'planning' }>,
  ): Promise<Extract<RolloutFace, { phase: 'planning' }> | null> {
    const file = await this.#typed(
      {
        phase: 'typing',
        title: 'strategy from a file',
        lines: ['Path of a YAML file; docs/rollouts.md tells its keys.'],
        typed: face.file ?? '',
        fault: null,
        enter: 'reads it',
      },
      (typed) => (typed.trim() === '' ? 'type a path, or esc' : null),
    )
    if (file === null) return null
    try {
      const strategy = await rollouts.strategy(file.trim())
      return { ...face, strategy, file: untrusted(file.trim()), ...this.#replan(strategy), scroll: 0 }
    } catch (error) {
      return { ...face, fault: untrusted(error instanceof EdgeError ? error.toLine() : messageOf(error)) }
    }
  }

  /** Confirm and begin; resolves with whether it was begun. */
  async #confirmed(rollouts: RolloutParts, title: string, plan: Plan): Promise<boolean> {
    const count = plan.waves.reduce((sum, wave) => sum + wave.nodes.length, 0) + plan.deferred.length
    const word = this.#parts.production ? String(count) : null
    const typed = await this.#typed(
      {
        phase: 'typing',
        title: `begin: ${title}`,
        lines: confirmLines(plan, this.#parts.production ? { context: this.#parts.context, count } : null),
        typed: '',
        fault: null,
        enter: 'begins',
      },
      (text) => faultInTyped(text, word),
    )
    if (typed === null) return false
    this.#show({ phase: 'busy', title, text: 'signing and writing it down …' })
    const why = whyBehind(typed, word).slice(0, MOST_WHY_CHARS)
    await rollouts.service.start(plan, why === '' ? null : why)
    this.#close()
    this.#parts.begun(plan.rollout)
    return true
  }

  async #visit(failed: string, work: (rollouts: RolloutParts, signal: AbortSignal) => Promise<void>): Promise<void> {
    const { rollouts } = this.#parts
    if (rollouts === null || this.#abort !== null) return
    const abort = new AbortController()
    this.#abort = abort
    try {
      await work(rollouts, abort.signal)
    } catch (error) {
      const [message, next] = error instanceof EdgeError ? [error.message, error.next] : [messageOf(error), []]
      const lines = [message, ...next.map((cure) => `→ ${cure}`)]
        .map((text) => untrusted(text))
        .slice(0, MOST_FAULT_LINES)
      if (!abort.signal.aborted) await this.#asked({ phase: 'failed', title: failed, lines })
    }
    if (this.#abort === abort) {
      this.#abort = null
      this.#close()
    }
  }

  async #typed(
    face: Extract<RolloutFace, { phase: 'typing' }>,
    isAllowed: (typed: string) => string | null,
  ): Promise<string | null> {
    this.#isAllowed = isAllowed
    const answer = await this.#asked(face)
    return typeof answer === 'string' ? answer : null
  }

  /** Show a question and wait for its answer; null when it is called off. */
  #asked(face: RolloutFace): Promise<string | PackageOffer | null> {
    if (this.#abort?.signal.aborted !== false) return Promise.resolve(null)
    return new Promise((resolve) => {
      this.#answer = resolve
      this.#show(face)
    })
  }

  #settle(answer: string | PackageOffer | null): void {
    const settle = this.#answer
    this.#answer = null
    settle?.(answer)
  }

  #callOff(): void {
    this.#abort?.abort()
    this.#abort = null
    this.#settle(null)
    this.#close()
  }

  #choose(face: Extract<RolloutFace, { phase: 'choosing' }>, key: KeyName): void {
    const shown = offersFor(face.offers, face.typed)
    const row = Math.max(0, Math.min(face.row, shown.length - 1))
    if (key === 'enter') {
      const offer = shown[row]
      if (offer !== undefined) this.#settle(offer)
      else if (face.typed.trim() !== '') this.#settle(face.typed.trim())
    } else if (key === 'up' || key === 'down') {
      this.#show({ ...face, row: Math.max(0, Math.min(shown.length - 1, row + (key === 'up' ? -1 : 1))) })
    } else {
      const typed = editText(face.typed, key)
      if (typed !== null) this.#show({ ...face, typed, row: 0 })
    }
  }

  #turn(face: Extract<RolloutFace, { phase: 'planning' }>, key: KeyName): void {
    const move = { up: -1, k: -1, down: 1, j: 1 }[key]
    const by = { left: -1, h: -1, right: 1, l: 1, space: 1 }[key] as 1 | -1 | undefined
    const scroll = { pgdn: 4, 'ctrl-d': 4, pgup: -4, 'ctrl-u': -4 }[key]
    const knob = KNOBS[face.row]
    if (key === 'enter') {
      if (isBeginnable(face.plan)) this.#settle('begin')
    } else if (key === 'f') this.#settle('file')
    else if (move !== undefined) this.#show({ ...face, row: Math.max(0, Math.min(KNOBS.length - 1, face.row + move)) })
    else if (scroll !== undefined) this.#show({ ...face, scroll: Math.max(0, face.scroll + scroll) })
    else if (by !== undefined && knob !== undefined) {
      const strategy = knob.turned(face.strategy, by)
      this.#show({ ...face, strategy, ...this.#replan(strategy), scroll: 0 })
    }
  }

  #type(face: Extract<RolloutFace, { phase: 'typing' }>, key: KeyName): void {
    if (key === 'enter') {
      const fault = this.#isAllowed(face.typed)
      if (fault === null) this.#settle(face.typed)
      else this.#show({ ...face, fault })
      return
    }
    const typed = editText(face.typed, key)
    if (typed !== null) this.#show({ ...face, typed, fault: null })
  }

  #show(face: RolloutFace): void {
    if (this.#abort?.signal.aborted === false) this.#parts.store.set({ overlay: { name: 'rollout', face } })
  }

  #close(): void {
    if (this.#parts.store.get().overlay?.name === 'rollout') this.#parts.store.set({ overlay: null })
  }
}
