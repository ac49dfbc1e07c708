import { join } from 'node:path'
import { openStore } from '../../edge-daemon/store/store.ts'

const BATCH = 100
/** What messages of a line are made of; one word in six is a number, so that they compress as such messages do. */
const WORDS =
  'camera frame press conveyor belt station exposure focus blurred dark lens retry timeout before after while reading from buffer sensor line plant'.split(
    ' ',
  )

/** Bodies of abnormal results of about `recordBytes` a line, different from each other as real ones are. */
export function resultBodies(count: number, recordBytes: number, random: () => number): object[] {
  const FIXED_BYTES = 190
  return Array.from({ length: count }, () => {
    const words = Array.from({ length: 200 }, () => word(random)).join(' ')
    const msg = words.slice(0, Math.max(0, recordBytes - FIXED_BYTES))
    return {
      code: 200,
      pred: Math.floor(random() * 10),
      confidence: Math.round(random() * 60_000) / 100_000,
      model: 'digits@1.0.0',
      total_ms: Math.round(random() * 20_000) / 1000,
      bytes: 60_000 + Math.floor(random() * 60_000),
      ...(msg === '' ? {} : { msg }),
      reason: 'low_confidence',
    }
  })
}

/** Write a backlog of abnormal results into the state folder of a daemon that does not run. Returns the last sequence. */
export async function fillBacklog(
  stateDir: string,
  { nodeName, records, bodies }: { nodeName: string; records: number; bodies: readonly object[] },
): Promise<number> {
  const store = await openStore({ dir: join(stateDir, 'store'), nodeName, maxBytes: 20e9, segmentBytes: 16e6 })
  let last = 0
  try {
    for (let done = 0; done < records; done += BATCH) {
      const count = Math.min(BATCH, records - done)
      const kept = await store.append(
        Array.from({ length: count }, (_, n) => ({
          class: 'abnormal' as const,
          timestamp: Date.now(),
          body: bodies[(done + n) % bodies.length] ?? {},
        })),
      )
      if (!kept.stored) throw new Error(kept.msg)
      last = kept.seqs.at(-1) ?? last
    }
  } finally {
    await store.close()
  }
  return last
}

function word(random: () => number): string {
  return random() < 1 / 6 ? String(Math.floor(random() * 1e6)) : (WORDS[Math.floor(random() * WORDS.length)] ?? 'frame')
}
