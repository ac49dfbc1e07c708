import { entryMessage, readEntryMessage } from '../../../src/rollout/journal/bus-entry.ts'
import { decodeEntry } from '../../../src/rollout/journal/entry-text.ts'
import { planOf, started, took } from '../../support/rollout/events.ts'
import type { Decoder } from '../decoder.ts'

/** Entries of journals of rollouts, as files and as messages. */
export function rolloutDecoders(): Decoder[] {
  const entries = [
    { seq: 1, event: started(planOf(['n1', 'n2'])) },
    { seq: 2, event: took(1) },
  ]
  const packed = entryMessage({ seq: 1, event: started(planOf(Array.from({ length: 40 }, (_, at) => `n${at}`))) })
  return [
    {
      name: 'rollout-entry',
      samples: entries.map((entry) => JSON.stringify(entry)),
      decode: (text: string) => decodeEntry(text),
      isTaken: (read: object | string) => typeof read !== 'string',
    },
    {
      name: 'rollout-message',
      samples: [Buffer.from(packed.data)],
      decode: (data: Buffer) => readEntryMessage(data, 'gzip'),
      isTaken: (read: object | string) => typeof read !== 'string',
    },
  ]
}
