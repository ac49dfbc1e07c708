/** A line that says which it is. */
export interface Numbered {
  readonly app: string
  readonly number: number
}

/** The text of a numbered line; every ninth is an error. */
export function numberedLine({ app, number }: Numbered, filler: string): string {
  return `${number % 9 === 0 ? 'ERROR' : 'INFO'} app=${app} n=${number} ${filler}`
}

/** Which line a message is; null when it is none. */
export function numberedIn(msg: string): Numbered | null {
  const match = /app=(\w+) n=(\d+) /.exec(msg.slice(0, 100))
  return match === null ? null : { app: match[1] ?? '', number: Number(match[2]) }
}
