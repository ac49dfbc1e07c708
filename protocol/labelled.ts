import { z } from 'zod'

/**
 * A labelled set: pictures of which somebody knows what they show, so that models can be told right from wrong. It travels as
 * a signed package of kind `labelled` with one file, so that a set of thousands needs no thousands of files: JSON lines, the
 * first a {@link labelledHeadSchema}, each other a {@link labelledPictureSchema}.
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
