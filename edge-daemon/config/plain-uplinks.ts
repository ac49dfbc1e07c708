import { isLoopback } from '../../settings/loopback.ts'
import type { DaemonConfig } from './settings.ts'

/** Whether an address is spoken to in plain over a network. */
export function isPlainAway(address: string): boolean {
  const url = URL.parse(address.includes('://') ? address : `nats://${address}`)
  if (url === null || !['http:', 'nats:', 'ws:'].includes(url.protocol)) return false
  return !isLoopback(url.hostname.replace(/^\[|\]$/g, ''))
}

/** The places off this machine that get everything in plain, since `upstream.insecure` allows it. */
export function plainUplinks({ upstream }: Pick<DaemonConfig, 'upstream'>): readonly string[] {
  if (!upstream.insecure) return []
  const { nats, regions, http } = upstream
  const all = [...nats.servers, ...regions.flatMap(({ servers }) => servers), ...(http.url === null ? [] : [http.url])]
  return all.filter(isPlainAway).map(withoutCredentials)
}

/** An address without user and password. */
export function withoutCredentials(address: string): string {
  return address.replace(/^(.*\/\/)?[^/]*@/, '$1')
}
