import { EdgeError, messageOf } from '../../../protocol/errors.ts'
import { type UntrustedText, untrusted } from '../../../protocol/untrusted-text.ts'
import type { KeyName } from '../../actions/keys.ts'
import type { NodeKey, Plan, Strategy } from '../../rollout/contract.ts'
import type { RolloutService } from '../../rollout/service.ts'
import { DEFAULT_STRATEGY } from '../../rollout/strategy.ts'
import type { ConsoleStore } from '../console-store.ts'
import type { Act } from './acts.ts'
import { isDecision } from './acts.ts'
import type { RolloutEntry } from './book.ts'
import { Catalogue } from './catalogue.ts'
import { actLines, confirmLines, faultInTyped, whyBehind } from './confirm-text.ts'
import type { PackageOffer, PackagePlace, RolloutFace } from './face.ts'
import { RolloutSteps } from './steps.ts'

/** What rollouts are begun and decided with. */
export interface RolloutParts {
  readonly service: RolloutService
  /** Where packages lie that can be rolled out; the first that has one says where nodes fetch it. */
  readonly places: readonly PackagePlace[]
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

type Choosing = Extract<RolloutFace, { phase: 'choosing' }>
type Planning = Extract<RolloutFace, { phase: 'planning' }>
type Typing = Extract<RolloutFace, { phase: 'typing' }>

/** One way through the dialogs. */
interface Way {
  readonly rollouts: RolloutParts
  /** Aborted when it was called off. */
  readonly signal: AbortSignal
}

/** What is planned, by which strategy, and what esc does in its first step. */
interface Planned extends Pick<Planning, 'title' | 'strategy' | 'file' | 'esc'> {
  readonly planOf: (strategy: Strategy) => Plan
}

const MOST_WHY_CHARS = 200
const MOST_FAULT_LINES = 10

/** The way from `u` to a rollout, and from a key to a decision about one: packages, plan, confirmation, and back. */
export class RolloutVisit {
  readonly #parts: RolloutVisitParts
  readonly #steps: RolloutSteps

  constructor(parts: RolloutVisitParts) {
    this.#parts = parts
    this.#steps = new RolloutSteps(parts.store)
  }

  /** Roll something out to these nodes. Never rejects. */
  async open(nodes: readonly NodeKey[]): Promise<void> {
    await this.#visit('no rollout', async (way) => {
      const { rollouts, signal } = way
      const title = `roll out to ${nodes.length === 1 ? untrusted(nodes[0] ?? '') : `${nodes.length} nodes`}`
      const catalogue = new Catalogue(rollouts.places)
      void catalogue.read(signal, () =>
        this.#steps.change(signal, (face) => (face.phase === 'choosing' ? { ...face, ...catalogue.now() } : face)),
      )
      let choosing: Choosing = { phase: 'choosing', title, ...catalogue.now(), fault: null, typed: '', cursor: null }
      let by: Pick<Planning, 'strategy' | 'file'> = { strategy: rollouts.first ?? DEFAULT_STRATEGY, file: null }
      for (;;) {
        const chosen = await this.#chosen(way, choosing)
        if (chosen === null) return
        const { item, sources } = chosen.offer
        const left = await this.#planned(way, {
          title: `${item.name} ${item.version} to ${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'}`,
          ...by,
          esc: 'goes back',
          planOf: (strategy) =>
            rollouts.service.plan({ target: 'daemon', item, sources, nodes, strategy, undoes: null }),
        })
        if (left === null) return
        choosing = { ...chosen.face, ...catalogue.now(), fault: null }
        by = left
      }
    })
  }

  /** Do something about a rollout, after it was confirmed. Never rejects. */
  async act(act: Act, entry: RolloutEntry): Promise<void> {
    await this.#visit(`${act} did nothing`, async (way) => {
      const { rollouts, signal } = way
      const { plan, id } = entry.state
      const what = untrusted(`${plan.item.name} ${plan.item.version}`)
      if (act === 'undo') {
        const { target, item, sources } = plan
        const nodes = plan.waves.flatMap((wave) => wave.nodes)
        await this.#planned(way, {
          title: `undo ${what}`,
          strategy: plan.strategy,
          file: null,
          esc: 'closes',
          planOf: (strategy) => rollouts.service.plan({ target, item, sources, nodes, strategy, undoes: id }),
        })
        return
      }
      const production = this.#parts.production && act !== 'pause' && act !== 'abort'
      const word = production ? plan.item.name : null
      const { answer } = await this.#typed(
        signal,
        {
          phase: 'typing',
          title: `${act} ${what}?`,
          lines: actLines(act, entry.state, production ? this.#parts.context : null),
          typed: '',
          fault: null,
          enter: `${act}s`,
          esc: 'closes',
        },
        (text) => faultInTyped(text, word),
      )
      if (answer === null) return
      if (!isDecision(act)) {
        this.#parts.drive(id)
        return
      }
      this.#steps.show(signal, { phase: 'busy', title: `${act} ${what}`, text: 'writing it down …', esc: WRITTEN })
      const why = whyBehind(answer, word).slice(0, MOST_WHY_CHARS)
      await rollouts.service.decide(id, { decision: act, wave: null, why: why === '' ? null : why })
      this.#parts.toast(`${act}: written down; whoever drives it obeys`)
    })
  }

  /** Ask before the console is left; resolves with whether it is. */
  async leave(driven: readonly RolloutEntry[], lines: readonly string[]): Promise<boolean> {
    this.#steps.callOff()
    const way = this.#steps.begin()
    if (way === null) return false
    const title = driven.length === 1 ? 'a rollout is driven here' : `${driven.length} rollouts are driven here`
    const { answer } = await this.#typed(
      way,
      { phase: 'typing', title, lines, typed: '', fault: null, enter: 'leaves', esc: 'stays' },
      () => null,
    )
    this.#steps.end(way)
    return answer !== null
  }

  /** A key while it lies over the screen. */
  press(key: KeyName): void {
    this.#steps.press(key)
  }

  /** One of the packages that are there, or what was typed: a folder, or a name with its digest. Null when it was left. */
  async #chosen(
    { rollouts, signal }: Way,
    first: Choosing,
  ): Promise<{ readonly offer: PackageOffer; readonly face: Choosing } | null> {
    let asked = first
    for (;;) {
      const { answer, face } = await this.#steps.ask(signal, asked)
      if (answer === null) return null
      if (typeof answer !== 'string') return { offer: answer, face }
      try {
        return { offer: await rollouts.find(answer), face }
      } catch (error) {
        asked = { ...this.#steps.shown(face), fault: faultOf(error) }
      }
    }
  }

  /** Look at the plan, change it, and begin. Null when it was begun or called off; else by what it was planned last. */
  async #planned(
    way: Way,
    { title, strategy: first, file, esc, planOf }: Planned,
  ): Promise<Pick<Planning, 'strategy' | 'file'> | null> {
    const { signal } = way
    const replan = (strategy: Strategy): Pick<Planning, 'plan' | 'fault'> => {
      try {
        return { plan: planOf(strategy), fault: null }
      } catch (error) {
        return { plan: null, fault: faultOf(error) }
      }
    }
    const start = { phase: 'planning', title, strategy: first, file, ...replan(first), row: 0, scroll: 0, esc } as const
    let asked: Planning = start
    let why = ''
    for (;;) {
      const { answer, face } = await this.#steps.ask(signal, asked, { replan })
      if (signal.aborted) return null
      if (answer === null) return face
      asked = face
      if (answer === 'file') asked = await this.#fromFile(way, face, replan)
      else if (face.plan !== null) {
        const left = await this.#confirmed(way, { title, plan: face.plan, typed: why })
        if (left === null) return null
        why = left
      }
    }
  }

  async #fromFile(
    { rollouts, signal }: Way,
    face: Planning,
    replan: (strategy: Strategy) => Pick<Planning, 'plan' | 'fault'>,
  ): Promise<Planning> {
    const { answer } = await this.#typed(
      signal,
      {
        phase: 'typing',
        title: 'strategy from a file',
        lines: ['Path of a YAML file; docs/strategy.md tells its keys.'],
        typed: face.file ?? '',
        fault: null,
        enter: 'reads it',
        esc: 'goes back',
      },
      (typed) => (typed.trim() === '' ? 'type a path, or esc' : null),
    )
    if (answer === null) return face
    const file = answer.trim()
    try {
      const strategy = await rollouts.strategy(file)
      return { ...face, strategy, file: untrusted(file), ...replan(strategy), scroll: 0 }
    } catch (error) {
      return { ...face, fault: faultOf(error) }
    }
  }

  /** Confirm and begin. Null when it was begun or called off; else what was typed before esc. */
  async #confirmed(
    { rollouts, signal }: Way,
    { title, plan, typed }: { readonly title: string; readonly plan: Plan; readonly typed: string },
  ): Promise<string | null> {
    const { production, context, begun, drive, toast } = this.#parts
    const count = plan.waves.reduce((sum, wave) => sum + wave.nodes.length, 0) + plan.deferred.length
    const word = production ? String(count) : null
    const { answer, face } = await this.#typed(
      signal,
      {
        phase: 'typing',
        title: `begin: ${title}`,
        lines: confirmLines(plan, production ? { context, count } : null),
        typed,
        fault: null,
        enter: 'begins',
        esc: 'goes back',
      },
      (text) => faultInTyped(text, word),
    )
    if (signal.aborted) return null
    if (answer === null) return face.typed
    this.#steps.show(signal, { phase: 'busy', title, text: 'signing and writing it down …', esc: WRITTEN })
    const why = whyBehind(answer, word).slice(0, MOST_WHY_CHARS)
    await rollouts.service.start(plan, why === '' ? null : why)
    if (signal.aborted) {
      drive(plan.rollout)
      toast(`${title}: begun, and driven here`)
      return null
    }
    this.#steps.end(signal)
    begun(plan.rollout)
    return null
  }

  async #visit(failed: string, work: (way: Way) => Promise<void>): Promise<void> {
    const { rollouts } = this.#parts
    if (rollouts === null) return
    const signal = this.#steps.begin()
    if (signal === null) return
    try {
      await work({ rollouts, signal })
    } catch (error) {
      const [message, next] = error instanceof EdgeError ? [error.message, error.next] : [messageOf(error), []]
      const lines = [message, ...next.map((cure) => `→ ${cure}`)]
        .map((text) => untrusted(text))
        .slice(0, MOST_FAULT_LINES)
      if (signal.aborted) this.#parts.toast(`${failed}: ${lines[0] ?? ''}`)
      await this.#steps.ask(signal, { phase: 'failed', title: failed, lines })
    }
    this.#steps.end(signal)
  }

  async #typed(
    way: AbortSignal,
    asked: Typing,
    faultIn: (typed: string) => string | null,
  ): Promise<{ readonly answer: string | null; readonly face: Typing }> {
    const { answer, face } = await this.#steps.ask(way, asked, { faultIn })
    return { answer: typeof answer === 'string' ? answer : null, face }
  }
}

/** What esc does while something is written that cannot be called back. */
const WRITTEN = 'closes this; it may be written all the same'

function faultOf(error: unknown): UntrustedText {
  return untrusted(error instanceof EdgeError ? error.toLine() : messageOf(error))
}
