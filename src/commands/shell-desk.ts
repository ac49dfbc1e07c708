import { userInfo } from 'node:os'
import type { OperatorJournal } from '../audit/command-journal.ts'
import type { RecordSettings } from '../config/record-settings.ts'
import type { IdentitySource } from '../identity/identity-source.ts'
import type { NodeLink } from '../link/link.ts'
import type { ShellDesk } from '../shell/open-shell.ts'

/** What shells of an operator are opened and written down with. */
export interface ShellDeskOptions {
  readonly context: { readonly name: string; readonly production: boolean }
  readonly record: RecordSettings
  /** Folder of all recordings. */
  readonly recordingsDir: string
  readonly journal: Pick<OperatorJournal, 'begins'>
  readonly identity: IdentitySource
  readonly link: (key: string) => NodeLink | undefined
  readonly named: ShellDesk['named']
}

/** How long a node has to answer that it knows of a shell, ms. */
const TOLD_MS = 5000

/** The one desk of a context: the console and the plain command open shells by it alike. */
export function shellDesk(options: ShellDeskOptions): ShellDesk {
  const { context, record, recordingsDir, journal, identity, link, named } = options
  return {
    context: context.name,
    production: context.production,
    who: () => {
      const state = identity.current()
      return state.kind === 'held' ? state.identity.name : userInfo().username
    },
    journal,
    recordingsDir,
    record,
    named,
    tellNode: async (key, verb, args, why) => {
      const found = link(key)
      const gone = { ok: false, code: 'NODE_UNREACHABLE', message: 'there is no link to it', next: [] } as const
      return (await found?.command(verb, args, { timeoutMs: TOLD_MS, ...(why === null ? {} : { why }) })) ?? gone
    },
    nowMs: Date.now,
  }
}
