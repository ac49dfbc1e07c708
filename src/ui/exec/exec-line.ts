import { EdgeError } from '../../../protocol/errors.ts'
import type { Rights } from '../../../protocol/rights.ts'
import { mayRunOn } from '../../shell/fan-out-rights.ts'
import type { Console } from '../console.ts'
import type { Overlay } from '../console-store.ts'

/** The line that a command for nodes is typed in. */
export type ExecLine = Extract<Overlay, { name: 'exec' }>

const MAX_WHY_CHARS = 200

/** Let the operator type a command for these nodes. */
export function openExecLine(console: Console, keys: readonly string[], text = ''): void {
  const { obstacle } = console.exec
  const why = obstacle ?? (keys.length === 0 ? 'there is no node here to run a command on' : null)
  if (why !== null) {
    console.toast(why)
    return
  }
  const views = console.view().nodes
  const siteOf = (key: string): string | null =>
    views.find((node) => node.key === key)?.site ?? console.parts.exec?.siteOf(key) ?? null
  const nodes = keys.map((key) => ({ key, site: siteOf(key) }))
  console.parts.store.set({ overlay: { name: 'exec', nodes, command: null, text, fault: null } })
}

/** Take what was typed: a command is run, in a production context once the number of nodes is typed too, and why. */
export function acceptExecLine(console: Console, line: ExecLine): void {
  const { store, production, standing } = console.parts
  const command = line.command ?? line.text
  const fault = faultIn(line, standing().rights)
  if (fault !== null) {
    store.set({ overlay: { ...line, fault } })
    return
  }
  if (line.command === null && production) {
    store.set({ overlay: { ...line, command, text: '', fault: null } })
    return
  }
  const why = line.command === null ? '' : whyIn(line.text)
  store.set({ overlay: null })
  store.setExec({ cursorId: null, scroll: 0, isWide: false })
  if (console.screen().name !== 'exec') store.open({ name: 'exec' })
  console.exec.start(line.nodes, command, why === '' ? null : why.slice(0, MAX_WHY_CHARS))
}

/** What stands behind the number of nodes. */
function whyIn(text: string): string {
  return text.trim().replace(/^\d+\s*/, '')
}

function faultIn({ command, text, nodes }: ExecLine, rights: Rights): string | null {
  if (command === null && text.trim() === '') return 'write a command, or esc'
  const count = String(nodes.length)
  if (command !== null && text.trim().split(/\s+/)[0] !== count) return `type ${count} to run it, or esc`
  if (command !== null && whyIn(text) === '') return `type why behind ${count}: it stands in the audit`
  try {
    mayRunOn(nodes, rights)
    return null
  } catch (error) {
    if (error instanceof EdgeError) return error.message
    throw error
  }
}

/** What stands before the line, and what behind it. */
export function execLineTexts({ nodes, command, fault }: ExecLine, context: string): { before: string; help: string } {
  const names = nodes.map(({ key }) => key).join(', ')
  if (command === null) {
    const whom = nodes.length === 1 ? names : `${nodes.length} nodes`
    const help = nodes.length === 1 ? 'enter runs it' : names
    return { before: ` run on ${whom}: `, help: fault ?? help }
  }
  const what = nodes.length === 1 ? names : `${nodes.length} nodes`
  return {
    before: ` PRODUCTION ${context}, ${what}: type ${nodes.length}, and why: `,
    help: fault ?? `runs ${command}`,
  }
}
