import type { IncomingMessage } from 'node:http'
import type { z } from 'zod'
import { MAX_REQUEST_BYTES } from '../../protocol/enrolment.ts'
import { type Outcome, refuse } from './outcome.ts'

/** Read a JSON body of bounded size against a schema. Rejects when the request breaks off. */
export async function readBody<T>(request: IncomingMessage, schema: z.ZodType<T>): Promise<Outcome<T>> {
  if (!/^application\/json(;|$)/.test(request.headers['content-type'] ?? '')) {
    return refuse('REQUEST_MALFORMED', 'the body is no JSON', 'send Content-Type: application/json')
  }
  const tooLarge = refuse('REQUEST_TOO_LARGE', `the body is over ${MAX_REQUEST_BYTES} bytes`)
  if (Number(request.headers['content-length'] ?? 0) > MAX_REQUEST_BYTES) return tooLarge
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_REQUEST_BYTES) return tooLarge
    chunks.push(chunk)
  }
  const parsed = schema.safeParse(parse(Buffer.concat(chunks).toString('utf8')))
  if (parsed.success) return { ok: true, body: parsed.data }
  const [issue] = parsed.error.issues
  const where = issue?.path.join('.') ?? ''
  return refuse('REQUEST_MALFORMED', `the body is not what is asked for${where === '' ? '' : `: ${where}`}`)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
