import { z } from 'zod'
import { EdgeError } from '../../protocol/errors.ts'
import { type CloudAddress, DEFAULT_STREAM, readCloud } from './cloud-address.ts'
import { type KubeAccess, kubeAccess, kubeNode } from './kube-access.ts'
import { isExposed, type NodeAddress, readAddress } from './node-address.ts'
import { type SshAccess, sshAccess } from './ssh-access.ts'
import { readSshDestination } from './ssh-destination.ts'

/** Name of the context that stands at the top of the file and not under `contexts`. */
export const DEFAULT_CONTEXT = 'default'

/** How a fleet is reached through the bus. */
export interface NatsAccess {
  /** `tls://hub:4222`, tried in turn. */
  readonly servers: readonly string[]
  /** A `.creds` file, absolute or beside the configuration; null for the one of this context's identity. */
  readonly credentials: string | null
  /** PEM of who signed the servers' certificates, absolute or beside the configuration; null for the fleet's roots. */
  readonly ca: string | null
}

/** One fleet as an operator knows it. */
export interface FleetContext {
  readonly nodes: readonly NodeAddress[]
  /** Where the fleet's records are held, a region each. */
  readonly clouds: readonly CloudAddress[]
  /** Null where nodes are only reached directly. */
  readonly nats: NatsAccess | null
  /** `https://host:5444` of its controller; null where there is none. */
  readonly controller: string | null
  /** How its nodes are reached over SSH where they do not say so themselves; null = as OpenSSH's files say. */
  readonly ssh: SshAccess | null
  /** How the pods on its nodes are reached; null where they are not Kubernetes' nodes, or not to be looked at so. */
  readonly kube: KubeAccess | null
  /** Shown, so that nobody takes it for a fleet to try things on. */
  readonly production: boolean
  /** Take plain connections off this machine; shown wherever it is used. */
  readonly insecure: boolean
}

/** A context by its name. */
export interface NamedContext extends FleetContext {
  readonly name: string
}

const sshDestination = z.string().superRefine((text, context) => {
  const read = readSshDestination(text)
  if (typeof read === 'string') context.addIssue({ code: 'custom', message: read })
})

const node = z
  .strictObject({
    name: z.string(),
    url: z.string().nullable().default(null),
    site: z.string().optional(),
    ssh: sshDestination.optional(),
    kubeNode: kubeNode.optional(),
  })
  .transform(({ name, url, site, ssh, kubeNode: inKubernetes }, context): NodeAddress => {
    const read = readAddress(name, url, site)
    if (typeof read !== 'string') {
      const overSsh = ssh === undefined ? {} : { ssh }
      return { ...read, ...overSsh, ...(inKubernetes === undefined ? {} : { kubeNode: inKubernetes }) }
    }
    context.addIssue({ code: 'custom', message: read, path: [/^the (name|site)/.exec(read)?.[1] ?? 'url'] })
    return z.NEVER
  })

const cloud = z
  .strictObject({ name: z.string(), servers: z.array(z.string()), stream: z.string().default(DEFAULT_STREAM) })
  .transform((value, context): CloudAddress => {
    const read = readCloud(value)
    if (typeof read !== 'string') return read
    context.addIssue({ code: 'custom', message: read, path: [/^the (name|stream)/.exec(read)?.[1] ?? 'servers'] })
    return z.NEVER
  })

const nats = z
  .strictObject({
    servers: z.array(z.string()),
    credentials: z.string().min(1).nullable().default(null),
    ca: z.string().min(1).nullable().default(null),
  })
  .superRefine(({ servers }, context) => {
    const read = readCloud({ name: 'nats', servers, stream: DEFAULT_STREAM })
    if (typeof read === 'string') context.addIssue({ code: 'custom', message: read, path: ['servers'] })
  })

const controller = z.string().refine((text) => isOrigin(text), {
  error: 'expected an address such as "https://controller.example:5444"',
})

const yesOrNo = z.boolean({ error: 'expected true or false' })

/** What stands in a context: under its name, and at the top of the file for {@link DEFAULT_CONTEXT}. */
export const CONTEXT_SHAPE = {
  nodes: z
    .array(node, { error: 'expected a list of nodes, each "- name: NAME" with "url: wss://host:5443/live"' })
    .default([])
    .superRefine((nodes, context) => {
      for (const { index, name } of repeated(nodes.map(({ key }) => key))) {
        context.addIssue({ code: 'custom', path: [index, 'name'], message: `"${name}" is listed twice; rename one` })
      }
    }),
  clouds: z
    .array(cloud, { error: 'expected a list of regions, each "- name: NAME" with "servers: [nats://host:4222]"' })
    .default([])
    .superRefine((clouds, context) => {
      for (const { index, name } of repeated(clouds.map((region) => region.name))) {
        context.addIssue({ code: 'custom', path: [index, 'name'], message: `"${name}" is listed twice; rename one` })
      }
    }),
  nats: nats.nullable().default(null),
  controller: controller.nullable().default(null),
  ssh: sshAccess.nullable().default(null),
  kube: kubeAccess.nullable().default(null),
  production: yesOrNo.default(false),
  insecure: yesOrNo.default(false),
} as const

/** Add an issue for each node of a context that would be spoken to in plain over a network, or cannot be reached. */
export function refuseExposed(
  { nodes, nats, insecure }: Pick<FleetContext, 'nodes' | 'nats' | 'insecure'>,
  context: z.RefinementCtx,
): void {
  nodes.forEach((address, index) => {
    if (address.url === null && nats === null) {
      context.addIssue({ code: 'custom', path: ['nodes', index], message: UNREACHABLE })
    }
    if (!insecure && isExposed(address))
      context.addIssue({ code: 'custom', path: ['nodes', index, 'url'], message: EXPOSED })
  })
}

const UNREACHABLE = 'a node without "url" is reached through the bus: give its address, or "nats:" beside the nodes'
const EXPOSED = 'plain ws:// is taken on this machine only; write wss://, or "insecure: true" beside the nodes'

/**
 * Refuse nodes of the command line that would be spoken to in plain over a network.
 * @throws EdgeError `USAGE`
 */
export function mustNotBeExposed(nodes: readonly NodeAddress[], { insecure }: Pick<FleetContext, 'insecure'>): void {
  const exposed = insecure ? undefined : nodes.find(isExposed)
  if (exposed === undefined) return
  throw new EdgeError('USAGE', {
    message: `${exposed.key}: plain ws:// is taken on this machine only`,
    next: ['write wss://', 'or set "insecure: true" in the configuration, which is then shown on the screen'],
  })
}

/** Indices of names that came before. */
function repeated(names: readonly string[]): { readonly index: number; readonly name: string }[] {
  return names.flatMap((name, index) => (names.indexOf(name) === index ? [] : [{ index, name }]))
}

function isOrigin(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && url.protocol === 'https:' && url.pathname === '/' && url.search === '' && url.username === ''
}
