import { isIP, isIPv6 } from 'node:net'

/** Whether a host name or address means this machine alone: `localhost`, 127.0.0.0/8 or ::1. */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === 'localhost') return true
  if (isIPv6(host)) return /^(?:0*:)*:?0*1$/.test(host) || /^::ffff:127\./i.test(host)
  return isIP(host) === 4 && host.startsWith('127.')
}
