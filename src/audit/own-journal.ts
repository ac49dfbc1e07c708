import { userInfo } from 'node:os'
import type { IdentitySource } from '../identity/identity-source.ts'
import { journalOf } from './audit-folder.ts'
import { OperatorJournal, type OperatorJournalOptions } from './command-journal.ts'
import type { JournalFile } from './journal-file.ts'

/** Whose commands are written down, and where. */
export interface JournalPlace {
  /** Folder of all journals. */
  readonly dir: string
  readonly context: string
  readonly identity: IdentitySource
}

/** The journal file of whoever the operator is now: by their certificate, or by their name on this machine. */
export function currentJournal({ dir, context, identity }: JournalPlace): JournalFile {
  const state = identity.current()
  return journalOf(dir, { context, operator: state.kind === 'held' ? state.identity.name : userInfo().username })
}

/** What this console sends, written down for the operator of a context. */
export function operatorJournal(
  place: JournalPlace,
  options: Pick<OperatorJournalOptions, 'onWritten' | 'onFault'> = {},
): OperatorJournal {
  return new OperatorJournal({ ...options, file: () => currentJournal(place) })
}
