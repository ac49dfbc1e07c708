import { existsSync, readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { fingerprintOf } from '../../identity/fingerprint.ts'
import { type Issuer, isHostName } from '../../identity/issue.ts'
import { newKey, pemOfKey, publicOf } from '../../identity/keys.ts'
import { type Named, pathOf } from '../../identity/names.ts'
import { readRequest } from '../../identity/request.ts'
import { type EnrolmentAnswer, enrolmentAnswerSchema } from '../../protocol/enrolment.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { AuthorityFolder } from '../pki/authority-folder.ts'
import { replaceFile } from '../pki/durable-file.ts'
import { mustBeFreeFor, writeIdentity } from '../pki/identity-folder.ts'
import { keyDigestOf } from '../pki/issued-log.ts'
import { revoke } from '../pki/revoke.ts'
import type { PkiTask } from '../pki/task.ts'
import type { CommandIo } from './output.ts'

/** An authority whose issuing key is open. */
interface Issuing {
  readonly authority: AuthorityFolder
  readonly issuing: Issuer
  /** Unix ms. */
  readonly nowMs: number
  /** Tell the operator. */
  readonly say: (text: string) => void
}

/** Make key and certificate of a shift for an operator, into their own folder or another. @throws EdgeError */
export async function issueOperator(
  at: Issuing,
  { name, rights, lifeMs, out }: Extract<PkiTask, { what: 'operator' }>,
  identityDir: string,
): Promise<void> {
  const named = { kind: 'operator', fleet: at.authority.fleet, name, rights } as const
  const dir = out === null ? identityDir : resolve(out)
  await issueInto(dir, { ...at, named, ca: null, ...(lifeMs === null ? {} : { lifeMs }) })
}

/** Make key and certificate of a server. @throws EdgeError */
export async function issueServer(
  at: Issuing,
  { what: kind, name, dns: asked, ips: addresses, out }: Extract<PkiTask, { what: 'service' | 'controller' }>,
): Promise<void> {
  // An address counts only where certificates carry addresses: as a host name no client would take it.
  const dns = asked.filter((host) => isIP(host) === 0)
  const ips = [...new Set([...addresses, ...asked.filter((host) => isIP(host) !== 0)])]
  const strange = dns.find((host) => !isHostName(host))
  if (strange !== undefined) {
    throw new EdgeError('USAGE', {
      message: `--dns: "${strange}" is no host name`,
      next: ['write it without port and scheme, e.g. hub.example', 'give IP addresses with --ip'],
    })
  }
  const named = { kind, fleet: at.authority.fleet, name } as const
  const dir = resolve(out ?? name)
  await issueInto(dir, { ...at, named, ca: at.authority.rootsPem(), dns, ips })
  if (dns.length === 0 && ips.length === 0) {
    at.say('it has no address, so it can only call others: give a server --dns or --ip')
  }
}

/**
 * Sign the request of a node and write the answer that `edge-daemon join --answer` takes.
 * @throws EdgeError `PKI_REFUSED` when the request cannot be believed or the name is another key's
 */
export async function signNode(
  { authority, unlock, nowMs, say }: Omit<Issuing, 'issuing'> & { readonly unlock: () => Promise<Issuer> },
  { requestFile, site, node, controllers, replace, out }: Extract<PkiTask, { what: 'sign' }>,
  io: CommandIo,
): Promise<void> {
  const request = await readRequest(textOf(requestFile))
  if (!request.ok) {
    throw new EdgeError('PKI_REFUSED', {
      message: `${requestFile}: ${request.msg}`,
      next: ['write it anew on the node: edge-daemon join --request FILE'],
    })
  }
  const named: Named = { kind: 'node', fleet: authority.fleet, site, node }
  const key = keyDigestOf(request.publicKey)
  const last = authority.issued().records.findLast(({ name }) => name === pathOf(named))
  const taken = last !== undefined && last.key !== key
  if (taken && !replace) {
    throw new EdgeError('NAME_TAKEN', {
      message: `${site}/${node} belongs to another key since ${new Date(last.at).toISOString()}`,
      next: ['choose another name', 'or, when the old node is gone for good, let this one take its place: --replace'],
    })
  }
  const issuing = await unlock()
  if (taken) revoke(authority, issuing, { revoked: { what: 'name', name: pathOf(named) }, why: 'replaced', nowMs })
  const { chainPem, certificate } = await authority.issue(
    issuing,
    { named, publicKey: request.publicKey, nowMs },
    'pki',
  )
  const answer: EnrolmentAnswer = {
    v: 1,
    fleet: authority.fleet,
    certificate: chainPem,
    trust: authority.bundle,
    deny: authority.denied(),
    controllers: [...controllers],
  }
  const checked = enrolmentAnswerSchema.safeParse(answer)
  if (!checked.success) {
    const [issue] = checked.error.issues
    throw new EdgeError('USAGE', {
      message: `${issue?.path.join('.')}: ${issue?.message}`,
      next: ['correct the option'],
    })
  }
  const text = `${JSON.stringify(answer)}\n`
  if (out === null) io.stdout.write(text)
  else replaceFile(resolve(out), text)
  const [root] = authority.roots
  const pin = root === undefined ? '' : ` --pin ${fingerprintOf(root)}`
  say(
    `${site}/${node} until ${certificate.validToDate.toISOString()}; on the node: edge-daemon join --answer FILE${pin}`,
  )
}

async function issueInto(
  dir: string,
  {
    authority,
    issuing,
    named,
    nowMs,
    ca,
    say,
    ...wish
  }: Issuing & {
    readonly named: Named
    readonly ca: string | null
    readonly dns?: readonly string[]
    readonly ips?: readonly string[]
    readonly lifeMs?: number
  },
): Promise<void> {
  mustBeFreeFor(dir, named, ['name another folder with --out', `or remove ${dir}`])
  const key = newKey()
  const leaf = { named, publicKey: publicOf(key), nowMs, ...wish }
  const { certificate, chainPem } = await authority.issue(issuing, leaf, 'pki')
  const deny = authority.denied()
  writeIdentity(dir, { keyPem: pemOfKey(key), certPem: chainPem, trust: authority.bundle, deny, ca, natsCreds: null })
  say(`${pathOf(named)} until ${certificate.validToDate.toISOString()} in ${dir}`)
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new EdgeError('PKI_REFUSED', {
      message: existsSync(file) ? `${file} cannot be read: ${messageOf(cause)}` : `there is no file ${file}`,
      next: ['name the file that "edge-daemon join --request" wrote'],
      cause,
    })
  }
}
