/** How a gate names what it counts, in one line for people. */
export interface Words {
  /** "failed", "took over 50 ms", … */
  readonly did: string
  /** Plural: "requests". */
  readonly of: string
}

const number = new Intl.NumberFormat('en', { useGrouping: true })

/** "3 of 412 failed (0.7 %)" */
export function shareText({ did }: Words, observed: number, of: number): string {
  return `${plain(observed)} of ${plain(of)} ${did} (${percentText(observed, of)})`
}

/** A count with spaces between thousands. */
export function plain(count: number): string {
  return number.format(Math.round(count)).replaceAll(',', ' ')
}

/** A share in percent: one decimal, two below 1 %. */
export function percentText(observed: number, of: number): string {
  const pct = of === 0 ? 0 : (100 * observed) / of
  return `${pct === 0 || pct >= 10 ? Math.round(pct) : pct >= 1 ? pct.toFixed(1) : pct.toFixed(2)} %`
}

/** One line of a share against its limit. */
export function againstLimit(
  words: Words,
  figures: { observed: number; requests: number; limitPct: number; isExplained: boolean },
): string {
  const { observed, requests, limitPct, isExplained } = figures
  if (requests === 0) return `no ${words.of} at changed nodes, limit ${limitPct} %`
  const explained = isExplained ? ', as at nodes not yet changed or as before' : ''
  return `${shareText(words, observed, requests)}, limit ${limitPct} %${explained}`
}

/** One line of a share against that of nodes not yet changed. */
export function againstPeers(
  words: Words,
  figures: {
    observed: number
    requests: number
    expected: number
    peers: { observed: number; requests: number }
    worseFactor: number
    /** Share below which nothing counts as worse. */
    floor: number
    /** So many times as many could still be hidden by chance; null when they would have shown. */
    notExcluded: number | null
  },
): string {
  const { observed, requests, expected, peers, worseFactor, floor, notExcluded } = figures
  const hidden = notExcluded === null ? '' : `; ${notExcluded} times as many are not excluded yet`
  if (peers.requests === 0) return `no ${words.of} at nodes not yet changed to compare with`
  const others = `nodes not yet changed ${shareText(words, peers.observed, peers.requests)}`
  if (requests === 0) return `no ${words.of} at changed nodes to compare, ${others}`
  if (observed < floor * requests) {
    return `${shareText(words, observed, requests)}, ${others}; below ${(100 * floor).toFixed(1)} % nothing counts as worse${hidden}`
  }
  const times = expected > 0 ? (observed / expected).toFixed(1) : '0.0'
  return `${shareText(words, observed, requests)}, ${others}: ${times} times what they and the time before let expect, ${worseFactor} is worse${hidden}`
}
