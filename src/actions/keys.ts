/**
 * A key in its one spelling: a printable character (`j`, `G`, `?`), a name of {@link KEY_NAMES}, or either after
 * `ctrl-` or `alt-` (`ctrl-d`, `alt-enter`).
 */
export type KeyName = string

/** Keys that have a name instead of a character. */
export const KEY_NAMES = [
  'enter',
  'esc',
  'space',
  'tab',
  'shift-tab',
  'backspace',
  'delete',
  'insert',
  'up',
  'down',
  'left',
  'right',
  'home',
  'end',
  'pgup',
  'pgdn',
] as const

const SPELLINGS: Readonly<Record<string, string>> = {
  escape: 'esc',
  return: 'enter',
  pageup: 'pgup',
  pagedown: 'pgdn',
  pgdown: 'pgdn',
  del: 'delete',
  bs: 'backspace',
  ' ': 'space',
}
// Terminals send these control characters for keys that have a name already.
const SAME_AS: Readonly<Record<string, string>> = { i: 'tab', m: 'enter', j: 'enter', '[': 'esc', h: 'backspace' }

/** The one spelling of a key that a person wrote, or what is wrong with it. */
export function parseKey(text: string): { ok: true; key: KeyName } | { ok: false; message: string } {
  const chord = /^(ctrl|alt)[-+](.+)$/i.exec(text)
  if (!chord) return parsePlain(text)
  const modifier = (chord[1] ?? '').toLowerCase()
  const rest = chord[2] ?? ''
  if (modifier === 'alt') {
    const plain = parsePlain(rest)
    return plain.ok ? { ok: true, key: `alt-${plain.key}` } : plain
  }
  const letter = rest.toLowerCase()
  if (!/^[a-z\\\]^_]$|^space$/.test(letter) && !(letter in SAME_AS)) {
    return { ok: false, message: `terminals send no key of its own for "${text}"; use ctrl with a letter` }
  }
  const same = SAME_AS[letter]
  if (same) return { ok: false, message: `terminals cannot tell "${text}" from "${same}"; write "${same}"` }
  return { ok: true, key: `ctrl-${letter}` }
}

function parsePlain(text: string): { ok: true; key: KeyName } | { ok: false; message: string } {
  const lower = text.toLowerCase()
  const name = SPELLINGS[lower] ?? lower
  if ((KEY_NAMES as readonly string[]).includes(name)) return { ok: true, key: name }
  if ([...text].length === 1 && text > ' ' && text !== '\x7f') return { ok: true, key: text }
  if (/^f\d+$/.test(lower))
    return { ok: false, message: `function keys such as "${text}" are not carried; use a letter` }
  return {
    ok: false,
    message: `"${text}" is not a key; write one character, "ctrl-" and a letter, or one of ${KEY_NAMES.join(', ')}`,
  }
}

const SEQUENCES: Readonly<Record<string, KeyName>> = {
  '[A': 'up',
  '[B': 'down',
  '[C': 'right',
  '[D': 'left',
  '[H': 'home',
  '[F': 'end',
  '[1~': 'home',
  '[7~': 'home',
  '[4~': 'end',
  '[8~': 'end',
  '[2~': 'insert',
  '[3~': 'delete',
  '[5~': 'pgup',
  '[6~': 'pgdn',
  '[Z': 'shift-tab',
  OA: 'up',
  OB: 'down',
  OC: 'right',
  OD: 'left',
  OH: 'home',
  OF: 'end',
  OM: 'enter',
}
const CONTROLS: Readonly<Record<number, KeyName>> = {
  0: 'ctrl-space',
  8: 'backspace',
  9: 'tab',
  10: 'enter',
  13: 'enter',
  127: 'backspace',
}

/**
 * Keys in a chunk of terminal input, one after the other: several keys may come in one chunk. Sequences that are no
 * known key are dropped. The chunk must not end within a sequence (the input router sees to that).
 */
export function decodeKeys(chunk: string): KeyName[] {
  const keys: KeyName[] = []
  let index = 0
  while (index < chunk.length) {
    const sequence = /^\x1b(\[\[[A-E]|\[[0-9;?<>=]*[@-~]|O[0-9;]*[@-~])/.exec(chunk.slice(index, index + 64))
    if (sequence) {
      const key = SEQUENCES[(sequence[1] ?? '').replace(/^\[1;\d+(?=[A-H])/, '[')]
      if (key) keys.push(key)
      index += sequence[0].length
      continue
    }
    const char = String.fromCodePoint(chunk.codePointAt(index) ?? 0)
    index += char.length
    if (char !== '\x1b') {
      keys.push(keyOfCharacter(char))
      continue
    }
    const next = chunk.codePointAt(index)
    if (next === undefined || next === 0x1b) keys.push('esc')
    else {
      const altered = String.fromCodePoint(next)
      keys.push(`alt-${keyOfCharacter(altered)}`)
      index += altered.length
    }
  }
  return keys
}

/** The text that a key types into an input line; null for keys that type nothing. */
export function textOfKey(key: KeyName): string | null {
  if (key === 'space') return ' '
  return [...key].length === 1 ? key : null
}

function keyOfCharacter(char: string): KeyName {
  const code = char.codePointAt(0) ?? 0
  if (char === ' ') return 'space'
  const control = CONTROLS[code]
  if (control) return control
  if (code < 0x20) return `ctrl-${String.fromCharCode(code + 0x60)}`
  return char
}
