/** What the upstream room says to the log; `fields` are flat and without secrets. */
export interface UpstreamLog {
  info(event: string, msg?: string, fields?: LogFields): void
  warn(event: string, msg?: string, fields?: LogFields): void
}

type LogFields = Readonly<Record<string, string | number | boolean | null>>
