import { readFileSync } from 'node:fs'
import { request } from 'node:http'

const POLL_MS = 20

/** Records that wait for an uplink, by the daemon's `/metrics`; null while it does not answer. */
export function backlogOf(inferUrl: string): Promise<number | null> {
  return new Promise((resolve) => {
    request(new URL('/metrics', inferUrl), { agent: false }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      answer.once('error', () => resolve(null))
      answer.once('end', () => {
        const found = /^edge_backlog_records\{[^}]*\} (\d+)/m.exec(text)
        resolve(found === null ? null : Number(found[1]))
      })
    })
      .once('error', () => resolve(null))
      .end()
  })
}

/** Wait until something is so; ms that it took. @throws Error after `limitMs`. */
export async function until(so: () => Promise<boolean>, limitMs: number): Promise<number> {
  const began = performance.now()
  while (!(await so())) {
    if (performance.now() - began > limitMs) throw new Error(`not so after ${limitMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  return performance.now() - began
}

/** Resident bytes of a process, and the most it ever had (Linux). */
export function residentBytes(pid: number): { nowBytes: number; peakBytes: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const kilobytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0)
  return { nowBytes: kilobytes('VmRSS') * 1024, peakBytes: kilobytes('VmHWM') * 1024 }
}
