import type { ErrorCode } from '../../protocol/errors.ts'
import type { RolloutFacts } from './rollouts.ts'

/** What a controller counts. */
export const WORKS = ['join', 'renew', 'login'] as const
/** @see WORKS */
export type Work = (typeof WORKS)[number]

/** What of a controller is not counted but as it is now. */
export interface ControllerFacts {
  readonly fleet: string
  readonly version: string
  readonly startedAtMs: number
  readonly connections: number
  /** Requests for the deny list that are held. */
  readonly held: number
  readonly names: number
  readonly denyVersion: number
  readonly denied: number
  readonly trustVersion: number
  /** Seconds until a certificate of the authority, or the controller's own, ends. */
  readonly endsInSec: Readonly<Record<string, number>>
  readonly operators: number
  readonly ready: boolean
  /** Null where no rollouts are driven. */
  readonly rollouts: RolloutFacts | null
}

/** Counts since the start, and the Prometheus text of them (format 0.0.4). */
export class Counters {
  readonly #done = new Map<Work, number>(WORKS.map((work) => [work, 0]))
  readonly #refused = new Map<string, number>()
  readonly #dropped = new Map<string, number>()

  done(work: Work): void {
    this.#done.set(work, (this.#done.get(work) ?? 0) + 1)
  }

  refused(work: string, code: ErrorCode): void {
    const key = JSON.stringify([work, code])
    this.#refused.set(key, (this.#refused.get(key) ?? 0) + 1)
  }

  /** A connection that was not served. */
  dropped(why: 'too_many' | 'rate' | 'handshake' | 'slow' | 'malformed'): void {
    this.#dropped.set(why, (this.#dropped.get(why) ?? 0) + 1)
  }

  /** Connections that were dropped since the start. */
  get droppedCount(): number {
    return [...this.#dropped.values()].reduce((sum, count) => sum + count, 0)
  }

  /** The exposition, whole. */
  render(facts: ControllerFacts): string {
    const family = (
      name: string,
      type: 'counter' | 'gauge',
      help: string,
      samples: readonly (readonly [string, number])[],
    ) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${type}`,
      ...samples.map(([labels, value]) => `${name}${labels} ${value}`),
    ]
    const gauge = (name: string, help: string, value: number) => family(name, 'gauge', help, [['', value]])
    const refused = [...this.#refused].map(([key, count]) => {
      const [work = '', code = ''] = JSON.parse(key) as string[]
      return [`{work="${work}",reason="${code}"}`, count] as const
    })
    return [
      ...family(
        'edgectl_given_total',
        'counter',
        'Certificates that were given out, by why.',
        [...this.#done].map(([work, count]) => [`{work="${work}"}`, count]),
      ),
      ...family('edgectl_refused_total', 'counter', 'Requests that were refused, by reason.', refused),
      ...family(
        'edgectl_dropped_total',
        'counter',
        'Connections that were not served, by reason.',
        [...this.#dropped].map(([why, count]) => [`{reason="${why}"}`, count]),
      ),
      ...gauge('edgectl_ready', 'Whether certificates can be given out.', Number(facts.ready)),
      ...gauge('edgectl_connections', 'Open connections.', facts.connections),
      ...gauge('edgectl_deny_waiting', 'Requests for the deny list that are held.', facts.held),
      ...gauge('edgectl_names', 'Names of nodes that are taken.', facts.names),
      ...gauge('edgectl_operators', 'Operators who may log in.', facts.operators),
      ...(facts.rollouts === null
        ? []
        : [
            ...gauge('edgectl_rollouts_driving', 'Rollouts that are driven here.', facts.rollouts.driving),
            ...gauge('edgectl_rollout_nodes', 'Nodes that are known to rollouts here.', facts.rollouts.nodes),
            ...gauge('edgectl_rollout_sessions', 'Nodes that are reached for rollouts now.', facts.rollouts.sessions),
            ...family('edgectl_rollout_decisions_total', 'counter', 'Looks at a rollout that decided what is next.', [
              ['', facts.rollouts.decisions],
            ]),
            ...family('edgectl_rollout_deciding_seconds_total', 'counter', 'Time that deciding took.', [
              ['', facts.rollouts.decidingSec],
            ]),
            ...family('edgectl_rollout_faults_total', 'counter', 'Times that a journal or the bus failed a driver.', [
              ['', facts.rollouts.faults],
            ]),
          ]),
      ...gauge('edgectl_deny_version', 'Version of the deny list.', facts.denyVersion),
      ...gauge('edgectl_denied', 'Entries of the deny list.', facts.denied),
      ...gauge('edgectl_trust_version', 'Version of the trust bundle.', facts.trustVersion),
      ...family(
        'edgectl_certificate_ends_in_seconds',
        'gauge',
        'Time until a certificate ends.',
        Object.entries(facts.endsInSec).map(([which, sec]) => [`{certificate="${which}"}`, Math.round(sec)]),
      ),
      ...family('edgectl_info', 'gauge', 'Which controller this is.', [
        [`{fleet="${facts.fleet}",version="${facts.version}"}`, 1],
      ]),
      ...gauge('edgectl_start_time_seconds', 'Unix time of the start.', facts.startedAtMs / 1000),
      '',
    ].join('\n')
  }
}
