import { EdgeError } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'

/** What was asked of an API server, as its rules name it. */
export interface Asked {
  readonly verb: 'list' | 'get' | 'create'
  readonly resource: 'pods' | 'pods/exec' | 'pods/log'
  /** Null for all namespaces. */
  readonly namespace: string | null
  /** The pod, and the container where one is meant: `vision/camera-7 (app)`; null when it is about many. */
  readonly what: string | null
}

/** Who refuses: the kubeconfig's context, safe to show. */
export interface Refuser {
  readonly context: string
}

const MAX_TEXT = 300

/** The error that a refused request is, from the status and body that an API server answered. Quotes are made safe. */
export function refusal(status: number, body: string, asked: Asked, { context }: Refuser): EdgeError {
  const said = untrusted(messageIn(body)).slice(0, MAX_TEXT)
  const subject = asked.what ?? `pods${inNamespace(asked.namespace)}`
  if (status === 401) {
    return new EdgeError('KUBE_LOGIN_REFUSED', {
      message: `the API server of the Kubernetes context ${context} does not take our credentials`,
      next: [`log in to it again, then try kubectl --context ${context} auth whoami`],
    })
  }
  if (status === 403) return rightMissing(said, asked, context)
  if (status === 404) {
    return new EdgeError('POD_UNUSABLE', {
      message: `${subject}: ${said || 'there is no such pod'}`,
      next: ['list the pods of a node: edgedeck pods NODE'],
    })
  }
  if (status === 400) {
    return new EdgeError('POD_UNUSABLE', { message: `${subject}: ${said}`, next: ['name another container with -c'] })
  }
  return new EdgeError('KUBE_REFUSED', {
    message: `the API server of the Kubernetes context ${context} refused ${subject} (${status}): ${said}`,
    next: [`try kubectl --context ${context} get pods${flagOf(asked.namespace)}`],
  })
}

/** A refusal by the rules of the cluster: who lacks which verb on what, and how to look. */
function rightMissing(said: string, asked: Asked, context: string): EdgeError {
  // The server knows better than we what it looked for: a WebSocket is opened by GET and may need "create".
  const told = /User "([^"]*)" cannot (\w+) resource "([^"]+)"/.exec(said)
  const who = told?.[1] ?? `the user of the Kubernetes context ${context}`
  const verb = told?.[2] ?? asked.verb
  const resource = told?.[3] ?? asked.resource
  return new EdgeError('RIGHT_MISSING', {
    message: `${who} may not ${verb} ${resource}${inNamespace(asked.namespace)}`,
    next: [
      `look with kubectl --context ${context} auth can-i ${verb} ${resource}${flagOf(asked.namespace)}`,
      resource === 'pods/exec'
        ? 'ask who runs the cluster for a role with "get" and "create" on pods/exec: it is opened by a WebSocket, which wants both'
        : 'ask who runs the cluster for a role that has it',
    ],
  })
}

function inNamespace(namespace: string | null): string {
  return namespace === null ? ' in all namespaces' : ` in namespace ${namespace}`
}

function flagOf(namespace: string | null): string {
  return namespace === null ? ' -A' : ` -n ${namespace}`
}

/** The message of a `Status`; what is none is quoted as it is. */
function messageIn(body: string): string {
  try {
    const status: unknown = JSON.parse(body)
    if (typeof status === 'object' && status !== null && 'message' in status) return String(status.message)
  } catch {
    // A proxy answers in words of its own.
  }
  return body.trim()
}
