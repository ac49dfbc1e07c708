import { encodeUser } from '@nats-io/jwt'
import { fromPublic } from '@nats-io/nkeys'
import { z } from 'zod'
import { isNatsUserKey } from '../../identity/nats-key.ts'
import { ARCHIVE_DOMAIN, type BusUser, busNameOf, DOMAIN_TAG, OURS_TAG } from '../../protocol/bus-users.ts'
import { EdgeError } from '../../protocol/errors.ts'
import { encodeToken } from '../../protocol/subjects.ts'
import { type BusSeeds, pairOf } from './accounts.ts'
import { accountOf, roleOf, SIGNING_ROLES, SITE_TAG, type SigningRole } from './permissions.ts'

const seed = z.string().regex(/^SA[A-Z2-7]{56}$/)
const account = z.string().regex(/^A[A-Z2-7]{55}$/)

/**
 * What signs users of the bus: a signing key for each role, with which no permission but that role's can be given, and no
 * account changed. A controller gets this file, without the keeper's key, and nothing else of the bus.
 */
export const natsIssuerSchema = z.strictObject({
  v: z.literal(1),
  fleet: z.string().min(1),
  /** Sites that the streams hold; empty for all. */
  sites: z.array(z.string().min(1)),
  /** Where clients connect, e.g. `tls://hub.example:4222`. */
  servers: z.array(z.string().min(1)),
  accounts: z.strictObject({ fleet: account, archive: account }),
  signing: z.partialRecord(z.enum(SIGNING_ROLES), seed),
})
/** @see natsIssuerSchema */
export type NatsIssuer = z.infer<typeof natsIssuerSchema>

/** The issuer of a set of seeds, for users of some roles. */
export function issuerOf(
  seeds: BusSeeds,
  facts: Pick<NatsIssuer, 'fleet' | 'sites' | 'servers'>,
  roles: readonly SigningRole[] = SIGNING_ROLES,
): NatsIssuer {
  const publicKey = (of: string): string => pairOf(of).getPublicKey()
  return {
    v: 1,
    fleet: facts.fleet,
    sites: [...facts.sites],
    servers: [...facts.servers],
    accounts: { fleet: publicKey(seeds.fleet), archive: publicKey(seeds.archive) },
    signing: Object.fromEntries(roles.map((role) => [role, seeds.signing[role]])),
  }
}

/**
 * Claims of a user (a JWT) that a server takes together with a proof of the key. What the user may do is fixed by the
 * signing key of its role; the claims hold its name and an operator's sites.
 * @param key public part of the user's nkey
 * @param expiresAtMs Unix ms; null for never
 * @throws EdgeError `USAGE` when the issuer has no key for that role, the streams hold no such site, or `key` is
 * no such key
 */
export async function natsUserJwt(
  issuer: NatsIssuer,
  user: BusUser,
  { key, expiresAtMs }: { readonly key: string; readonly expiresAtMs: number | null },
): Promise<string> {
  const role = roleOf(user)
  const signer = issuer.signing[role]
  if (signer === undefined) {
    throw new EdgeError('USAGE', {
      message: `this issuer has no signing key for the role ${role}`,
      next: ['use the one that edgedeck nats setup keeps in its folder'],
    })
  }
  if (!isNatsUserKey(key)) {
    throw new EdgeError('USAGE', {
      message: 'what was given is not the public key of a user of NATS',
      next: ['copy the whole of it: U and 55 characters'],
    })
  }
  refuseUnheldSite(issuer, user)
  return encodeUser(
    busNameOf(user),
    fromPublic(key),
    fromPublic(issuer.accounts[accountOf(role)]),
    { tags: tagsOf(user) },
    {
      signer: pairOf(signer),
      scopedUser: true,
      ...(expiresAtMs === null ? {} : { exp: Math.floor(expiresAtMs / 1000) }),
    },
  )
}

/** Blocks of a site that no stream holds would go nowhere. */
function refuseUnheldSite({ sites }: NatsIssuer, user: BusUser): void {
  if (user.kind !== 'node' || sites.length === 0 || sites.includes(user.site)) return
  throw new EdgeError('USAGE', {
    message: `the bus was set up for the sites ${sites.join(', ')}, not for ${user.site}`,
    next: [`add it: edgedeck nats setup --out DIR --sites ${user.site}, then --apply to the streams`],
  })
}

function tagsOf(user: BusUser): string[] {
  if (user.kind === 'keeper') return [OURS_TAG]
  const tags = [OURS_TAG, `${DOMAIN_TAG}:${ARCHIVE_DOMAIN}`]
  if (user.kind !== 'operator') return tags
  const sites = user.sites === '*' ? ['*'] : user.sites.map(encodeToken)
  return [...tags, ...sites.map((site) => `${SITE_TAG}:${site}`)]
}
