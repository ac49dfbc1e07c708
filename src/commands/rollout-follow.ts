import { safe } from '../fleet/clean.ts'
import { JournalTeller } from '../rollout/journal-teller.ts'
import type { RolloutService } from '../rollout/service.ts'
import type { CommandIo, OutputFormat } from './output.ts'
import { type RolloutNow, rolloutAsJson, rolloutNow } from './rollout-now.ts'
import { courseText, headText } from './rollout-status.ts'
import { safeJson } from './safe-json.ts'

/** How to follow a rollout. */
export interface FollowOptions {
  readonly service: RolloutService
  readonly id: string
  readonly format: OutputFormat
  /** Also drive it here, unless somebody else does. */
  readonly drive: boolean
  /** Stop following once it stands, too; else only at its end. */
  readonly leavesStanding: boolean
}

/** A rollout that nobody drives for so long is not waited for any longer, ms: a lease has long run out by then. */
const NOBODY_MS = 60_000

/**
 * Follow a rollout until it ended (or stands), printing what happens as it does: a line for people, an entry of the journal a
 * line for `ndjson`; `json` is one object at the end. Resolves with how it went, null when it was interrupted before
 * anything was known.
 */
export async function followRollout(options: FollowOptions, io: CommandIo): Promise<RolloutNow | null> {
  const { service, id, format, drive, leavesStanding } = options
  const stop = new AbortController()
  const signal = AbortSignal.any([stop.signal, io.signal])
  let now: RolloutNow | null = null
  let printed = 0
  let saidStand = ''
  let teller: JournalTeller | null = null
  let isForsaken = false
  let nobody: NodeJS.Timeout | null = null
  const watchDriver = (): void => {
    const isAlone = !drive && now?.course === 'runs' && now.view.driver === null
    if (!isAlone && nobody !== null) {
      clearTimeout(nobody)
      nobody = null
    }
    if (!isAlone || nobody !== null) return
    nobody = setTimeout(() => {
      isForsaken = true
      stop.abort()
    }, NOBODY_MS)
  }
  const following = service.follow(
    id,
    (view) => {
      now = rolloutNow(view)
      if (now === null || signal.aborted) return
      teller ??= new JournalTeller(view.plan)
      for (const { seq, event, ignored } of view.entries.filter((entry) => entry.seq > printed)) {
        printed = seq
        if (ignored !== undefined) continue
        if (format === 'ndjson') io.stdout.write(`${safeJson({ seq, ...event })}\n`)
        const told = format === 'table' ? teller.tell(event) : null
        if (told !== null && told.tone !== 'routine') {
          io.stdout.write(`${new Date(event.at).toISOString().slice(11, 19)}  ${told.text}\n`)
        }
      }
      const isOver = now.course !== 'runs' && (now.course !== 'stands' || leavesStanding)
      if (isOver) stop.abort()
      else if (now.course === 'stands' && standOf(now) !== saidStand) {
        saidStand = standOf(now)
        io.stderr.write(
          `edgedeck: ${courseText(now)}: edgedeck rollout explain ${safe(id)} says why; approve, promote, resume or abort it\n`,
        )
      }
      watchDriver()
    },
    signal,
  )
  const driving = drive ? service.drive(id, signal) : Promise.resolve()
  try {
    await Promise.all([following, driving])
  } finally {
    stop.abort()
    if (nobody !== null) clearTimeout(nobody)
  }
  return ended(now, { ...options, isForsaken }, io)
}

function ended(
  now: RolloutNow | null,
  { id, format, drive, isForsaken }: FollowOptions & { readonly isForsaken: boolean },
  io: CommandIo,
): RolloutNow | null {
  if (now === null) return null
  if (format === 'json') io.stdout.write(`${safeJson(rolloutAsJson(now))}\n`)
  if (format === 'table') io.stdout.write(headText(now))
  const goesOn = now.course === 'runs' || now.course === 'stands'
  if (isForsaken) io.stderr.write(`edgedeck: nobody drives it: edgedeck rollout drive ${safe(id)} goes on with it\n`)
  else if (goesOn && drive) {
    io.stderr.write(
      `edgedeck: ${safe(id)} stays where it is: edgedeck rollout drive ${safe(id)} goes on with it, and so does any console or controller; edgedeck rollout abort ${safe(id)} takes it back\n`,
    )
  }
  return now
}

/** What tells one stand from the next, whoever drives meanwhile. */
function standOf({ state }: RolloutNow): string {
  return `${state.phase} ${state.halt?.at ?? ''} ${state.waves.filter(({ phase }) => phase === 'ended').length}`
}
