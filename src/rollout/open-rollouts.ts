import type { BusAccess } from '../../identity/bus-access.ts'
import type { BusUserKind } from '../../protocol/bus-users.ts'
import { EdgeError } from '../../protocol/errors.ts'
import type { IdentitySource } from '../identity/identity-source.ts'
import type { Journal, LeaseBook, Plan } from './contract.ts'
import { decide } from './decide.ts'
import { fleetFacts } from './fleet-facts.ts'
import { FleetRollouts, newRolloutId } from './fleet-rollouts.ts'
import { judge } from './gates/judge.ts'
import { judgeShadow } from './gates/shadow.ts'
import { FileJournal } from './journal/file-journal.ts'
import { FileLeases } from './journal/file-lease.ts'
import { planRollout, undoOf } from './planner.ts'
import type { RolloutService, RolloutWish } from './service.ts'
import type { JudgeSigner, Signer } from './signed-words.ts'
import type { RolloutState } from './state.ts'
import { DaemonTarget, type RolloutFleet } from './targets/daemon.ts'

/** Where the journals of a fleet's rollouts are: on its bus, or in a folder of a single host. */
export type JournalPlace =
  | { readonly kind: 'folder'; readonly dir: string }
  | {
      readonly kind: 'bus'
      readonly servers: readonly string[]
      /** What is shown and believed, asked before each connection; may throw a sentence. */
      readonly access: () => BusAccess
      /** As whom; an operator when not told. */
      readonly as?: BusUserKind
    }

/** What rollouts of a fleet are opened with. */
export interface OpenRolloutsOptions {
  readonly place: JournalPlace
  readonly fleet: RolloutFleet
  /** Who decides and drives here. */
  readonly identity: IdentitySource
  /** Who drives, for people: `mia at bastion-1`. */
  readonly holder: string
  /** See {@link FleetRollouts}. */
  readonly beforeStart?: (plan: Plan) => Promise<void>
  readonly onFault?: (rollout: string | null, error: EdgeError) => void
  /** How long each decision took, ms. */
  readonly onDecided?: (ms: number) => void
}

/** Rollouts that are open until they are closed. */
export interface OpenRollouts {
  readonly service: RolloutService
  close(): Promise<void>
}

const CONNECT_TIMEOUT_MS = 5000
const PING_INTERVAL_MS = 5000
/** Who judges waves and shadows. */
const JUDGES = { wave: judge, shadow: judgeShadow } as const

/** Open the rollouts of a fleet. Nobody is connected to before something is asked of the journal. */
export async function openRollouts(options: OpenRolloutsOptions): Promise<OpenRollouts> {
  const { place, fleet, identity, holder, beforeStart, onFault, onDecided } = options
  const { journal, leases, close } = await openJournal(place)
  const service = new FleetRollouts({
    journal,
    leases,
    targetOf: (plan) =>
      new DaemonTarget({ ...fleet, plan, needsMandate: place.kind === 'bus' && place.as === 'controller' }),
    decide: (state, observation) => decide(state, observation, JUDGES),
    plan: (wish, undone) => planOver(fleet, wish, undone),
    signer: () => signerOf(identity),
    judge: () => judgeOf(identity),
    holder,
    onNews: (listener) => fleet.fleet.subscribe(listener),
    ...(beforeStart === undefined ? {} : { beforeStart }),
    ...(onFault === undefined ? {} : { onFault }),
    ...(onDecided === undefined ? {} : { onDecided }),
  })
  return { service, close }
}

/** Journal and leases at their place. The client of a bus is loaded only where there is one. */
export async function openJournal(place: JournalPlace): Promise<{
  readonly journal: Journal
  readonly leases: LeaseBook
  close(): Promise<void>
}> {
  if (place.kind === 'folder') {
    const { dir } = place
    return { journal: new FileJournal({ dir }), leases: new FileLeases({ dir }), close: async () => undefined }
  }
  const { servers, access, as = 'operator' } = place
  const { BusStore } = await import('./journal/bus-store.ts')
  const { BusJournal } = await import('./journal/bus-journal.ts')
  const { BusLeases } = await import('./journal/bus-lease.ts')
  const store = new BusStore({
    name: 'the bus',
    open: async () => {
      const shown = access()
      const { connectBus } = await import('../link/bus-connect.ts')
      const connection = await connectBus({
        servers,
        shown,
        as,
        cure: 'log in with edgedeck login',
        // A new connection reads the credentials anew.
        options: { reconnect: false, timeout: CONNECT_TIMEOUT_MS, pingInterval: PING_INTERVAL_MS, maxPingOut: 2 },
      })
      const domain = shown.credentials?.domain ?? null
      return { connection, apiPrefix: domain === null ? '$JS.API' : `$JS.${domain}.API` }
    },
  })
  return { journal: new BusJournal(store), leases: new BusLeases(store), close: () => store.close() }
}

/** Who signs here; null where nobody asks who it is. @throws EdgeError `IDENTITY_MISSING` when the login is over */
export function signerOf(identity: IdentitySource): Signer | null {
  const state = identity.current()
  if (state.kind === 'none') return null
  const { name, rights, untilMs } = state.identity
  if (untilMs <= Date.now()) {
    throw new EdgeError('IDENTITY_MISSING', {
      message: 'your login has ended, so nothing can be signed',
      next: ['run edgedeck login'],
    })
  }
  return { name, rights, signKept: (text) => state.identity.signKept(text) }
}

function judgeOf(source: IdentitySource): JudgeSigner | null {
  const state = source.current()
  return state.kind === 'none' ? null : (chain, atMs) => state.identity.judgeSigner(chain, atMs)
}

function planOver({ fleet }: RolloutFleet, wish: RolloutWish, undone: RolloutState | null): Plan {
  const nowMs = Date.now()
  const [id, facts] = [newRolloutId(nowMs), fleetFacts(fleet, nowMs)]
  if (undone === null) return planRollout(id, wish, facts)
  const undo = undoOf(undone)
  return planRollout(id, { ...wish, item: undo.item, nodes: [...undo.own.keys()] }, facts, undo)
}
