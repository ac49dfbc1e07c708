import { Tunnel, type TunnelOptions } from '../../tunnel/tunnel.ts'

/** What a bus does with the messages of one direction, in order; the same message several times, changed or not at all. */
export type Carriage = (message: Uint8Array, index: number) => readonly Uint8Array[]

/** Two ends of a tunnel over a bus that exists only in memory and delivers in its own time. */
export function tunnelPair(
  carriage: { readonly there?: Carriage; readonly back?: Carriage } = {},
  options: Partial<TunnelOptions> = {},
): { readonly near: Tunnel; readonly far: Tunnel; readonly sent: { there: number; back: number } } {
  const whole: Carriage = (message) => [message]
  const sent = { there: 0, back: 0 }
  const windowBytes = options.windowBytes ?? 65_536
  const lane = (which: 'there' | 'back', to: () => Tunnel) => {
    return (message: Uint8Array): void => {
      const index = sent[which]
      sent[which] += 1
      const carried = (carriage[which] ?? whole)(Uint8Array.from(message), index)
      setImmediate(() => {
        for (const each of carried) to().hear(each)
      })
    }
  }
  const shared = { peerWindowBytes: windowBytes, windowBytes, keepaliveMs: 40, silenceMs: 60_000, ...options }
  const near: Tunnel = new Tunnel({ ...shared, publish: lane('there', () => far) })
  const far: Tunnel = new Tunnel({ ...shared, publish: lane('back', () => near) })
  return { near, far, sent }
}
