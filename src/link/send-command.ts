import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { isVerb, VERBS } from '../../protocol/rights.ts'
import type { Dial } from './dial.ts'
import type { CommandJournal, CommandOptions, CommandOutcome, JsonValue, SentCommand } from './link.ts'
import type { LiveSession } from './live-session.ts'

const REQUEST_TIMEOUT_MS = 10_000

/** What a command goes over, and who writes it down. */
export interface CommandRoute {
  readonly key: string
  readonly session: LiveSession
  readonly dial: Dial
  readonly journal: CommandJournal | null
}

/**
 * Sign a command that changes something, have it written down, send it, wait for its answer. On a plain link nothing is
 * signed: the node could not tell who did. Never throws.
 */
export async function sendCommand(
  { key, session, dial, journal }: CommandRoute,
  verb: string,
  args: Readonly<Record<string, JsonValue>>,
  { timeoutMs = REQUEST_TIMEOUT_MS, why }: CommandOptions,
): Promise<CommandOutcome> {
  const changes = isVerb(verb) && VERBS[verb].changes
  const node = dial.certified()
  const signs = changes && node !== null && dial.identity !== null && !dial.identity.isController
  const wish = { verb, args, why: why ?? null, nowMs: session.nodeNowMs() }
  const envelope = signs ? dial.identity.sign({ ...wish, node }) : null
  const command: SentCommand = { key, node, verb, args, envelope, why: why ?? null }
  if (changes && journal !== null) {
    try {
      await journal.sending(command)
    } catch (error) {
      const [code, next] = error instanceof EdgeError ? [error.code, error.next] : ['OUTPUT_REFUSED', []]
      return { ok: false, code, message: `it was not sent: ${messageOf(error)}`, next }
    }
  }
  const outcome = await session.requests.command(timeoutMs, (id) =>
    session.ask({ t: 'command', id, verb, args: { ...args }, ...(envelope === null ? {} : { envelope }) }),
  )
  if (changes) journal?.answered(command, outcome)
  return outcome
}
