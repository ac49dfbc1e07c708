const EIGHTHS_ACROSS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const
const EIGHTHS_UP = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const
const ASCII_LEVELS = ['_', '.', '-', '=', '*', '#'] as const

/**
 * A bar of a share (0..1) of a width, exact to an eighth of a column; the rest is blank, `null` is all blank. A share
 * over 0 is never invisible.
 */
export function bar(share: number | null, columns: number, ascii: boolean): string {
  if (share === null || columns <= 0 || !Number.isFinite(share)) return ' '.repeat(Math.max(0, columns))
  const clamped = Math.min(1, Math.max(0, share))
  if (ascii) return '#'.repeat(clamped > 0 ? Math.max(1, Math.round(clamped * columns)) : 0).padEnd(columns, '.')
  const eighths = clamped > 0 ? Math.max(1, Math.round(clamped * columns * 8)) : 0
  const whole = '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS_ACROSS[eighths % 8] ?? '')
  return whole + ' '.repeat(columns - whole.length)
}

/**
 * The newest values as one character each, right aligned; null is a blank. `top` is what a full character means; without
 * it the highest value shown.
 */
export function sparkline(values: readonly (number | null)[], columns: number, ascii: boolean, top?: number): string {
  const shown = columns <= 0 ? [] : values.slice(-columns)
  const known = shown.filter((value) => value !== null)
  const full = top ?? Math.max(0, ...known)
  const levels = ascii ? ASCII_LEVELS : EIGHTHS_UP
  const text = shown.map((value) => {
    if (value === null) return ' '
    const share = full > 0 ? Math.min(1, Math.max(0, value / full)) : 0
    return levels[Math.min(levels.length - 1, Math.floor(share * levels.length))] ?? ' '
  })
  return text.join('').padStart(Math.max(0, columns))
}
