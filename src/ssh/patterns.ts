/**
 * Whether text fits a pattern of OpenSSH: `*` stands for any characters, `?` for one (ssh_config(5), PATTERNS). Takes time
 * in proportion to both, whatever the pattern.
 */
export function fits(text: string, pattern: string): boolean {
  let at = 0
  let star = -1
  let resumeAt = 0
  let next = 0
  while (at < text.length) {
    const wanted = pattern[next]
    if (wanted === '*') {
      star = next++
      resumeAt = at
    } else if (wanted !== undefined && (wanted === '?' || wanted === text[at])) {
      next++
      at++
    } else if (star >= 0) {
      next = star + 1
      at = ++resumeAt
    } else {
      return false
    }
  }
  while (pattern[next] === '*') next++
  return next === pattern.length
}

/** Whether text fits one of some patterns, and none of those with `!` before them. */
export function fitsAny(text: string, patterns: readonly string[]): boolean {
  let isFitting = false
  for (const pattern of patterns) {
    if (!pattern.startsWith('!')) isFitting ||= fits(text, pattern)
    else if (fits(text, pattern.slice(1))) return false
  }
  return isFitting
}
