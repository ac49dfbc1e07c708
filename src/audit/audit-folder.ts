import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { decodeToken, encodeToken } from '../../protocol/subjects.ts'
import { JournalFile } from './journal-file.ts'

const SUFFIX = '.ndjson'

/**
 * The journal of an operator in one context: what is done in one fleet is not told to another, and who works under two
 * names has two.
 * @param dir folder of all journals
 */
export function journalOf(dir: string, { context, operator }: { readonly context: string; readonly operator: string }) {
  return new JournalFile(join(dir, encodeToken(context), `${encodeToken(operator)}${SUFFIX}`), operator)
}

/** Every journal of a context on this machine, by name of the operator. */
export function journalsOf(dir: string, context: string): JournalFile[] {
  let names: string[]
  try {
    names = readdirSync(join(dir, encodeToken(context)))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  return names.sort().flatMap((name) => {
    const operator = name.endsWith(SUFFIX) ? decodeToken(name.slice(0, -SUFFIX.length)) : null
    return operator === null ? [] : [journalOf(dir, { context, operator })]
  })
}
