import { z } from 'zod'

/**
 * A labelled set: pictures of which somebody knows what they show, so that models can be told right from wrong. It travels as
 * a signed package of kind `labelled` with one file, so that a set of thousands needs no thousands of files: JSON lines, the
 * first a {@link labelledHeadSchema}, each other a {@link labelledPictureSchema}, in an order of chance: a comparison may be
 * over the first of them only.
 */
export const LABELLED_FILE = 'labelled.ndjson'
/** Longest line of the file, characters. */
export const MAX_LABELLED_LINE_CHARS = 4_000_000

const label = z.string().min(1).max(128)

/**
 * First line of a labelled set. Labels are names of classes: models may number the same classes differently.
 * @example {"format":1,"classes":["0","1"],"pictures":2}
 */
export const labelledHeadSchema = z.strictObject({
  format: z.literal(1),
  classes: z.array(label).min(1).max(100_000),
  /** How many lines follow. */
  pictures: z.int().min(1).max(1_000_000),
})
/** @see labelledHeadSchema */
export type LabelledHead = z.infer<typeof labelledHeadSchema>

/**
 * One picture, as a device would send it, and the name of the class that it shows.
 * @example {"label":"1","picture":"iVBORw=="}
 */
export const labelledPictureSchema = z.strictObject({
  label,
  picture: z
    .base64()
    .min(4)
    .max(MAX_LABELLED_LINE_CHARS - 1000),
})
/** @see labelledPictureSchema */
export type LabelledPicture = z.infer<typeof labelledPictureSchema>

/** What a line of a labelled set is, or what is wrong with it. */
export type LabelledLine<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly msg: string }

/** Read the first line of a labelled set. Never throws. */
export function decodeLabelledHead(line: string): LabelledLine<LabelledHead> {
  return decoded(labelledHeadSchema, line)
}

/** Read one of the other lines; `classes` are those of the first. Never throws. */
export function decodeLabelledPicture(line: string, classes: ReadonlySet<string>): LabelledLine<LabelledPicture> {
  const read = decoded(labelledPictureSchema, line)
  if (!read.ok || classes.has(read.value.label)) return read
  return { ok: false, msg: 'names no class of the first line' }
}

function decoded<T>(schema: z.ZodType<T>, line: string): LabelledLine<T> {
  if (line.length > MAX_LABELLED_LINE_CHARS) return { ok: false, msg: 'is too long' }
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch {
    return { ok: false, msg: 'is not JSON' }
  }
  const read = schema.safeParse(json)
  if (read.success) return { ok: true, value: read.data }
  const [issue] = read.error.issues
  return { ok: false, msg: `is not of a labelled set: ${issue?.path.join('.')} ${issue?.message}`.slice(0, 300) }
}
