import type { Permissions, UserPermissionsLimits } from '@nats-io/jwt'
import { ROLL_CALL_SUBJECT } from '../../protocol/bus-subjects.ts'
import { ARCHIVE_DOMAIN, type BusUser, type BusUserKind } from '../../protocol/bus-users.ts'
import { bucketStream, bucketSubjects, PACKAGE_BUCKET } from '../../protocol/object-store.ts'
import { ROLES } from '../../protocol/rights.ts'
import { LEASE_SUBJECTS, ROLLOUT_SUBJECTS } from '../../protocol/rollout-subjects.ts'
import { AUDIT_STREAM, LEASE_STREAM, ROLLOUT_STREAM, STREAM_PRESET } from '../../protocol/stream-config.ts'
import { RECORD_CLASSES, resendSubjectOf, subjectOf, UPSTREAM_CLASSES } from '../../protocol/subjects.ts'

/** What a signing key may sign users for: one for each kind, and for each role of operators. */
export const SIGNING_ROLES = ['node', ...ROLES, 'controller', 'reader', 'keeper'] as const
/** @see SIGNING_ROLES */
export type SigningRole = (typeof SIGNING_ROLES)[number]

/** The account that a user is of. Streams are in one of their own. */
export function accountOf(role: SigningRole): 'fleet' | 'archive' {
  return role === 'keeper' ? 'archive' : 'fleet'
}

/** Signing key that a user is signed with. */
export function roleOf(user: BusUser): SigningRole {
  return user.kind === 'operator' ? user.role : user.kind
}

/** Tag that carries the token of a site of an operator, or `*`. */
export const SITE_TAG = 'site'
const SITES = `{{tag(${SITE_TAG})}}`
const SOME_NODE = { site: 'site', node: 'node' } as const
const [EDGE, AUDIT] = [STREAM_PRESET.name, AUDIT_STREAM]
/** What a node publishes, each subject by name, so that none can fill a stream's index with names of its own. */
const WRITTEN_BY_NODES = [
  ...UPSTREAM_CLASSES.map((recordClass) => tailOf(subjectOf(SOME_NODE, recordClass))),
  ...RECORD_CLASSES.map((recordClass) => tailOf(resendSubjectOf(SOME_NODE, recordClass))),
  'status',
  'rpc.out.>',
]
/** Where the API of the account of the streams is reached from the other one, which has an API of its own that refuses. */
export const ARCHIVE_API = `$JS.${ARCHIVE_DOMAIN}.API`
/** A node answers who asked it, within this time. */
const ANSWER = { max: 1, ttl: 60_000_000_000 } as const

/**
 * Permissions by role, where `{{name()}}` is the user's own name and `{{tag(site)}}` each of its sites. What is not listed
 * is refused by the server.
 */
export function permissionsOf(role: SigningRole): Permissions {
  switch (role) {
    case 'node':
      return {
        pub: {
          allow: [
            ...WRITTEN_BY_NODES.map((tail) => `edge.{{name()}}.${tail}`),
            ...[EDGE, AUDIT].map((stream) => `${ARCHIVE_API}.STREAM.INFO.${stream}`),
            // Only by subject: the form with a body reads anything.
            `${ARCHIVE_API}.DIRECT.GET.${EDGE}.edge.{{name()}}.>`,
            `${ARCHIVE_API}.DIRECT.GET.${AUDIT}.edge.{{name()}}.>`,
            ...READS_PACKAGES,
          ],
        },
        sub: { allow: ['edge.{{name()}}.rpc', 'edge.{{name()}}.rpc.in.>', ROLL_CALL_SUBJECT, inboxOf('node')] },
        resp: ANSWER,
      }
    case 'viewer':
      return together(talks('operator', SITES), WRITES_AUDIT, reads(EDGE, `edge.${SITES}.>`), READS_ROLLOUTS)
    case 'operator':
    case 'admin':
      return together(
        talks('operator', SITES),
        WRITES_AUDIT,
        reads(EDGE, `edge.${SITES}.>`),
        reads(AUDIT, `edge.${SITES}.>`),
        reads(AUDIT, 'audit.operator.>'),
        READS_ROLLOUTS,
        DRIVES_ROLLOUTS,
        { pub: { allow: [...READS_PACKAGES, ...bucketSubjects(PACKAGE_BUCKET)] } },
      )
    case 'controller':
      return together(talks('controller', '*'), reads(EDGE, '>'), reads(AUDIT, '>'), READS_ROLLOUTS, DRIVES_ROLLOUTS)
    case 'reader':
      return together(reads(EDGE, '>'), reads(AUDIT, '>'), { pub: {}, sub: { allow: [inboxOf('reader')] } })
    case 'keeper':
      return { pub: { allow: ['$JS.API.>'] }, sub: { allow: [inboxOf('keeper')] } }
  }
}

/** Everything that a signing key fixes for the users it signs: permissions, and plain connections only. */
export function templateOf(role: SigningRole): Partial<UserPermissionsLimits> {
  return {
    ...permissionsOf(role),
    subs: SUBSCRIPTIONS[role],
    data: -1,
    payload: -1,
    allowed_connection_types: ['STANDARD'],
  }
}

/** Most subscriptions at a time, so that nobody fills the server with them. */
const SUBSCRIPTIONS: Readonly<Record<SigningRole, number>> = {
  node: 256,
  viewer: 4096,
  operator: 4096,
  admin: 4096,
  controller: 16_384,
  reader: 1024,
  keeper: 1024,
}

/** Talk to nodes: their heartbeats, requests, and the streams of bytes of tunnels, at some sites. */
function talks(kind: BusUserKind, sites: string): Permissions {
  return {
    pub: { allow: [`edge.${sites}.*.rpc`, `edge.${sites}.*.rpc.in.>`, ROLL_CALL_SUBJECT] },
    sub: { allow: [`edge.${sites}.*.status`, `edge.${sites}.*.rpc.out.{{name()}}.>`, inboxOf(kind)] },
  }
}

/** Write down what it does, behind what it wrote last. */
const WRITES_AUDIT: Permissions = {
  pub: {
    allow: [
      'audit.operator.{{name()}}',
      `${ARCHIVE_API}.DIRECT.GET.${AUDIT}.audit.operator.{{name()}}`,
      `${ARCHIVE_API}.STREAM.INFO.${AUDIT}`,
    ],
  },
  sub: {},
}

/** Read what a stream holds of some subjects, with consumers. Their filter is a part of the request's subject. */
function reads(stream: string, filter: string): Permissions {
  const calls = [
    `STREAM.INFO.${stream}`,
    `CONSUMER.CREATE.${stream}.*.${filter}`,
    `CONSUMER.INFO.${stream}.*`,
    `CONSUMER.MSG.NEXT.${stream}.*`,
    `CONSUMER.DELETE.${stream}.*`,
  ]
  return { pub: { allow: calls.map((call) => `${ARCHIVE_API}.${call}`) } }
}

/**
 * Follow rollouts and see who drives them. They are the fleet's: whoever logs in may read what is rolled out where, whatever
 * their sites are.
 */
const READS_ROLLOUTS: Permissions = together(reads(ROLLOUT_STREAM, '>'), {
  pub: {
    allow: [
      `${ARCHIVE_API}.DIRECT.GET.${ROLLOUT_STREAM}`,
      ...ROLLOUT_SUBJECTS.map((subject) => `${ARCHIVE_API}.DIRECT.GET.${ROLLOUT_STREAM}.${subject}`),
      ...LEASE_SUBJECTS.map((subject) => `${ARCHIVE_API}.DIRECT.GET.${LEASE_STREAM}.${subject}`),
    ],
  },
})

/** Read what the bucket of packages holds, which is what every node may run; without consumers, which would stay behind. */
const READS_PACKAGES = [
  `${ARCHIVE_API}.DIRECT.GET.${bucketStream(PACKAGE_BUCKET)}`,
  `${ARCHIVE_API}.DIRECT.GET.${bucketStream(PACKAGE_BUCKET)}.$O.${PACKAGE_BUCKET}.M.*`,
]

/** Write journals and take leases. Who decided something is known by signatures, not by who may write here. */
const DRIVES_ROLLOUTS: Permissions = { pub: { allow: [...ROLLOUT_SUBJECTS, ...LEASE_SUBJECTS] } }

/** What stands behind site and node. */
function tailOf(subject: string): string {
  return subject.split('.').slice(3).join('.')
}

function inboxOf(kind: BusUserKind): string {
  return `_INBOX.${kind}.{{name()}}.>`
}

function together(...parts: readonly Permissions[]): Permissions {
  const all = (side: 'pub' | 'sub'): string[] => [...new Set(parts.flatMap((part) => part[side]?.allow ?? []))]
  return { pub: { allow: all('pub') }, sub: { allow: all('sub') } }
}
