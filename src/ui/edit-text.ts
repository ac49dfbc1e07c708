import { type KeyName, textOfKey } from '../actions/keys.ts'

const MAX_CHARACTERS = 200

/** Text after a key was typed into it; null when the key types nothing. */
export function editText(text: string, key: KeyName): string | null {
  if (key === 'backspace') return [...text].slice(0, -1).join('')
  if (key === 'ctrl-u') return ''
  if (key === 'ctrl-w') return text.replace(/\S+\s*$/, '')
  const typed = textOfKey(key)
  return typed === null || text.length >= MAX_CHARACTERS ? null : text + typed
}
