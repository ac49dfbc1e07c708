import { decodeSlot } from '../../../edge-daemon/changes/slot-file.ts'
import { type Mandate, mandateSchema } from '../../../protocol/change.ts'
import { MovedSlot, shadow, stage } from '../../support/slot-moves.ts'
import type { Decoder } from '../decoder.ts'

const MANDATE: Mandate = {
  v: 1,
  rollout: 'r7k2m',
  item: { kind: 'model', name: 'digits', version: '2.0.0', digest: '4'.repeat(64) },
  site: 'plant-a',
  node: 'n1',
  issuedAt: 1_793_000_000_000,
  notAfter: 1_793_604_800_000,
  signature: 'c2lnbmF0dXJl',
  chain: ['AA=='],
}

/** What a node reads of changes: its own file, and the word of an operator that a driver shows. */
export function changeDecoders(): Decoder[] {
  const probation = new MovedSlot().onProbation('2').state
  const shadowing = new MovedSlot().asks(stage('2')).does({ type: 'staged' }).asks(shadow()).state
  return [
    {
      name: 'change-slot',
      samples: [JSON.stringify(probation), JSON.stringify(shadowing)],
      decode: (text: string) => decodeSlot(text),
      isTaken: (read: ReturnType<typeof decodeSlot>) => read.ok,
    },
    {
      name: 'mandate',
      samples: [JSON.stringify(MANDATE)],
      decode: (text: string) => mandateSchema.safeParse(parsed(text)),
      isTaken: (read: ReturnType<typeof mandateSchema.safeParse>) => read.success,
    },
  ]
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
