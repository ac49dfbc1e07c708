/** Nodes of a fleet in a process of their own: live servers with certificates, each on the bus by its own connection. */
import { FleetAuthority } from '../../test/support/fleet-authority.ts'
import { logBody } from '../../test/support/live-node.ts'
import { ReachNode } from '../../test/support/reach-node.ts'

/** What the parent may ask. */
export type Question = 'bytes' | 'stop'
/** What it is told. */
export type Answer =
  | { readonly kind: 'ready'; readonly identityDir: string; readonly nodes: readonly { key: string; url: string }[] }
  | { readonly kind: 'bytes'; readonly direct: number; readonly nats: number; readonly cpuMs: number }

const KEPT_LINES = 5000

const [natsUrl = '', count = '1'] = process.argv.slice(2)
const say = (answer: Answer): void => void process.send?.(answer)
const authority = await FleetAuthority.create()
const nodes: ReachNode[] = []
for (let n = 1; n <= Number(count); n += 1) {
  const name = `n${n}`
  nodes.push(await ReachNode.start(authority, natsUrl, { name, live: { intervalMs: 1000 }, random: Math.random }))
}
for (let i = 0; i < KEPT_LINES; i += 1) nodes[0]?.node.keep('logs', logBody(`${i} ${'x'.repeat(180)}`))
const mia = await authority.operator('mia')
process.on('message', async (question: Question) => {
  if (question === 'bytes') {
    const { user, system } = process.cpuUsage()
    const sum = (of: (node: ReachNode) => number): number => nodes.reduce((total, node) => total + of(node), 0)
    say({
      kind: 'bytes',
      direct: sum(({ node }) => node.server.sentBytes()),
      nats: sum(({ reach }) => reach.sentBytes()),
      cpuMs: (user + system) / 1000,
    })
    return
  }
  await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()))
  authority[Symbol.dispose]()
  process.exit(0)
})
process.on('disconnect', () => process.exit(0))
say({ kind: 'ready', identityDir: mia.dir, nodes: nodes.map(({ node }, at) => ({ key: `n${at + 1}`, url: node.url })) })
