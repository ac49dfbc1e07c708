import type { StoreStatus } from '../protocol/status.ts'

/** A line of the log about what the store promises; `warn` where it promises less than its configuration says. */
export interface PromiseLine {
  readonly level: 'info' | 'warn'
  readonly event: string
  readonly msg: string
}

/** What to tell of encryption at the start and when keys change. `hasPlainLogs`: the log files of before are still there. */
export function encryptionLines(encryption: StoreStatus['encryption'], hasPlainLogs: boolean): PromiseLine[] {
  if (encryption == null) {
    const msg = 'the store is NOT encrypted; store.keyFile turns that on ("edge-daemon keys new" makes a key)'
    return [{ level: 'info', event: 'store.plain', msg }]
  }
  const { keyId, keys, missingKeys, lostKeys = 0, plainBlocks = 0 } = encryption
  const lines: PromiseLine[] = [
    { level: 'info', event: 'store.sealed', msg: `the store is sealed under key ${keyId}, keys in the ring: ${keys}` },
  ]
  if (missingKeys > 0) {
    const msg = `${missingKeys} sealed blocks have no key in the ring; they wait on the disk until it is put back into the key file (then send SIGHUP), or stands there as ID:lost`
    lines.push({ level: 'warn', event: 'store.keys_missing', msg })
  }
  if (lostKeys > 0) {
    const msg = `${lostKeys} sealed blocks are passed over: the key file says that their key is lost`
    lines.push({ level: 'warn', event: 'store.keys_lost', msg })
  }
  if (plainBlocks > 0) {
    const msg = `${plainBlocks} blocks from before the encryption stay plain until they are evicted`
    lines.push({ level: 'warn', event: 'store.plain_blocks', msg })
  }
  if (hasPlainLogs) {
    const msg = 'logs/ in the state directory holds plain lines from before the encryption; remove them'
    lines.push({ level: 'warn', event: 'log.plain_files', msg })
  }
  return lines
}

/** What to tell of durability at the start: nothing where an answer means that the disk has it. */
export function durabilityLines(store: { durability: 'sync' | 'async'; syncEvery: number }): PromiseLine[] {
  if (store.durability === 'sync') return []
  const msg = `answers come BEFORE the disk has them (store.durability: async): a power cut loses up to ${store.syncEvery} ms of them`
  return [{ level: 'warn', event: 'store.async', msg }]
}
