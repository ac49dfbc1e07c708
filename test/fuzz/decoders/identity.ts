import { X509Certificate } from 'node:crypto'
import { verifyDenyList } from '../../../identity/deny-list.ts'
import { readExtensions } from '../../../identity/extensions.ts'
import { newKey, pemOfKey, readKey } from '../../../identity/keys.ts'
import { readUri, uriOf } from '../../../identity/names.ts'
import { credentialsText, newNatsKey, readCredentials } from '../../../identity/nats-key.ts'
import { makeRequest, readRequest } from '../../../identity/request.ts'
import { readSshKey } from '../../../identity/ssh-key.ts'
import { verifySshSignature } from '../../../identity/ssh-signature.ts'
import { verifyPinnedBundle, verifyTrustBundle } from '../../../identity/trust-bundle.ts'
import { readPem, verifyChain } from '../../../identity/verify.ts'
import * as enrolment from '../../../protocol/enrolment.ts'
import { openSealedKey, sealKey } from '../../../src/pki/sealed-key.ts'
import { FleetAuthority } from '../../support/fleet-authority.ts'
import type { Decoder } from '../decoder.ts'

const TOKEN = {
  ...{ u: 'https://controller.example:5444', f: 'acme', s: 'plant-a', n: 'n1' },
  ...{ k: Buffer.alloc(32, 1).toString('base64url'), p: Buffer.alloc(32, 2).toString('base64url') },
}
const SSH_KEY = `ssh-ed25519 ${Buffer.concat([
  Buffer.from([0, 0, 0, 11]),
  Buffer.from('ssh-ed25519'),
  Buffer.from([0, 0, 0, 32]),
  Buffer.alloc(32, 9),
]).toString('base64')} mia@bastion`

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Names, certificates, requests, lists, tokens, keys: whatever decides who somebody is. */
export async function identityDecoders(): Promise<Decoder[]> {
  const authority = await FleetAuthority.create()
  process.once('exit', () => authority[Symbol.dispose]())
  const node = await authority.node('plant-a', 'n1')
  const operator = await authority.operator('mia', {
    role: 'operator',
    permissions: ['data'],
    sites: ['plant-a', 'b/c'],
  })
  const key = newKey()
  const trust = authority.trust()
  const isOk = (read: { ok: boolean }): boolean => read.ok
  const isSomething = (read: unknown): boolean => read !== null
  const deny = JSON.stringify(authority.deny({ names: [{ name: 'operator/eve', before: 1, why: 'left' }] }))
  const sealed = sealKey(key, 'a test', 'a long enough passphrase')
  const nats = newNatsKey()
  const claims = { sub: nats.publicKey, name: 'plant-a.n1', exp: 1_900_000_000, nats: { tags: [] } }
  const jwt = ['{}', JSON.stringify(claims), 'signature']
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.')
  const judged = (chain: readonly X509Certificate[]) => {
    for (const certificate of chain) readExtensions(certificate)
    const verdict = verifyChain(chain, { trust, nowMs: Date.now(), use: 'client' })
    // Whatever was changed of a certificate, its signature does not hold any more.
    if (
      verdict.ok &&
      !chain.some(({ raw }) => raw.equals(node.certificate.raw) || raw.equals(operator.certificate.raw))
    ) {
      throw new Error(`a changed certificate counts as ${JSON.stringify(verdict.named)}`)
    }
    return verdict
  }
  /** A damaged certificate: what OpenSSL says of it. */
  const isDamage = (error: Error): boolean =>
    /^ERR_OSSL|^ERR_INVALID_ARG/.test((error as NodeJS.ErrnoException).code ?? '')
  return [
    {
      name: 'certificate-name',
      samples: [uriOf(node.named), uriOf(operator.named), 'edgedeck://acme/controller/eu'],
      decode: (uri: string) => {
        const named = readUri(uri)
        if (named !== null && uriOf(named) !== uri) throw new RangeError('a name has two spellings')
        return named
      },
      isTaken: isSomething,
    },
    {
      name: 'certificate-pem',
      samples: [node.certPem, operator.certPem],
      decode: (pem: string) => judged(readPem(pem)),
      isTaken: isOk,
      declares: isDamage,
    },
    {
      name: 'certificate-der',
      samples: [node.certificate.raw, operator.certificate.raw],
      decode: (der: Buffer) => judged([new X509Certificate(der), authority.issuing.certificate]),
      isTaken: isOk,
      declares: isDamage,
    },
    {
      name: 'signing-request',
      samples: [await makeRequest(key)],
      decode: readRequest,
      isTaken: isOk,
      share: 0.6,
    },
    {
      name: 'deny-list',
      samples: [deny],
      decode: (text: string) => verifyDenyList(parsed(text), { trust, held: null }),
      isTaken: isOk,
    },
    {
      name: 'trust-bundle',
      samples: [JSON.stringify(authority.bundle)],
      decode: (text: string) => {
        const value = parsed(text)
        const { roots } = trust
        verifyPinnedBundle(value, { fleet: 'acme', pin: authority.pin })
        return verifyTrustBundle(value, { fleet: 'acme', trusted: roots, held: null })
      },
      isTaken: isOk,
    },
    {
      name: 'join-token',
      samples: [enrolment.joinTokenText(TOKEN)],
      decode: (text: string) => {
        const token = enrolment.readJoinToken(text)
        if (token !== null) enrolment.joinTokenText(token)
        return token
      },
      isTaken: isSomething,
    },
    {
      name: 'enrolment-request',
      samples: [JSON.stringify({ token: enrolment.joinTokenText(TOKEN), csr: await makeRequest(key) })],
      decode: (text: string) => {
        const value = parsed(text)
        const { joinRequestSchema, renewRequestSchema, loginRequestSchema, timeAnswerSchema } = enrolment
        return [joinRequestSchema, renewRequestSchema, loginRequestSchema, timeAnswerSchema].map((schema) =>
          schema.safeParse(value),
        )
      },
      isTaken: () => true,
    },
    {
      name: 'private-key',
      samples: [pemOfKey(key)],
      decode: readKey,
      isTaken: isSomething,
    },
    {
      name: 'sealed-key',
      samples: [sealed],
      // A wrong passphrase costs as much as a right one, so few cases.
      decode: (text: string) => openSealedKey(text, 'a long enough passphrase', 'root.key'),
      isTaken: isSomething,
      share: 0.1,
      grows: false,
    },
    {
      name: 'nats-credentials',
      samples: [credentialsText(jwt, nats)],
      decode: readCredentials,
      isTaken: isSomething,
    },
    {
      name: 'ssh-key',
      samples: [SSH_KEY],
      decode: readSshKey,
      isTaken: (read: unknown) => typeof read !== 'string',
    },
    {
      name: 'ssh-signature',
      samples: [
        `-----BEGIN SSH SIGNATURE-----\n${Buffer.concat([Buffer.from('SSHSIG'), Buffer.from([0, 0, 0, 1]), Buffer.alloc(120, 3)]).toString('base64')}\n-----END SSH SIGNATURE-----\n`,
      ],
      decode: (armored: string) => {
        const known = readSshKey(SSH_KEY)
        if (typeof known === 'string') throw new TypeError('the key of this test is none')
        return verifySshSignature(armored, { message: 'm', namespace: 'edgedeck-login', keys: [known] })
      },
      isTaken: ({ ok }: { ok: boolean }) => !ok,
    },
  ]
}
