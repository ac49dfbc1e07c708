import type { KeyName } from './keys.ts'
import { ACTION_IDS, type ActionContextName, type ActionId, actionOf } from './table.ts'

/** One action and the keys that mean it. */
export interface Binding {
  readonly action: ActionId
  readonly keys: readonly KeyName[]
}

/** Which key means which action where; immutable. */
export class Keymap {
  private readonly keys: ReadonlyMap<ActionId, readonly KeyName[]>
  private readonly actions: ReadonlyMap<string, ActionId>

  constructor(bindings: readonly Binding[]) {
    this.keys = new Map(bindings.map(({ action, keys }) => [action, keys]))
    const actions = new Map<string, ActionId>()
    for (const { action, keys } of bindings) {
      for (const context of actionOf(action).contexts) {
        for (const key of keys) actions.set(`${context} ${key}`, action)
      }
    }
    this.actions = actions
  }

  /** Keys of an action, first the one to show; empty when it has none. */
  keysOf(action: ActionId): readonly KeyName[] {
    return this.keys.get(action) ?? []
  }

  /** What a key means in these contexts, innermost first (`['dialog']`, `['fleet', 'demo', 'global']`); null for nothing. */
  actionFor(key: KeyName, contexts: readonly ActionContextName[]): ActionId | null {
    for (const context of contexts) {
      const action = this.actions.get(`${context} ${key}`)
      if (action) return action
    }
    return null
  }
}

/** A key to mention on the bottom line of a screen, or in help and the palette. */
export interface KeyHint {
  readonly action: ActionId
  /** Keys as they are shown; empty when the action has none. */
  readonly keys: readonly string[]
  readonly title: string
  readonly description: string
}

/** Hints for the bottom line, most useful first; actions without a key are left out. */
export function hintsFor(keymap: Keymap, contexts: readonly ActionContextName[]): KeyHint[] {
  return helpFor(keymap, contexts)
    .filter(({ action, keys }) => actionOf(action).hint !== null && keys.length > 0)
    .sort((a, b) => (actionOf(a.action).hint ?? 0) - (actionOf(b.action).hint ?? 0))
}

/** Every action that has a meaning in these contexts, in the order of the table. */
export function helpFor(keymap: Keymap, contexts: readonly ActionContextName[]): KeyHint[] {
  return ACTION_IDS.map(actionOf)
    .filter((action) => action.contexts.some((context) => contexts.includes(context)))
    .map(({ id, title, description }) => ({
      action: id,
      keys: keymap.keysOf(id).map(showKey),
      title,
      description,
    }))
}

/** A key as people read it: `ctrl-d` as `^D`, `esc` and the rest as they are. */
export function showKey(key: KeyName): string {
  const control = /^ctrl-(.)$/.exec(key)
  return control ? `^${(control[1] ?? '').toUpperCase()}` : key
}

/** Contexts that are active at the same time, so that one key cannot mean two things in them. */
export function areActiveTogether(a: ActionContextName, b: ActionContextName): boolean {
  if (a === b) return true
  const demo = (one: ActionContextName, other: ActionContextName) => one === 'demo' && other !== 'dialog'
  return demo(a, b) || demo(b, a) || (a === 'global' && b !== 'dialog') || (b === 'global' && a !== 'dialog')
}
