/**
 * A process that appends to a store as fast as it can and prints what it was promised: one line `epoch seq id` for each
 * record, after it was answered. Arguments: folder, label that makes its ids unique.
 */
import { writeSync } from 'node:fs'
import { openStore } from '../../edge-daemon/store/store.ts'

const [dir = '', label = ''] = process.argv.slice(2)
const store = await openStore({ dir, nodeName: 'n1', maxBytes: 1e9, segmentBytes: 100_000 })
const STDOUT = 1
let id = 0
async function write(recordClass: 'normal' | 'abnormal'): Promise<never> {
  for (;;) {
    id += 1
    const mine = `${label}-${id}`
    const outcome = await store.append([{ class: recordClass, timestamp: Date.now(), body: { mine } }])
    if (!outcome.stored) throw new Error(outcome.msg)
    writeSync(STDOUT, `${outcome.epoch} ${outcome.seqs[0]} ${mine}\n`)
    if (recordClass === 'abnormal') await store.saveCursor('nats', 'abnormal', outcome.seqs[0] ?? 0)
  }
}
await Promise.all([...Array.from({ length: 12 }, () => write('normal')), write('abnormal')])
