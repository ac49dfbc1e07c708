import { EdgeError } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'

/** What is asked about before a rollout is begun or decided about in a production context. */
export interface RolloutQuestion {
  /** Name of the context. */
  readonly context: string
  /** What will happen: "bring digits 2.0.0 to 12 nodes". */
  readonly what: string
  /** What has to be typed, and how it is called: the number of nodes, or the rollout. */
  readonly type: { readonly text: string; readonly called: string }
  /** Null where it was not said. */
  readonly why: string | null
  /** Null where no terminal is there to ask on. */
  readonly ask: ((question: string) => Promise<string>) | null
}

const MAX_WHY_CHARS = 200

/**
 * Let the operator type what it is about (what is typed without reading is wrong), and why where that is not said yet;
 * resolves with why.
 * @throws EdgeError `USAGE` when it is not typed, or nobody is there to type
 */
export async function confirmRollout({ context, what, type, why, ask }: RolloutQuestion): Promise<string> {
  const cure = 'give --yes with --why, where nobody is there to ask'
  if (ask === null) {
    throw new EdgeError('USAGE', { message: `${context} is a production context, and nobody is asked`, next: [cure] })
  }
  const answer = await ask(`PRODUCTION ${context}: ${untrusted(what)}\nType ${type.called} to do it: `)
  if (answer.trim() !== type.text) {
    throw new EdgeError('USAGE', { message: `not done: ${type.text} was not typed`, next: [cure] })
  }
  const reason = (why ?? (await ask('Why? It stands in the journal: '))).trim()
  if (reason !== '') return reason.slice(0, MAX_WHY_CHARS)
  throw new EdgeError('USAGE', { message: 'not done: there is no reason for it', next: ['give --why'] })
}
