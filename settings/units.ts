/**
 * Durations and sizes as people write them in files: `30s`, `10MB`. A bare number is refused, so that nobody has to
 * guess its unit.
 */
const DURATION_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const SIZE_BYTES = {
  B: 1,
  KB: 1000,
  MB: 1_000_000,
  GB: 1_000_000_000,
  KiB: 1024,
  MiB: 1_048_576,
  GiB: 1_073_741_824,
} as const

/** Parse `500ms`, `30s`, `5m`, `24h` or `7d` to milliseconds; null when it is none of these. */
export function parseDurationMs(text: string): number | null {
  return parse(text, DURATION_MS)
}

/** Parse `512B`, `64KB`, `10MB`, `2GB` (powers of 1000) or `64KiB`, `10MiB`, `2GiB` (powers of 1024) to bytes; null otherwise. */
export function parseSizeBytes(text: string): number | null {
  return parse(text, SIZE_BYTES)
}

function parse(text: string, units: Record<string, number>): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(text.trim())
  const factor = match?.[2] === undefined ? undefined : units[match[2]]
  if (match?.[1] === undefined || factor === undefined) return null
  return Math.round(Number(match[1]) * factor)
}
