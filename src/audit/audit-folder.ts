import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { decodeToken, encodeToken } from '../../protocol/subjects.ts'
import { JournalFile } from './journal-file.ts'
import { MARK_SUFFIX } from './shipped-mark.ts'

const SUFFIX = '.ndjson'

/**
 * The journal of an operator in one context: what is done in one fleet is not told to another, and who works under two
 * names has two.
 * @param dir folder of all journals
 */
export function journalOf(dir: string, { context, operator }: { readonly context: string; readonly operator: string }) {
  return new JournalFile(join(dir, encodeToken(context), `${encodeToken(operator)}${SUFFIX}`), operator)
}

/** Every journal of a context on this machine, by name of the operator; also such as are gone, by the mark they left. */
export function journalsOf(dir: string, context: string): JournalFile[] {
  let names: string[]
  try {
    names = readdirSync(join(dir, encodeToken(context)))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  const files = new Set(names.map((name) => (name.endsWith(MARK_SUFFIX) ? name.slice(0, -MARK_SUFFIX.length) : name)))
  return [...files].sort().flatMap((name) => {
    const operator = name.endsWith(SUFFIX) ? decodeToken(name.slice(0, -SUFFIX.length)) : null
    return operator === null ? [] : [journalOf(dir, { context, operator })]
  })
}

/** Identifiers of the journals of every context on this machine: two contexts may be of one fleet. */
export function journalIdsIn(dir: string): ReadonlySet<string> {
  let contexts: string[]
  try {
    contexts = readdirSync(dir)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Set()
    throw error
  }
  const files = contexts.flatMap((name) => {
    const context = decodeToken(name)
    return context === null ? [] : journalsOf(dir, context)
  })
  return new Set(
    files.flatMap((file) => file.read().flatMap(({ record }) => (record === null ? [] : [record.journal]))),
  )
}
