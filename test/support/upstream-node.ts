/**
 * The upstream half of a daemon as a process that can be killed: a real store, the aggregator and an uplink to NATS,
 * with results appended as fast as it can. Prints `class seq` for each record once it is kept. Arguments: folder of the
 * store, NATS URL, and `quiet` to append nothing and print `drained` once the outbox is empty and nothing is left to fold.
 */
import { writeSync } from 'node:fs'
import { openStore } from '../../edge-daemon/store/store.ts'
import { Aggregator } from '../../edge-daemon/upstream/aggregate.ts'
import { NatsWire } from '../../edge-daemon/upstream/nats.ts'
import { Uplink } from '../../edge-daemon/upstream/uplink.ts'
import { UplinkPacer } from '../../edge-daemon/upstream/uplink-pacer.ts'

const [dir = '', url = '', quiet = ''] = process.argv.slice(2)
const STDOUT = 1
const log = { info: () => {}, warn: () => {} }
const store = await openStore({ dir, nodeName: 'n1', maxBytes: 1e9, segmentBytes: 100_000 })
const aggregator = new Aggregator({
  store,
  aggregateCount: 20,
  aggregateEveryMs: quiet === '' ? 60_000 : 50,
  log,
})
const uplink = new Uplink({
  name: 'nats',
  origin: { site: 'plant', node: 'n1' },
  encoding: 'zstd',
  blockBytes: 4096,
  pacer: new UplinkPacer({ capBytesPerSec: null, leftBytes: () => 0 }),
  store,
  wire: new NatsWire({ servers: [url], ackTimeoutMs: 2000, clientName: 'test' }),
  log,
})
await aggregator.start()
uplink.start()

async function write(recordClass: 'normal' | 'abnormal'): Promise<never> {
  for (;;) {
    const body = { code: 200, pred: 1, confidence: 0.9, model: 'digits@1', total_ms: 5, bytes: 100 }
    const outcome = await store.append([{ class: recordClass, timestamp: Date.now(), body }])
    if (!outcome.stored) throw new Error(outcome.msg)
    writeSync(STDOUT, `${recordClass} ${outcome.seqs[0]}\n`)
  }
}

/** Every result lies behind the last statistic and every record that travels is acknowledged. */
async function drained(): Promise<boolean> {
  const [[result], [stat]] = await Promise.all([
    store.read({ classes: ['normal'], limit: 1, newestFirst: true }),
    store.read({ classes: ['stat'], limit: 1, newestFirst: true }),
  ])
  const foldedSeq = stat === undefined ? 0 : (JSON.parse(stat.line) as { last_seq: number }).last_seq
  return (result?.seq ?? 0) <= foldedSeq && uplink.status().backlogRecords === 0
}

if (quiet === '') {
  await Promise.all([...Array.from({ length: 6 }, () => write('normal')), write('abnormal'), write('abnormal')])
}
while (!(await drained())) await new Promise((resolve) => setTimeout(resolve, 20))
await uplink.stop()
await aggregator.stop()
await store.close()
writeSync(STDOUT, 'drained\n')
