import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { replaceFile } from '../../../durable/durable-file.ts'
import { parseCursor } from '../journal/cursor.ts'
import { isGone } from './file-place.ts'
import type { LineClass } from './line-class.ts'
import { markKey, parseOrigin } from './origin.ts'

const place = z.object({ end: z.int().nonnegative(), check: z.int().nonnegative() })

const fileState = z.object({
  /** Its name in origins: random, so that another file with the same inode is another file. */
  id: z.string().regex(/^[0-9a-f]{10}$/),
  key: z.string().max(64),
  /** The path that is followed, and the one where it was last. */
  series: z.string().max(4096),
  path: z.string().max(4096),
  /** Everything before is kept; reading goes on here. */
  from: place,
  /** By lane and class, what is kept behind `from` already. */
  marks: z.record(z.string().max(16), place),
  /** Size and last change when it was last seen. */
  size: z.int().nonnegative(),
  mtimeMs: z.number().nonnegative(),
})
/** How far a file is kept. */
export type FileState = z.infer<typeof fileState>

const checkpointSchema = z.object({
  version: z.literal(1),
  /** Records of the store up to this sequence are told of here; later ones say themselves where they come from. */
  seq: z.int().nonnegative(),
  /** `logs.forward` as it was: says of what class a line was. */
  forward: z.string().max(8),
  /** Patterns that were followed: what they find later is new. */
  patterns: z.array(z.string().max(4096)).max(256),
  files: z.array(fileState).max(20_000),
  /** The journal: the cursor behind which reading goes on (null for its begin), and by source of sequence numbers and class what is kept. */
  journal: z
    .object({
      cursor: z.string().max(1024).nullable(),
      marks: z.record(z.string().max(64), z.number().nonnegative()),
    })
    .nullable(),
})
/** What a follower knows when it starts: how far everything that it follows is kept, as of a sequence of the store. */
export type Checkpoint = z.infer<typeof checkpointSchema>

/** Outcome of reading one: none is there at the first start, and one that cannot be read says why. */
export type ReadCheckpoint =
  | { readonly state: 'found'; readonly checkpoint: Checkpoint }
  | { readonly state: 'none' }
  | { readonly state: 'unreadable'; readonly msg: string }

/** Read the checkpoint of a file. */
export function readCheckpoint(path: string): ReadCheckpoint {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    return isGone(error) ? { state: 'none' } : { state: 'unreadable', msg: String(error) }
  }
  return parseCheckpoint(text)
}

/** What a record of the store says of where it came from. */
export interface HeldRecord {
  readonly class: LineClass
  readonly origin: string
}

/**
 * A checkpoint moved on by the records that came after it: a crash may have kept those of one class and lost those of another,
 * so each class stands where its own records say.
 */
export function movedOn(checkpoint: Checkpoint, held: readonly HeldRecord[]): Checkpoint {
  const files = new Map(checkpoint.files.map((file) => [file.id, { ...file, marks: { ...file.marks } }]))
  const journal = checkpoint.journal === null ? null : { ...checkpoint.journal, marks: { ...checkpoint.journal.marks } }
  for (const { class: lineClass, origin } of held) {
    const cursor = parseCursor(origin)
    if (cursor !== null && journal !== null) {
      const key = `${cursor.sequence}|${lineClass}`
      journal.marks[key] = Math.max(journal.marks[key] ?? 0, cursor.number)
    }
    const found = parseOrigin(origin)
    const marks = found === null ? undefined : files.get(found.file)?.marks
    if (found === null || marks === undefined) continue
    const key = markKey(found.lane, lineClass)
    if (found.end > (marks[key]?.end ?? 0)) marks[key] = { end: found.end, check: found.check }
  }
  return { ...checkpoint, files: [...files.values()], journal }
}

/** Parse the text of a checkpoint. */
export function parseCheckpoint(text: string): ReadCheckpoint {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { state: 'unreadable', msg: 'it is no JSON' }
  }
  const parsed = checkpointSchema.safeParse(value)
  if (parsed.success) return { state: 'found', checkpoint: parsed.data }
  return { state: 'unreadable', msg: z.prettifyError(parsed.error).split('\n')[0] ?? '' }
}

/** Put a checkpoint in place of the last one, durably. @throws the file system's error. */
export function writeCheckpoint(path: string, checkpoint: Checkpoint): void {
  replaceFile(path, JSON.stringify(checkpoint), { isSole: true })
}
