import { EdgeError, messageOf } from '../../../protocol/errors.ts'

/** That a journal cannot be used, for an operator; `where` is a folder or the name of a bus. */
export function journalFailing(where: string, cause: unknown, next: readonly string[]): EdgeError {
  if (cause instanceof EdgeError) return cause
  return new EdgeError('JOURNAL_FAILING', {
    message: `the journal of rollouts in ${where} cannot be used, so nothing is done: ${messageOf(cause)}`,
    next,
    cause,
  })
}
