import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { areActiveTogether, helpFor, hintsFor } from '../../../src/actions/keymap.ts'
import { loadKeymap, readBindings } from '../../../src/actions/keymap-file.ts'
import { ACTION_IDS, actionOf } from '../../../src/actions/table.ts'

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))
const DEFAULT = path('../../../keymaps/default.yaml')
const load = (fixture: string | null) =>
  loadKeymap({ defaultFile: DEFAULT, userFile: fixture === null ? null : path(`fixtures/${fixture}.yaml`) })

describe('default key map', () => {
  it('binds every action of the table and nothing else', () => {
    const { bindings, problems } = readBindings(readFileSync(DEFAULT, 'utf8'), DEFAULT)
    expect(problems).toEqual([])
    expect(bindings.map(({ action }) => action).sort()).toEqual([...ACTION_IDS].sort())
    for (const { action, keys } of bindings) expect(keys, action).not.toEqual([])
  })

  it('gives no key two meanings at one time', () => {
    const { keymap, problems } = load(null)
    expect(problems).toEqual([])
    for (const [index, a] of ACTION_IDS.entries()) {
      for (const b of ACTION_IDS.slice(index + 1)) {
        const together = actionOf(a).contexts.some((one) =>
          actionOf(b).contexts.some((two) => areActiveTogether(one, two)),
        )
        if (!together) continue
        const shared = keymap.keysOf(a).filter((key) => keymap.keysOf(b).includes(key))
        expect(shared, `${a} and ${b}`).toEqual([])
      }
    }
  })

  it('has nothing that disturbs on a ctrl chord, and leaves tmux its keys', () => {
    const { keymap } = load(null)
    for (const id of ACTION_IDS) {
      const keys = keymap.keysOf(id)
      expect(keys).not.toContain('ctrl-a')
      expect(keys).not.toContain('ctrl-b')
      if (actionOf(id).danger !== 'none') expect(keys.filter((key) => key.startsWith('ctrl-'))).toEqual([])
    }
  })

  it('has the keys that hands expect', () => {
    const { keymap } = load(null)
    const fleet = (key: string) => keymap.actionFor(key, ['fleet', 'demo', 'global'])
    expect('j k g G / : ? enter esc q space l -'.split(' ').map(fleet)).toEqual([
      'nav.down',
      'nav.up',
      'nav.top',
      'nav.bottom',
      'app.filter',
      'app.palette',
      'app.help',
      'nav.enter',
      'nav.back',
      'app.quit',
      'node.mark',
      'logs.open',
      'nav.last',
    ])
    expect(keymap.actionFor('n', ['dialog'])).toBe('dialog.refuse')
    expect(keymap.actionFor('n', ['logs', 'global'])).toBe('search.next')
    expect(keymap.actionFor('K', ['fleet', 'global'])).toBeNull()
  })

  it('is described by its JSON schema', () => {
    const schema = JSON.parse(readFileSync(path('../../../keymaps/schema.json'), 'utf8'))
    expect(Object.keys(schema.properties.bindings.properties)).toEqual([...ACTION_IDS])
  })
})

describe("a user's key map", () => {
  it('lies over the default one: new keys, keys taken away, the rest as it was', () => {
    const { keymap, problems } = load('good')
    expect(problems).toEqual([])
    expect(keymap.keysOf('nav.down')).toEqual(['ctrl-n', 'down'])
    expect(keymap.actionFor('j', ['fleet', 'global'])).toBeNull()
    expect(keymap.keysOf('app.quit')).toEqual([])
    expect(keymap.actionFor('q', ['fleet', 'global'])).toBeNull()
    expect(keymap.actionFor('alt-x', ['fleet', 'global'])).toBe('app.palette')
    expect(keymap.actionFor('0', ['logs', 'global'])).toBe('logs.level')
    expect(keymap.keysOf('nav.top')).toEqual(['g', 'home'])
  })

  it('is reported line by line where it is wrong, and the good lines are kept', () => {
    const { keymap, problems } = load('bad')
    const expected = [
      /bad\.yaml:2: nav\.downn: unknown action; did you mean "nav\.down"\?/,
      /bad\.yaml:3: demo\.kill: "ctrl-k" is refused: .* never on a ctrl chord; use a letter/,
      /bad\.yaml:4: nav\.top: function keys/,
      /bad\.yaml:5: nav\.pageUp: "ctrl-b" works, but tmux/,
      /bad\.yaml:6: logs\.open: "hyper-x" is not a key/,
      /bad\.yaml:7: app\.help: expected a key/,
      /bad\.yaml:9: view\.pause: "s" is already "view\.sort" on line 8; give one of them another key/,
      /bad\.yaml:10: nav\.enter: terminals cannot tell "ctrl-m" from "enter"/,
      /bad\.yaml:11: keys: unknown key/,
    ]
    for (const pattern of expected) expect(problems).toContainEqual(expect.stringMatching(pattern))
    expect(problems).toHaveLength(expected.length)
    expect(keymap.keysOf('logs.open')).toEqual(['L'])
    expect(keymap.keysOf('nav.pageUp')).toEqual(['ctrl-b'])
    expect(keymap.keysOf('view.sort')).toEqual(['s'])
    // What could not be used leaves the default in force.
    expect(keymap.keysOf('demo.kill')).toEqual(['K'])
    expect(keymap.keysOf('nav.top')).toEqual(['g', 'home'])
    expect(keymap.keysOf('nav.enter')).toEqual(['enter'])
  })

  it('takes a key from the action that had it by default', () => {
    const { keymap } = load('bad')
    expect(keymap.actionFor('L', ['fleet', 'demo', 'global'])).toBe('logs.open')
    expect(keymap.keysOf('demo.slow')).toEqual([])
  })

  it('that is no YAML is reported with its line, and the default stays', () => {
    const { keymap, problems } = load('broken')
    expect(problems[0]).toMatch(/broken\.yaml:\d+: /)
    expect(keymap.keysOf('nav.down')).toEqual(['j', 'down'])
  })

  it('may be absent', () => {
    expect(load('absent').problems).toEqual([])
  })
})

describe('hints and help', () => {
  it('come from the table and follow the key map', () => {
    const hints = hintsFor(load('good').keymap, ['fleet', 'global'])
    expect(hints[0]).toMatchObject({ action: 'nav.enter', keys: ['enter'], title: 'Open' })
    expect(hints.map(({ action }) => action)).not.toContain('app.quit')
    expect(hints.map(({ action }) => action)).not.toContain('demo.kill')
    const help = helpFor(load('good').keymap, ['fleet', 'demo', 'global'])
    expect(help.find(({ action }) => action === 'nav.up')?.keys).toEqual(['^P'])
    expect(help.find(({ action }) => action === 'app.quit')?.keys).toEqual([])
    expect(help.map(({ action }) => action)).toContain('demo.kill')
    expect(help.map(({ action }) => action)).not.toContain('logs.wrap')
  })
})
