import { EdgeError } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { NamedContext } from '../config/context.ts'
import type { NodeAddress } from '../config/node-address.ts'
import { type Finding, FindingsOf } from '../doctor/finding.ts'
import { NOBODY_TO_ASK } from '../remote/contract.ts'
import type { SshAddresses } from '../ssh/addresses.ts'
import type { connectSsh } from '../ssh/connect.ts'

/** The nodes whose SSH is tried. */
export interface SshQuestion {
  readonly context: NamedContext
  readonly configFile: string
  readonly nodes: readonly NodeAddress[]
  /** The longest time that a server may be silent, ms. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

const PARALLEL = 10

/**
 * Try SSH on the nodes for which it is written down: reach each, see its key, log in, and part. Nobody is asked anything, and
 * nothing is run.
 */
export async function checkSsh(question: SshQuestion): Promise<readonly Finding[]> {
  const { context, configFile, nodes } = question
  const found: Finding[] = []
  const waiting = nodes.filter(({ ssh, url }) => ssh !== undefined || (context.ssh?.host != null && url === null))
  if (waiting.length === 0) return found
  const [{ SshAddresses }, { connectSsh }] = await Promise.all([
    import('../ssh/addresses.ts'),
    import('../ssh/connect.ts'),
  ])
  const means = { addresses: new SshAddresses({ context, configFile }), connectSsh }
  const work = async (): Promise<void> => {
    for (let node = waiting.shift(); node !== undefined; node = waiting.shift()) {
      found.push(...(await tryNode(node, means, question)))
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, work))
  return found
}

interface Means {
  readonly addresses: SshAddresses
  readonly connectSsh: typeof connectSsh
}

async function tryNode(
  node: NodeAddress,
  { addresses, connectSsh }: Means,
  { timeoutMs, signal }: SshQuestion,
): Promise<readonly Finding[]> {
  const say = new FindingsOf('node', untrusted(node.key))
  try {
    const target = addresses.targetOf(node)
    for (const note of target.notes) say.note('ssh.config', note)
    const answerTimeoutMs = Math.min(timeoutMs, target.answerTimeoutMs)
    const host = await connectSsh({ ...target, answerTimeoutMs }, { prompter: NOBODY_TO_ASK, signal })
    say.ok('ssh', `SSH lets ${host.label} in${target.via === null ? '' : ` through ${target.via.label}`}`)
    await host.close()
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error
    const cure = error.next.join('; ')
    // A shell asks about a server that is not known, and for a password.
    if (error.code === 'SSH_HOST_KEY_UNKNOWN') say.note('ssh', error.message, cure)
    else if (error.code === 'SSH_LOGIN_REFUSED') say.warning('ssh', error.message, cure)
    else say.fault('ssh', error.message, cure)
  }
  return say.all
}
