const NEEDS_NO_QUOTES = /^[A-Za-z0-9_@%+=:,./-]+$/

/**
 * A command line for a POSIX shell that gives a program exactly these arguments: spaces, quotes, `$`, line ends and
 * empty ones included. What contains nothing special stays readable.
 */
export function quoteCommand(words: readonly string[]): string {
  return words.map(quoteWord).join(' ')
}

function quoteWord(word: string, index: number): string {
  // As the first word, `A=b` would set a variable instead of naming a program.
  const isPlain = NEEDS_NO_QUOTES.test(word) && !(index === 0 && word.includes('='))
  return isPlain ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
