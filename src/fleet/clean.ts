import type { StatusFrame, WelcomeFrame } from '../../protocol/frames.ts'
import { type UntrustedText, untrusted } from '../../protocol/untrusted-text.ts'

/** A value from outside whose free text was made safe; words of a fixed set keep their type. */
export type Clean<T> = T extends string
  ? string extends T
    ? UntrustedText
    : T
  : T extends number | boolean | null | undefined
    ? T
    : { readonly [K in keyof T]: Clean<T[K]> }

/** A status frame without its latency histograms, safe to show. */
export type NodeStatus = Clean<Omit<StatusFrame, 't' | 'id' | 'inference'>> & {
  readonly inference: Clean<Omit<StatusFrame['inference'], 'latency'>>
}
/** Who a node says it is, safe to show. */
export type NodeIdentity = Clean<WelcomeFrame['node']>

const PLAIN = /^[ -~]*$/
/** Longest text that is kept to be shown, characters; daemons cut their own at this too. */
export const MAX_SHOWN_CHARS = 4096

/**
 * {@link untrusted} with a short cut for plain ASCII, which is nearly everything that a fleet says every second. A text
 * that is too long to be for people is cut, and ends in `…`.
 */
export function safe(text: string): UntrustedText {
  const shown = text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}…` : text
  return PLAIN.test(shown) ? (shown as UntrustedText) : untrusted(shown)
}

/** {@link safe} for what is kept whole, such as a log line: its length was bounded when it was decoded. */
export function safeWhole(text: string): UntrustedText {
  return PLAIN.test(text) ? (text as UntrustedText) : untrusted(text)
}

/** The fields of a log line, whole; the same object when nothing has to be changed. */
export function cleanWhole<V extends string | number | boolean | null>(
  fields: Readonly<Record<string, V>>,
): Readonly<Record<string, UntrustedText | Exclude<V, string>>> {
  let isPlain = true
  for (const name in fields) {
    const value = fields[name]
    if (!PLAIN.test(name) || (typeof value === 'string' && !PLAIN.test(value))) isPlain = false
  }
  if (isPlain) return fields as Readonly<Record<string, UntrustedText | Exclude<V, string>>>
  const cleaned: Record<string, UntrustedText | Exclude<V, string>> = {}
  for (const name in fields) {
    const value = fields[name] as V
    cleaned[safe(name)] = typeof value === 'string' ? safeWhole(value) : (value as Exclude<V, string>)
  }
  return cleaned
}

/** Make every text in a decoded value safe, keys of mappings too (decision 13). */
export function clean<T>(value: T): Clean<T> {
  return walk(value) as Clean<T>
}

/** What the fleet keeps of a status frame. */
export function cleanStatus(frame: StatusFrame): NodeStatus {
  const { t: _t, id: _id, inference, ...rest } = frame
  const { latency: _latency, ...shown } = inference
  return { ...clean(rest), inference: clean(shown) }
}

function walk(value: unknown): unknown {
  if (typeof value === 'string') return safe(value)
  if (Array.isArray(value)) return value.map(walk)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [safe(key), walk(child)]))
}
