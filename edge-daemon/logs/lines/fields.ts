/** Value of a field of a line. */
export type FieldValue = string | number | boolean | null

/** Most fields of a line. */
export const MAX_FIELDS = 32
/** Longest name of a field and longest text of one, characters. */
const MAX_NAME_CHARS = 128
const MAX_VALUE_CHARS = 4096
/** Objects in objects are named `a.b` so deep; below that they are JSON. */
const MAX_DEPTH = 3
/** Field that says how many fields a line has lost to these bounds. */
export const CUT_FIELDS = 'fields_cut'

/** Gathers the fields of one line within the bounds; objects become names with dots. */
export class FieldBag {
  readonly #fields: Record<string, FieldValue> = {}
  #count = 0
  #cut = 0

  /** Take a value of any kind; what has no room is counted. */
  add(name: string, value: unknown, depth = 0): void {
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && depth < MAX_DEPTH) {
      for (const [inner, part] of Object.entries(value)) this.add(`${name}.${inner}`, part, depth + 1)
      return
    }
    if (value === undefined) return
    const key = name.slice(0, MAX_NAME_CHARS)
    if (this.#count >= MAX_FIELDS - 1 || key === '' || Object.hasOwn(this.#fields, key)) {
      this.#cut += 1
      return
    }
    this.#count += 1
    const kept = bounded(value)
    if (key !== '__proto__') {
      this.#fields[key] = kept
      return
    }
    // It must become a field like any other.
    Object.defineProperty(this.#fields, key, { value: kept, enumerable: true, configurable: true, writable: true })
  }

  /** What was gathered; null for nothing. */
  take(): Record<string, FieldValue> | null {
    if (this.#cut > 0) this.#fields[CUT_FIELDS] = this.#cut
    return this.#count + this.#cut === 0 ? null : this.#fields
  }
}

function bounded(value: unknown): FieldValue {
  if (typeof value === 'string') return cut(value)
  if (typeof value === 'number') return Number.isFinite(value) ? value : null
  if (typeof value === 'boolean' || value === null) return value
  return cut(JSON.stringify(value) ?? '')
}

function cut(text: string): string {
  return text.length > MAX_VALUE_CHARS ? `${text.slice(0, MAX_VALUE_CHARS - 1)}…` : text
}
