import { type Account, type Export, encodeAccount, encodeOperator, type Import, newScopedSigner } from '@nats-io/jwt'
import { createAccount, createOperator, fromSeed, type KeyPair } from '@nats-io/nkeys'
import { bucketStream, bucketSubjects, PACKAGE_BUCKET } from '../../protocol/object-store.ts'
import { LEASE_SUBJECTS, ROLLOUT_SUBJECTS } from '../../protocol/rollout-subjects.ts'
import { AUDIT_STREAM, LEASE_STREAM, ROLLOUT_STREAM, STREAM_PRESET } from '../../protocol/stream-config.ts'
import { auditSubjects, operatorAuditSubject, streamSubjects } from '../../protocol/subjects.ts'
import { ARCHIVE_API, accountOf, SIGNING_ROLES, type SigningRole, templateOf } from './permissions.ts'

/** Seeds of everything that signs: whoever has them is the bus. */
export interface BusSeeds {
  readonly operator: string
  readonly system: string
  /** Account of the streams. */
  readonly archive: string
  /** Account in which nodes, operators and controllers meet. */
  readonly fleet: string
  readonly signing: Readonly<Record<SigningRole, string>>
}

/** What accounts are made with. */
export interface BusWishes {
  readonly fleet: string
  /** Most bytes that the streams hold together. */
  readonly diskBytes: number
  /** Users that were taken back: public key, and the time (Unix s) up to which credentials of it count no more. */
  readonly revoked: Readonly<Record<string, number>>
}

/** What a server is given to know its accounts by. */
export interface BusAccounts {
  /** Public keys. */
  readonly system: string
  /** Claims by public key. */
  readonly accounts: Readonly<Record<string, string>>
}

/** Fresh seeds. */
export function newSeeds(): BusSeeds {
  const account = (): string => seedOf(createAccount())
  return {
    operator: seedOf(createOperator()),
    system: account(),
    archive: account(),
    fleet: account(),
    signing: Object.fromEntries(SIGNING_ROLES.map((role) => [role, account()])) as Record<SigningRole, string>,
  }
}

/** The pair of a seed. @throws Error when it is none. */
export function pairOf(seed: string): KeyPair {
  return fromSeed(new TextEncoder().encode(seed))
}

/** Claims of the operator. To be made once: a running server takes no others. */
export function signOperator({ operator, system }: BusSeeds, fleet: string): Promise<string> {
  return encodeOperator(fleet, pairOf(operator), { system_account: pairOf(system).getPublicKey() })
}

/**
 * Sign the accounts. Streams have an account of their own, and others reach it through services alone: an answer of
 * JetStream then goes back to who asked, and to nobody else. In one account the reply subject of a request, which no
 * permission covers, could be the subject of another node's blocks, and the answer would be stored there.
 */
export async function signAccounts(seeds: BusSeeds, wishes: BusWishes): Promise<BusAccounts> {
  const { fleet: name, diskBytes, revoked } = wishes
  const [operator, system, archive, fleet] = [seeds.operator, seeds.system, seeds.archive, seeds.fleet].map(pairOf) as [
    KeyPair,
    KeyPair,
    KeyPair,
    KeyPair,
  ]
  const byOperator = { signer: operator }
  const of = (where: ReturnType<typeof accountOf>) => ({
    signing_keys: SIGNING_ROLES.filter((role) => accountOf(role) === where).map((role) =>
      newScopedSigner(pairOf(seeds.signing[role]), role, templateOf(role)),
    ),
    revocations: { ...revoked },
  })
  const archiveKey = archive.getPublicKey()
  const archiveClaims: Partial<Account> = {
    ...of('archive'),
    exports: SERVICES.map(exported),
    limits: { ...LIMITS, disk_storage: diskBytes, mem_storage: 0, streams: 16, consumer: -1 },
  }
  const fleetClaims: Partial<Account> = {
    ...of('fleet'),
    imports: SERVICES.map((service) => imported(service, archiveKey)),
    limits: LIMITS,
  }
  return {
    system: system.getPublicKey(),
    accounts: {
      [system.getPublicKey()]: await encodeAccount(`${name} system`, system, { limits: LIMITS }, byOperator),
      [archiveKey]: await encodeAccount(`${name} archive`, archive, archiveClaims, byOperator),
      [fleet.getPublicKey()]: await encodeAccount(`${name} fleet`, fleet, fleetClaims, byOperator),
    },
  }
}

/** No leaf nodes: what they say of their own users is not checked here. */
const LIMITS = {
  subs: -1,
  conn: -1,
  leaf: 0,
  imports: -1,
  exports: -1,
  data: -1,
  payload: -1,
  wildcards: true,
} as const

interface Service {
  readonly subject: string
  /** What it is called in the account that asks. */
  readonly local: string
  /** It answers with more than one message. */
  readonly isStream: boolean
}

const PACKAGES = bucketStream(PACKAGE_BUCKET)
/** What the account of the streams does for others; who may ask which is in the permissions of users. */
const SERVICES: readonly Service[] = [
  ...[
    ...streamSubjects(),
    ...auditSubjects(),
    operatorAuditSubject('*'),
    ...ROLLOUT_SUBJECTS,
    ...LEASE_SUBJECTS,
    ...bucketSubjects(PACKAGE_BUCKET),
  ].map((subject) => ({ subject, local: subject, isStream: false })),
  // In batches: each answer is several messages.
  ...[`DIRECT.GET.${PACKAGES}`, `DIRECT.GET.${PACKAGES}.>`].map((call) => ({
    subject: `$JS.API.${call}`,
    local: `${ARCHIVE_API}.${call}`,
    isStream: !call.endsWith('>'),
  })),
  ...[STREAM_PRESET.name, AUDIT_STREAM, ROLLOUT_STREAM, LEASE_STREAM].flatMap((stream) =>
    [
      `STREAM.INFO.${stream}`,
      `DIRECT.GET.${stream}.>`,
      // With a body it reads whatever the stream holds: of journals that is what everybody may.
      ...(stream === ROLLOUT_STREAM ? [`DIRECT.GET.${stream}`] : []),
      `CONSUMER.CREATE.${stream}.>`,
      `CONSUMER.INFO.${stream}.>`,
      `CONSUMER.DELETE.${stream}.>`,
      `CONSUMER.MSG.NEXT.${stream}.>`,
    ].map((call) => ({
      subject: `$JS.API.${call}`,
      local: `${ARCHIVE_API}.${call}`,
      isStream: call.startsWith('CONSUMER.MSG.NEXT'),
    })),
  ),
]

function exported({ subject, isStream }: Service): Export {
  return { name: subject, subject, type: 'service', response_type: isStream ? 'Stream' : 'Singleton' } as Export
}

function imported({ subject, local }: Service, account: string): Import {
  const base = { name: subject, subject, account, type: 'service' }
  return (local === subject ? base : { ...base, local_subject: local }) as Import
}

function seedOf(pair: KeyPair): string {
  return new TextDecoder().decode(pair.getSeed())
}
