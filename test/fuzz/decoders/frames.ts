import { readFileSync } from 'node:fs'
import type { z } from 'zod'
import * as audit from '../../../protocol/audit.ts'
import { checkChain } from '../../../protocol/audit-chain.ts'
import { envelopeSchema, signedText } from '../../../protocol/envelope.ts'
import { type Decoded, decodeClientFrame, decodeDaemonFrame } from '../../../protocol/frames.ts'
import * as records from '../../../protocol/records.ts'
import { isSafe, untrusted } from '../../../protocol/untrusted-text.ts'
import { cleanStatus } from '../../../src/fleet/clean.ts'
import { statusFrame } from '../../support/live-frames.ts'
import type { Decoder } from '../decoder.ts'

/** The examples that stand above the schemas of a file of the protocol. */
export function examplesOf(file: string): { readonly name: string; readonly json: string }[] {
  const code = readFileSync(new URL(`../../../protocol/${file}`, import.meta.url), 'utf8')
  const found = code.matchAll(/@example (\{.*\})\s*\*\/\s*(?:export )?const (\w+)/g)
  return [...found].map((match) => ({ name: match[2] as string, json: match[1] as string }))
}

/** Live frames both ways, records, envelopes, and what is made of them to be shown. */
export function frameDecoders(): Decoder[] {
  const frames = examplesOf('frames.ts')
  const isClient = ({ json }: { json: string }): boolean => decodeClientFrame(json).ok
  const isDaemon = ({ json }: { json: string }): boolean => decodeDaemonFrame(json).ok
  const textOf = ({ json }: { json: string }): string => json
  const jsonSchema = (name: string, schema: z.ZodType, json: string): Decoder => ({
    name,
    samples: [json],
    decode: (text: string) => schema.safeParse(JSON.parse(text)),
    isTaken: (read: { success: boolean }) => read.success,
    declares: (error) => error instanceof SyntaxError,
  })
  return [
    {
      name: 'console-frame',
      samples: frames.filter(isClient).map(textOf),
      decode: decodeClientFrame,
      isTaken: (read: Decoded<unknown>) => read.ok,
    },
    {
      name: 'daemon-frame',
      samples: [...frames.filter(isDaemon).map(textOf), JSON.stringify(statusFrame({ at: 1 }))],
      decode: (text: string) => {
        const read = decodeDaemonFrame(text)
        // What is shown of it is made safe without a fault as well.
        if (read.ok && read.frame.t === 'status') cleanStatus(read.frame)
        return read
      },
      isTaken: (read: Decoded<unknown>) => read.ok,
    },
    {
      name: 'shown-text',
      samples: ['a line', '\u001b]0;title\u0007', 'e\u0301\u0302\u0303\u0304\u0305\u0306', '\u202eevil', '😀 东'],
      decode: (text: string) => {
        const shown = untrusted(text)
        if (!isSafe(shown) || untrusted(shown) !== shown)
          throw new RangeError(`not safe, or not the same twice: ${shown}`)
        return true
      },
      isTaken: () => true,
    },
    ...examplesOf('records.ts').map(({ name, json }) =>
      jsonSchema(name, (records as unknown as Record<string, z.ZodType>)[name] as z.ZodType, json),
    ),
    ...examplesOf('audit.ts').map(({ name, json }) =>
      jsonSchema(name, name === 'auditRecord' ? audit.auditRecordSchema : audit.operatorAuditSchema, json),
    ),
    {
      name: 'audit-chain',
      samples: examplesOf('audit.ts').map(textOf),
      decode: (text: string) => {
        const read = audit.auditRecordSchema.safeParse(JSON.parse(text))
        if (read.success) checkChain([read.data, read.data])
        return true
      },
      isTaken: () => true,
      declares: (error) => error instanceof SyntaxError,
    },
    {
      name: 'envelope',
      samples: examplesOf('envelope.ts').map(textOf),
      decode: (text: string) => {
        const read = envelopeSchema.safeParse(JSON.parse(text))
        if (read.success) signedText(read.data)
        return read.success
      },
      isTaken: (taken: boolean) => taken,
      declares: (error) => error instanceof SyntaxError,
    },
  ]
}
