import type { KeyName } from '../../actions/keys.ts'
import type { ConsoleStore } from '../console-store.ts'
import type { RolloutFace } from './face.ts'
import { type Answer, type PressMeans, pressed } from './press.ts'

/** How a step ended: with an answer, or null where esc left it; and its face as it was then, to come back to. */
export interface Answered<F extends RolloutFace> {
  readonly answer: Answer | null
  readonly face: F
}

const NO_MEANS: PressMeans = { faultIn: () => null, replan: () => ({ plan: null, fault: null }) }

/** The dialog that lies over the screen while something of rollouts is asked: one step at a time, of one way at a time. */
export class RolloutSteps {
  readonly #store: ConsoleStore
  #way: AbortController | null = null
  #means: PressMeans = NO_MEANS
  #settle: ((answer: Answer | null) => void) | null = null

  constructor(store: ConsoleStore) {
    this.#store = store
  }

  /** Begin a way through dialogs; its signal is aborted when it is called off. Null while another one is gone. */
  begin(): AbortSignal | null {
    if (this.#way !== null) return null
    this.#way = new AbortController()
    return this.#way.signal
  }

  /** Show a step and wait for its answer; null when esc leaves it, or the way was called off. */
  async ask<F extends RolloutFace>(way: AbortSignal, face: F, means: Partial<PressMeans> = {}): Promise<Answered<F>> {
    if (way.aborted) return { answer: null, face }
    const answer = await new Promise<Answer | null>((resolve) => {
      this.#means = { ...NO_MEANS, ...means }
      this.#settle = resolve
      this.show(way, face)
    })
    return { answer, face: way.aborted ? face : this.shown(face) }
  }

  /** The face of a step as keys and news have changed it since. */
  shown<F extends RolloutFace>(face: F): F {
    const { overlay } = this.#store.get()
    return overlay?.name === 'rollout' && overlay.face.phase === face.phase ? (overlay.face as F) : face
  }

  /** There is news for the face of a way that is shown. */
  change(way: AbortSignal, next: (face: RolloutFace) => RolloutFace): void {
    const { overlay } = this.#store.get()
    if (overlay?.name !== 'rollout') return
    const face = next(overlay.face)
    if (face !== overlay.face) this.show(way, face)
  }

  /** Show a face of a way, unless that was called off. */
  show(way: AbortSignal, face: RolloutFace): void {
    if (!way.aborted) this.#store.set({ overlay: { name: 'rollout', face } })
  }

  /** A key while a dialog is open: esc leaves the step, ctrl-c the whole way. */
  press(key: KeyName): void {
    const { overlay } = this.#store.get()
    if (overlay?.name !== 'rollout') return
    const { face } = overlay
    if (key === 'ctrl-c' || (key === 'esc' && this.#settle === null)) this.callOff()
    else if (key === 'esc' || (key === 'enter' && face.phase === 'failed')) this.#answer(null)
    else {
      const next = pressed(face, key, this.#means)
      if (next === null) return
      if ('answer' in next) this.#answer(next.answer)
      else this.#store.set({ overlay: { name: 'rollout', face: next.face } })
    }
  }

  /** Leave the way that is gone, whatever its step. */
  callOff(): void {
    const way = this.#way
    this.#way = null
    way?.abort()
    this.#answer(null)
    if (way !== null) this.#close()
  }

  /** A way is at its end. */
  end(way: AbortSignal): void {
    if (this.#way?.signal !== way) return
    this.#way = null
    this.#close()
  }

  #answer(answer: Answer | null): void {
    const settle = this.#settle
    this.#settle = null
    settle?.(answer)
  }

  #close(): void {
    if (this.#store.get().overlay?.name === 'rollout') this.#store.set({ overlay: null })
  }
}
