import { z } from 'zod'
import { RESEND_CLASSES, type ResendClass, type ResendReport } from '../upstream/resend/request.ts'
import type { Resends } from '../upstream/resend/resends.ts'
import { type CommandArgs, type CommandTable, refused } from './contract.ts'

const at = z.int().nonnegative()
const requestId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/)
const orderSchema = z.object({
  requestId,
  fromMs: at,
  toMs: at,
  classes: z.array(z.enum(RESEND_CLASSES)).min(1).optional(),
  target: z.string().min(1).max(64).optional(),
})
/** What goes upstream by itself; results that are as they should be, and log lines, are sent only when they are named. */
const USUAL: readonly ResendClass[] = ['ledger', 'alert', 'error', 'abnormal', 'stat', 'metric']

/**
 * `resend {requestId, fromMs, toMs, classes?, target?}` sends a range of time (Unix ms, both ends included) upstream
 * again; asked twice with the same id it is sent once. `resend.status {requestId}` tells how far it is. Both answer
 * `{requestId, target, state, records, blocks, leftOut, error}` with `state` one of `waiting`, `running`, `done`.
 */
export function resendCommands(resends: Pick<Resends, 'order' | 'report'>) {
  return {
    resend: async (args) => {
      const order = read(orderSchema, args, 'resend needs "requestId", "fromMs" and "toMs"')
      if (order.fromMs > order.toMs) throw refused('"fromMs" is after "toMs"', 'give the earlier time first')
      const wanted = order.classes ?? USUAL
      const classes = RESEND_CLASSES.filter((recordClass) => wanted.includes(recordClass))
      return asResult(await resends.order({ ...order, classes, target: order.target ?? null }))
    },
    'resend.status': (args) =>
      asResult(resends.report(read(z.object({ requestId }), args, 'resend.status needs "requestId"').requestId)),
  } satisfies CommandTable
}

function read<T>(schema: z.ZodType<T>, args: CommandArgs, msg: string): T {
  const parsed = schema.safeParse(args)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const where = issue === undefined ? '' : ` (${issue.path.join('.')}: ${issue.message})`
  throw refused(`${msg}${where}`, `classes are: ${RESEND_CLASSES.join(', ')}; times are Unix ms`)
}

function asResult(report: ResendReport): Record<string, string | number | null> {
  return { ...report }
}
