/** `min/median/max` of what several rounds measured. */
export function spread(figures: readonly number[], digits: number): string {
  const sorted = figures.toSorted((a, b) => a - b)
  const middle = ((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2
  return [sorted[0] ?? 0, middle, sorted.at(-1) ?? 0].map((figure) => figure.toFixed(digits)).join('/')
}
