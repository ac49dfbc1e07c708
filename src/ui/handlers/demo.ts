import { EdgeError, messageOf } from '../../../protocol/errors.ts'
import type { ActionHandlers } from '../../actions/run.ts'
import type { Console } from '../console.ts'
import type { DemoPanelNode } from '../demo-panel.ts'

/** What the model of a slowed demo node takes longer, ms: well over the 50 ms line. */
const SLOW_MS = 120

/** What the demo's keys do to the node under the cursor; what goes wrong is told as a notice. */
export function demoHandlers(console: Console): ActionHandlers {
  const { demo, store } = console.parts
  if (demo === null) return {}
  const onNode = (work: (node: DemoPanelNode) => [Promise<void>, string]) => (): void => {
    const key = console.currentKey()
    const node = demo.state().nodes.find((candidate) => candidate.name === key)
    if (!node) return
    const [done, told] = work(node)
    done.then(
      () => console.toast(`${node.name}: ${told}`),
      (error: unknown) => store.notify(error instanceof EdgeError ? error.toLine() : messageOf(error)),
    )
  }
  return {
    'demo.cut': onNode((node) =>
      node.uplink === 'up' ? [demo.cut(node.name), 'uplink cut'] : [demo.restore(node.name), 'uplink restored'],
    ),
    'demo.kill': onNode((node) =>
      node.pid === null ? [demo.revive(node.name), 'revived'] : [demo.kill(node.name), 'killed with SIGKILL'],
    ),
    'demo.slow': onNode((node) =>
      node.slowMs === 0
        ? [demo.slow(node.name, SLOW_MS), `model slowed by ${SLOW_MS} ms`]
        : [demo.slow(node.name, 0), 'model as quick as before'],
    ),
    'demo.garbage': onNode((node) => [
      demo.garbage(node.name),
      node.garbage ? 'sends readable pictures again' : 'sends unreadable pictures for 10 s',
    ]),
  }
}
