import { readFileSync } from 'node:fs'
import { describeFault, nearest, type ParsedDocument, parseYaml } from '../../settings/document.ts'
import { areActiveTogether, type Binding, Keymap } from './keymap.ts'
import { type KeyName, parseKey } from './keys.ts'
import { ACTION_IDS, type ActionId, actionOf, isActionId } from './table.ts'

/** Files of a key map. */
export interface KeymapFiles {
  /** `keymaps/default.yaml` of the console. */
  readonly defaultFile: string
  /** The user's own, over it; null or absent on disk when there is none. */
  readonly userFile: string | null
}

/** A key map, and what could not be used of the user's file (`file:line: path: what is wrong; what to do`). */
export interface LoadedKeymap {
  readonly keymap: Keymap
  readonly problems: readonly string[]
}

/** One binding of a file, with its line for messages. */
interface FileBinding extends Binding {
  readonly line: number | null
}

/** Bindings that could be read, and one message for each that could not. */
export interface ReadBindings {
  readonly bindings: readonly FileBinding[]
  readonly problems: readonly string[]
}

const TMUX_KEYS: readonly KeyName[] = ['ctrl-a', 'ctrl-b']

/**
 * Load the default key map with the user's over it. A bad line is reported and the others kept; a user's key takes the
 * place of a default one. Throws only when the console's own file is missing.
 */
export function loadKeymap(files: KeymapFiles): LoadedKeymap {
  const defaults = readBindings(readFileSync(files.defaultFile, 'utf8'), files.defaultFile)
  const userText = files.userFile === null ? null : readIfPresent(files.userFile)
  if (files.userFile === null || userText === null) return merge(defaults, null, '')
  if (typeof userText !== 'string') return merge({ ...defaults, problems: [userText.problem] }, null, '')
  return merge(defaults, readBindings(userText, files.userFile), files.userFile)
}

/** Read the bindings of one file from YAML text; `file` is for messages only. */
export function readBindings(text: string, file: string): ReadBindings {
  const problems: string[] = []
  const bindings: FileBinding[] = []
  const report = (line: number | null, path: string, message: string): void => {
    problems.push(describeFault(file, { line, path, message }))
  }
  const parsed = parseYaml(text)
  if (!parsed.ok) {
    for (const fault of parsed.faults) problems.push(describeFault(file, fault))
    return { bindings, problems }
  }
  const root = parsed.value.value
  if (!isMapping(root)) {
    report(1, '', 'expected a mapping with the key "bindings"')
    return { bindings, problems }
  }
  for (const key of Object.keys(root)) {
    if (key !== 'bindings') report(parsed.value.lineOf([key]), key, 'unknown key; bindings belong under "bindings:"')
  }
  const entries = root.bindings ?? {}
  if (!isMapping(entries)) {
    report(
      parsed.value.lineOf(['bindings']),
      'bindings',
      'expected actions with their keys, such as "nav.down: [j, down]"',
    )
    return { bindings, problems }
  }
  for (const [action, raw] of Object.entries(entries)) {
    const line = lineOfBinding(parsed.value, action)
    if (!isActionId(action)) {
      const near = nearest(action, ACTION_IDS)
      report(
        line,
        action,
        near ? `unknown action; did you mean "${near}"?` : 'unknown action; "edgedeck keys" lists them all',
      )
      continue
    }
    const { keys, complaints } = readKeys(action, raw)
    for (const complaint of complaints) report(line, action, complaint)
    if (keys) bindings.push({ action, keys, line })
  }
  return { bindings, problems }
}

/** Keys of one binding; null when nothing of it can be used and what was before stays. */
function readKeys(action: ActionId, raw: unknown): { keys: KeyName[] | null; complaints: string[] } {
  if (raw === null) return { keys: [], complaints: [] }
  const list = Array.isArray(raw) ? raw : [raw]
  const keys: KeyName[] = []
  const complaints: string[] = []
  for (const item of list) {
    if (typeof item !== 'string' && typeof item !== 'number') {
      complaints.push(`expected a key such as j or "ctrl-d", found ${JSON.stringify(item)}; write the key in quotes`)
      continue
    }
    const parsed = parseKey(String(item))
    if (!parsed.ok) complaints.push(parsed.message)
    else if (parsed.key.startsWith('ctrl-') && actionOf(action).danger !== 'none') {
      complaints.push(`"${parsed.key}" is refused: what disturbs or destroys is never on a ctrl chord; use a letter`)
    } else {
      if (TMUX_KEYS.includes(parsed.key))
        complaints.push(`"${parsed.key}" works, but tmux and screen take it first; another key is safer`)
      if (!keys.includes(parsed.key)) keys.push(parsed.key)
    }
  }
  return { keys: keys.length === 0 && list.length > 0 ? null : keys, complaints }
}

function merge(defaults: ReadBindings, user: ReadBindings | null, userFile: string): LoadedKeymap {
  const problems = [...defaults.problems, ...(user?.problems ?? [])]
  const taken: FileBinding[] = []
  for (const binding of user?.bindings ?? []) {
    const keys = binding.keys.filter((key) => {
      const rival = taken.find((other) => clash(other, binding, key))
      if (rival) {
        const message = `"${key}" is already "${rival.action}" on line ${rival.line ?? '?'}; give one of them another key`
        problems.push(describeFault(userFile, { line: binding.line, path: binding.action, message }))
      }
      return !rival
    })
    taken.push({ ...binding, keys })
  }
  const bindings: Binding[] = [...taken]
  for (const binding of defaults.bindings) {
    if (taken.some(({ action }) => action === binding.action)) continue
    bindings.push({
      ...binding,
      keys: binding.keys.filter((key) => !taken.some((other) => clash(other, binding, key))),
    })
  }
  return { keymap: new Keymap(bindings), problems }
}

/** Whether a key of one binding would mean another action at the same time. */
function clash(other: Binding, binding: Binding, key: KeyName): boolean {
  if (other.action === binding.action || !other.keys.includes(key)) return false
  const contexts = actionOf(binding.action).contexts
  return actionOf(other.action).contexts.some((context) => contexts.some((mine) => areActiveTogether(context, mine)))
}

function lineOfBinding(document: ParsedDocument, action: string): number | null {
  return document.lineOf(['bindings', action])
}

function readIfPresent(file: string): string | null | { problem: string } {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'error'
    return code === 'ENOENT' ? null : { problem: `${file}: cannot be read (${code}); correct its permissions` }
  }
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
