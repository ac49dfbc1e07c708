import { globSync, readFileSync, statSync } from 'node:fs'
import { basename, isAbsolute, join } from 'node:path'
import { type Line, LineType, parse } from 'ssh-config'
import { EdgeError, messageOf } from '../../protocol/errors.ts'

/** What stands in a configuration of OpenSSH's client, files that it includes in their places. */
export type ConfigItem =
  | { readonly kind: 'option'; readonly keyword: string; readonly words: readonly string[]; readonly file: string }
  | { readonly kind: 'host'; readonly patterns: readonly string[]; readonly body: readonly ConfigItem[] }
  | {
      readonly kind: 'match'
      readonly criteria: readonly string[]
      readonly body: readonly ConfigItem[]
      readonly file: string
    }
  | { readonly kind: 'include'; readonly body: readonly ConfigItem[] }

/** A file to read and whose it is. */
export interface ConfigPlace {
  readonly file: string
  /** Folder that `Include` starts from: `~/.ssh`, or `/etc/ssh` for the machine's. */
  readonly folder: string
  readonly home: string
  /** Refuse a file that others may write: who writes it decides where keys and passwords go. */
  readonly isOwn: boolean
  /** A file that was asked for must be there. */
  readonly mustExist: boolean
}

/** As OpenSSH has it. */
const MAX_INCLUDE_DEPTH = 16
const MAX_FILE_BYTES = 4 * 1024 * 1024
const OTHERS_MAY_WRITE = 0o022

/** Read a configuration and all it includes. @throws EdgeError `SSH_CONFIG_INVALID` */
export function readSshConfig(place: ConfigPlace, depth = 0): readonly ConfigItem[] {
  if (depth > MAX_INCLUDE_DEPTH)
    throw invalid(place.file, 'files include each other without end', 'take an Include out')
  const text = readConfigText(place)
  return text === null ? [] : parseSshConfig(text, place, depth)
}

/** The text of a configuration, with all it includes read. @throws EdgeError `SSH_CONFIG_INVALID` */
export function parseSshConfig(text: string, place: ConfigPlace, depth = 0): readonly ConfigItem[] {
  const { file } = place
  let lines: readonly Line[]
  try {
    lines = parse(text)
  } catch (cause) {
    throw invalid(file, `it cannot be understood: ${messageOf(cause)}`, 'look for a quote or a value that is missing')
  }
  return itemsOf(lines, place, depth)
}

function itemsOf(lines: readonly Line[], place: ConfigPlace, depth: number): ConfigItem[] {
  const { file } = place
  const items: ConfigItem[] = []
  for (const line of lines) {
    if (line.type !== LineType.DIRECTIVE) continue
    const keyword = line.param.toLowerCase()
    const words = (typeof line.value === 'string' ? [line.value] : line.value.map(({ val }) => val)).filter(
      (word) => word !== '',
    )
    // The parser takes the next line for a value where there is none.
    if (/\s/.test(line.param) || words.length === 0) {
      throw invalid(file, `"${keyword.split(/\s/)[0]}" has no value`, 'write one behind it, or take the line out')
    }
    const body = () => itemsOf('config' in line ? line.config : [], place, depth)
    if (keyword === 'host') items.push({ kind: 'host', patterns: words, body: body() })
    else if (keyword === 'match') items.push({ kind: 'match', criteria: words, body: body(), file })
    else if (keyword === 'include') {
      const included = words.flatMap((word) => filesOf(word, place))
      const read = included.map((file) => readSshConfig({ ...place, file, mustExist: false }, depth + 1))
      items.push(...read.map((body) => ({ kind: 'include', body }) as const))
    } else items.push({ kind: 'option', keyword, words, file })
  }
  return items
}

/** Files that a word of `Include` means, in the order of their names; none where nothing fits. */
function filesOf(word: string, { folder, home }: ConfigPlace): string[] {
  const spoken = word === '~' || word.startsWith('~/') ? join(home, word.slice(1)) : word
  const path = isAbsolute(spoken) ? spoken : join(folder, spoken)
  if (!/[*?[]/.test(path)) return [path]
  const wantsHidden = basename(path).startsWith('.')
  return globSync(path)
    .filter((found) => wantsHidden || !basename(found).startsWith('.'))
    .sort()
}

function readConfigText({ file, isOwn, mustExist }: ConfigPlace): string | null {
  try {
    const stat = statSync(file)
    if (isOwn && (stat.mode & OTHERS_MAY_WRITE) !== 0) {
      throw invalid(file, 'others of this machine may write it', `run "chmod go-w ${file}"`)
    }
    if (stat.size > MAX_FILE_BYTES) throw invalid(file, 'it is far too large', 'name the right file')
    return readFileSync(file, 'utf8')
  } catch (cause) {
    if (cause instanceof EdgeError) throw cause
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT' && !mustExist) return null
    throw invalid(file, `it cannot be read: ${messageOf(cause)}`, 'let it be readable, or name another file', cause)
  }
}

function invalid(file: string, what: string, next: string, cause?: unknown): EdgeError {
  return new EdgeError('SSH_CONFIG_INVALID', { message: `${file}: ${what}`, next: [next], cause })
}
