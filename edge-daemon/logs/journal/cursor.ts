/** A place in a journal: the numbers of one sequence only rise (systemd, `sd_journal_get_cursor(3)`). */
export interface JournalCursor {
  /** Name of the sequence, 32 hex digits: another one for each machine, and after the journal was begun anew. */
  readonly sequence: string
  readonly number: number
  /** Unix µs. */
  readonly timeUs: number
}

const CURSOR =
  /^s=([0-9a-f]{32});i=([0-9a-f]{1,13});b=[0-9a-f]{32};m=[0-9a-f]{1,16};t=([0-9a-f]{1,13});x=[0-9a-f]{1,16}$/

/** Read a cursor of the journal; null when it is none. */
export function parseCursor(text: string): JournalCursor | null {
  const match = CURSOR.exec(text)
  if (match === null) return null
  const [, sequence = '', number = '', time = ''] = match
  return { sequence, number: Number.parseInt(number, 16), timeUs: Number.parseInt(time, 16) }
}
