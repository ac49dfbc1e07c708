import { z } from 'zod'

/** A mapping of at most `most` names: whoever sends it must not make up kinds without end. */
export function fewOf<V extends z.ZodType>(
  value: V,
  { most, nameChars = 32 }: { readonly most: number; readonly nameChars?: number },
): z.ZodRecord<z.ZodString, V> {
  return z
    .record(z.string().max(nameChars), value)
    .refine((held) => Object.keys(held).length <= most, { error: `it has more than ${most} names` })
}
