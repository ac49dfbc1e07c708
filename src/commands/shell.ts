import { EdgeError } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { NodeAddress } from '../config/node-address.ts'
import type { Standing } from '../identity/standing.ts'
import type { Prompter, RemotePlace, TerminalSize } from '../remote/contract.ts'
import { mayRunOn } from '../shell/fan-out-rights.ts'
import { openShell, type ShellDesk } from '../shell/open-shell.ts'
import type { BorrowedTerminal, SessionEnd } from '../shell/session.ts'
import type { CommandIo } from './output.ts'
import type { FindPlacesOf } from './remote-places.ts'

/** What `edgedeck shell` was asked. */
export interface ShellWanted {
  readonly node: NodeAddress
  readonly pod: string | null
  readonly container: string | null
  readonly why: string | null
}

/** What surrounds it: the terminal of this process, and whoever sits at it. */
export interface ShellPlace {
  readonly desk: ShellDesk
  readonly find: FindPlacesOf
  readonly standing: Standing
  /** The site that the node itself says; null when it does not answer. */
  readonly siteOf: () => Promise<string | null>
  readonly lend: <T>(work: (terminal: BorrowedTerminal) => Promise<T>) => Promise<T>
  readonly size: () => TerminalSize
  readonly term: string
  /** Asks a question on the terminal; what is secret is not shown. */
  readonly ask: (question: string, secret: boolean) => Promise<string>
}

/**
 * Open a shell on a node and let it have the terminal; resolves with how it ended.
 * @throws EdgeError `RIGHT_MISSING`, `SHELL_REFUSED`, of the connection, `RECORDING_FAILING`, `AUDIT_FAILING`
 */
export async function runShellCommand(
  { node, pod, container, why }: ShellWanted,
  place: ShellPlace,
  io: CommandIo,
): Promise<SessionEnd> {
  const { desk, find, standing } = place
  // Who may everywhere need not wait for a node that is down.
  const site = node.site ?? (standing.rights.sites === '*' ? null : await place.siteOf())
  mayRunOn([{ key: node.key, site }], standing.rights)
  const { places, faults } = await find(node, 'shell', io.signal)
  const chosen = choose(places, { pod, container })
  if (chosen === null) throw nowhere(node.key, pod, places, faults)
  const reason = desk.production ? await confirmed(node.key, chosen, place, why) : why
  io.stderr.write(`edgedeck: connecting to ${chosen.label} …\n`)
  const prompter = prompterOf(place, io)
  const { signal } = io
  const shell = await openShell(desk, {
    nodeKey: node.key,
    place: chosen,
    why: reason,
    term: place.term,
    size: place.size(),
    prompter,
    signal,
  })
  await place.lend((terminal) => shell.run(terminal))
  const { end, text, warnings } = await shell.finish()
  for (const line of [text, ...warnings]) io.stderr.write(`edgedeck: ${line}\n`)
  return end
}

/**
 * The place that was named; null when there is none. A pod without its namespace is that of its name on the node.
 * @throws EdgeError `POD_UNUSABLE` when several are meant: a shell in the wrong container does harm
 */
function choose(
  places: readonly RemotePlace[],
  { pod, container }: { readonly pod: string | null; readonly container: string | null },
): RemotePlace | null {
  if (pod === null) return places.find(({ how }) => how === 'ssh') ?? null
  const isOfPod = ({ how, label }: RemotePlace): boolean => {
    const name = label.slice(0, label.lastIndexOf(' ('))
    return how === 'pod' && (pod.includes('/') ? name : name.slice(name.indexOf('/') + 1)) === pod
  }
  const ofPod = places.filter(isOfPod)
  const meant = ofPod.filter(({ label, isAside }) =>
    container === null ? isAside !== true : label.endsWith(` (${container})`),
  )
  const [only] = meant
  if (meant.length <= 1) return only ?? null
  throw new EdgeError('POD_UNUSABLE', {
    message: `${untrusted(pod)} is several: ${meant.map(({ label }) => label).join(', ')}`,
    next: ['name one with --pod NAMESPACE/POD and -c CONTAINER'],
  })
}

function nowhere(
  key: string,
  pod: string | null,
  places: readonly RemotePlace[],
  faults: readonly string[],
): EdgeError {
  const pods = places.filter(({ how }) => how === 'pod').map(({ label }) => label)
  const there = pods.length === 0 ? [] : [`pods there: ${pods.slice(0, 20).join(', ')}`]
  return new EdgeError('SHELL_REFUSED', {
    message: `no ${pod === null ? 'way to a shell' : `container of ${untrusted(pod)}`} is known on ${untrusted(key)}`,
    next: [...faults, ...there],
  })
}

async function confirmed(
  key: string,
  { label }: RemotePlace,
  { desk, ask }: ShellPlace,
  why: string | null,
): Promise<string> {
  const shown = untrusted(key)
  const typed = await ask(
    `${desk.context} is a production context. Type the node's name for a shell on ${label}: `,
    false,
  )
  if (typed.trim() !== key) {
    throw new EdgeError('SHELL_REFUSED', { message: `not opened: "${shown}" was not typed`, next: ['try again'] })
  }
  const reason = (why ?? (await ask('Why? It stands in the audit: ', false))).trim()
  if (reason !== '') return reason.slice(0, 200)
  throw new EdgeError('SHELL_REFUSED', { message: 'not opened: there is no reason for it', next: ['give --why'] })
}

/** Questions on the terminal of this process; what the other side writes in them is made safe. */
function prompterOf({ ask }: ShellPlace, io: CommandIo): Prompter {
  const safe = (text: string): string => text.split(/\r?\n/).map(untrusted).join('\n')
  const asked = async (question: string, secret: boolean): Promise<string | null> => {
    try {
      return await ask(question, secret)
    } catch {
      return null
    }
  }
  return {
    ask: ({ text, secret }) => asked(`${safe(text).trimEnd()} `, secret),
    confirm: async (text) => (await asked(`${safe(text).trimEnd()}\nType yes or no: `, false))?.trim() === 'yes',
    tell: (text) => void io.stderr.write(`${safe(text).trimEnd()}\n`),
  }
}
