import { z } from 'zod'

/** The last millisecond of the year 9999: later ones have no date that people or `Date` can write. */
export const MAX_TIME_MS = 253_402_300_799_999
/** Unix ms that can be shown as a date, whoever made it up. */
export const unixMs = z.int().nonnegative().max(MAX_TIME_MS)

/** A mapping of at most `most` names: whoever sends it must not make up kinds without end. */
export function fewOf<V extends z.ZodType>(
  value: V,
  { most, nameChars = 32 }: { readonly most: number; readonly nameChars?: number },
): z.ZodRecord<z.ZodString, V> {
  return z
    .record(z.string().max(nameChars), value)
    .refine((held) => Object.keys(held).length <= most, { error: `it has more than ${most} names` })
}
