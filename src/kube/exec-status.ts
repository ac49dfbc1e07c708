import { z } from 'zod'
import { untrusted } from '../../protocol/untrusted-text.ts'

/** How a command in a container ended, as the status channel tells it; `failed` where it never ran. Texts are safe to show. */
export type ExecOutcome =
  | { readonly is: 'exited'; readonly code: number }
  | { readonly is: 'failed'; readonly noProgram: boolean; readonly message: string }

const cause = z.object({ reason: z.string().optional(), message: z.string().optional() })
const schema = z.object({
  status: z.enum(['Success', 'Failure']),
  message: z.string().default(''),
  reason: z.string().default(''),
  details: z.object({ causes: z.array(cause).nullish() }).nullish(),
})

const MAX_TEXT = 300
/** Each runtime says in its own words that there is no such program; the last line of the chain is about the program. */
const NO_PROGRAM = /executable file not found|no such file or directory|cannot find the file/i

/** Read what came on the status channel: a `Status` of Kubernetes, with the exit code among its causes. */
export function readExecStatus(bytes: Uint8Array): ExecOutcome {
  let read: z.ZodSafeParseResult<z.output<typeof schema>>
  try {
    read = schema.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8')))
  } catch {
    return { is: 'failed', noProgram: false, message: 'the API server told of the end in words that are no status' }
  }
  if (!read.success) return { is: 'failed', noProgram: false, message: 'the API server told an end that is none' }
  const { status, reason, message, details } = read.data
  if (status === 'Success') return { is: 'exited', code: 0 }
  const code = Number(details?.causes?.find((one) => one.reason === 'ExitCode')?.message)
  if (reason === 'NonZeroExitCode' && Number.isInteger(code)) return { is: 'exited', code }
  return { is: 'failed', noProgram: NO_PROGRAM.test(message), message: untrusted(message).slice(0, MAX_TEXT) }
}
