import { z } from 'zod'

/** How the pods of a context's nodes are reached through Kubernetes. */
export interface KubeAccess {
  /** A kubeconfig; absolute, from `~/`, or beside ours. Null for what `KUBECONFIG` names, `~/.kube/config`, or the pod we run in. */
  readonly config: string | null
  /** Context of the kubeconfig; null for its current one. */
  readonly context: string | null
  /** Look at pods of this namespace alone; null for all that may be seen. */
  readonly namespace: string | null
}

/** What may stand in the section. */
export const KUBE_KEYS = ['config', 'context', 'namespace'] as const

const DNS_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/

/** Whether Kubernetes could know a node, pod or namespace by this name. */
export function isKubeName(text: string): boolean {
  return DNS_NAME.test(text)
}

const kubeName = z.string().refine(isKubeName, {
  error: 'expected a name as Kubernetes has them: small letters, digits, "-" and "."',
})

/** The section `kube` of a context. */
export const kubeAccess = z.strictObject({
  config: z.string().min(1).nullable().default(null),
  context: z.string().min(1).nullable().default(null),
  namespace: kubeName.nullable().default(null),
})

/** The entry `kubeNode` of a node. */
export const kubeNode = kubeName
