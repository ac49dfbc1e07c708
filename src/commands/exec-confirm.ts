import { EdgeError } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import { brief } from './exec-selection.ts'

/** What is asked about before a command runs in a production context. */
export interface ExecQuestion {
  /** Name of the context. */
  readonly context: string
  readonly keys: readonly string[]
  readonly command: string
  /** Null where it was not said. */
  readonly why: string | null
  /** Null where no terminal is there to ask on. */
  readonly ask: ((question: string) => Promise<string>) | null
}

const MAX_WHY_CHARS = 200

/**
 * Let the operator type how many nodes it is about (what is typed without reading is wrong), and why where that is not said
 * yet; resolves with why.
 * @throws EdgeError `USAGE` when it is not typed, or nobody is there to type
 */
export async function confirmExec({ context, keys, command, why, ask }: ExecQuestion): Promise<string> {
  const cure = 'give --yes with --why, where nobody is there to ask'
  if (ask === null) {
    throw new EdgeError('USAGE', { message: `${context} is a production context, and nobody is asked`, next: [cure] })
  }
  const what = keys.length === 1 ? `the node ${keys[0]}` : `${keys.length} nodes: ${brief(keys)}`
  const question = `PRODUCTION ${context}: run ${untrusted(command)}\non ${untrusted(what)}\n`
  const answer = await ask(`${question}Type the number of nodes to run it: `)
  if (answer.trim() !== String(keys.length)) {
    throw new EdgeError('USAGE', { message: `not run: ${keys.length} was not typed`, next: [cure] })
  }
  const reason = (why ?? (await ask('Why? It stands in the audit: '))).trim()
  if (reason !== '') return reason.slice(0, MAX_WHY_CHARS)
  throw new EdgeError('USAGE', { message: 'not run: there is no reason for it', next: ['give --why'] })
}
