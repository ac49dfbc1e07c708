import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { ControlIdentity, Peer } from '../../edge-daemon/live/contract.ts'
import type { LiveServerOptions } from '../../edge-daemon/live/live-server.ts'
import { type Verdict, verifyChain } from '../../identity/verify.ts'
import type { FleetAuthority, IssuedIdentity } from './fleet-authority.ts'
import { LiveNode } from './live-node.ts'

/** A node of a fleet with a clock that can be set; who was denied at the authority is refused here at once. */
export class SecureIdentity implements ControlIdentity {
  clockShiftMs = 0
  issued: IssuedIdentity
  readonly #authority: FleetAuthority
  readonly #listeners = new Set<() => void>()

  constructor(authority: FleetAuthority, issued: IssuedIdentity) {
    this.#authority = authority
    this.issued = issued
  }

  tls() {
    return { key: this.issued.keyPem, cert: this.issued.certPem, ca: this.#authority.rootPem }
  }

  nowMs(): number {
    return Date.now() + this.clockShiftMs
  }

  judgeChain(chain: readonly X509Certificate[], atMs?: number): Verdict {
    return verifyChain(chain, { trust: this.#authority.trust(), nowMs: atMs ?? this.nowMs(), use: 'client' })
  }

  judge(socket: TLSSocket, from: { readonly route: Peer['route']; readonly address: string }): Peer | string {
    const leaf = socket.getPeerX509Certificate()
    const verdict = this.judgeChain(leaf === undefined ? [] : [leaf, this.#authority.issuing.certificate])
    if (!verdict.ok) return verdict.msg
    const { named } = verdict
    if (named.kind === 'node') return 'nodes may not look at nodes'
    const rights = named.kind === 'operator' ? named.rights : ({ role: 'viewer', permissions: [], sites: '*' } as const)
    return { kind: named.kind, name: named.name, rights, certificate: verdict.leaf, ...from }
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Whoever is connected is judged again. */
  changed(): void {
    for (const listener of this.#listeners) listener()
  }
}

/** A {@link LiveNode} behind mutual TLS, `plant-a/n1` unless it is said otherwise. */
export async function secureLiveNode(
  authority: FleetAuthority,
  {
    site = 'plant-a',
    name = 'n1',
    issued,
    ...options
  }: Partial<LiveServerOptions> & { site?: string; name?: string; issued?: IssuedIdentity } = {},
): Promise<{ readonly node: LiveNode; readonly identity: SecureIdentity }> {
  const identity = new SecureIdentity(authority, issued ?? (await authority.node(site, name)))
  const welcome = { name, site, version: '0.1.0', instance: 'i1', startedAt: 1 }
  const node = await new LiveNode({ identity, node: welcome, ...options }).start()
  return { node, identity }
}
