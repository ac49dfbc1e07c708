/** More lines than that are not compared, each text being told whole: the table is the product of both. */
const MAX_LINES = 1500
const MAX_CONTEXT = 1

/**
 * How one text differs from another, line by line: `- ` only in the first, `+ ` only in the second, `  ` around them, and
 * `…` for what both have. By the longest common subsequence.
 */
export function lineDiff(before: readonly string[], after: readonly string[]): string[] {
  let head = 0
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1
  let tail = 0
  const most = Math.min(before.length, after.length) - head
  while (tail < most && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail += 1
  const a = before.slice(head, before.length - tail)
  const b = after.slice(head, after.length - tail)
  const middle = Math.max(a.length, b.length) > MAX_LINES ? [...a.map(gone), ...b.map(come)] : compared(a, b)
  const marked = [...before.slice(0, head).map(same), ...middle, ...before.slice(before.length - tail).map(same)]
  return folded(marked)
}

const gone = (line: string): string => `- ${line}`
const come = (line: string): string => `+ ${line}`
const same = (line: string): string => `  ${line}`

function compared(a: readonly string[], b: readonly string[]): string[] {
  const width = b.length + 1
  // Length of the longest common subsequence of what is left of both from there on.
  const common = new Uint16Array((a.length + 1) * width)
  const at = (i: number, j: number): number => common[i * width + j] ?? 0
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      common[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
    }
  }
  const lines: string[] = []
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    const mine = a[i]
    const theirs = b[j]
    if (mine !== undefined && mine === theirs) {
      lines.push(same(mine))
      i += 1
      j += 1
    } else if (mine !== undefined && (theirs === undefined || at(i + 1, j) >= at(i, j + 1))) {
      lines.push(gone(mine))
      i += 1
    } else if (theirs !== undefined) {
      lines.push(come(theirs))
      j += 1
    }
  }
  return lines
}

function folded(lines: readonly string[]): string[] {
  const isChanged = (line: string | undefined): boolean => line !== undefined && !line.startsWith(' ')
  const out: string[] = []
  for (const [index, line] of lines.entries()) {
    const near = lines.slice(Math.max(0, index - MAX_CONTEXT), index + MAX_CONTEXT + 1)
    if (near.some(isChanged)) out.push(line)
    else if (out.at(-1) !== '…') out.push('…')
  }
  return out
}
