import { EdgeError } from '../../protocol/errors.ts'
import type { CameraCounts } from './camera.ts'
import type { DemoModel } from './model-offers.ts'
import type { LinkState } from './uplink.ts'

/** How a node of the demo stands, as the one who plays with it sees it. */
export interface DemoNode {
  readonly name: string
  readonly site: string
  /** Null while the daemon does not run. */
  readonly pid: number | null
  readonly stateDir: string
  /** Null before the daemon served for the first time. */
  readonly inferUrl: string | null
  readonly liveUrl: string | null
  /** The link to the cloud. */
  readonly uplink: LinkState
  /** Declared fault in force, ms added to every run of the model. */
  readonly slowMs: number
  /** Whether its camera sends unreadable pictures now. */
  readonly garbage: boolean
  readonly camera: CameraCounts | null
}

/** How the demo stands. */
export interface DemoState {
  readonly nodes: readonly DemoNode[]
  /** `starting` until it is known which cloud end there is. */
  readonly cloud: {
    readonly kind: 'nats' | 'http' | 'starting'
    readonly url: string | null
    readonly up: boolean
  }
  /** Of each camera. */
  readonly framesPerSec: number
  /** Models that can be rolled out, each to see something else. */
  readonly models: readonly DemoModel[]
  /** Strategy in seconds instead of minutes; null before the start. */
  readonly strategyFile: string | null
}

/**
 * What can be done to the demo; the console's demo keys and the lines of the headless demo both come here. Everything
 * throws EdgeError: `USAGE` for a node there is none of, else what went wrong. Doing twice what is done already is fine.
 */
export interface DemoControls {
  state(): DemoState
  /** SIGKILL, as a power cut. */
  kill(node: string): Promise<void>
  /** Start again on the same state directory and ports; resolves when it serves. */
  revive(node: string): Promise<void>
  /** Reset the link to the cloud and refuse new connections. */
  cut(node: string): Promise<void>
  /** Keep the link's connections and carry nothing. */
  silence(node: string): Promise<void>
  /** Let the link carry again. */
  restore(node: string): Promise<void>
  /** Add `ms` to every run of the model; 0 ends it. */
  slow(node: string, ms: number): Promise<void>
  /** Send unreadable pictures for 10 s, or stop sending them. */
  garbage(node: string): Promise<void>
  cloudDown(): Promise<void>
  cloudUp(): Promise<void>
  /** Frames a second and camera; 0 for none. */
  cameras(framesPerSec: number): Promise<void>
}

/** Most milliseconds that a model is slowed by. */
export const MAX_SLOW_MS = 60_000
/** Most frames a second and camera. */
export const MAX_FRAMES_PER_SEC = 60

type NodeVerb = 'kill' | 'revive' | 'cut' | 'silence' | 'restore' | 'garbage'

/** One line of the headless demo's standard input. */
export type DemoCommand =
  | { readonly verb: NodeVerb; readonly node: string }
  | { readonly verb: 'slow'; readonly node: string; readonly ms: number }
  | { readonly verb: 'cloud'; readonly up: boolean }
  | { readonly verb: 'cameras'; readonly framesPerSec: number }
  | { readonly verb: 'quit' }

/** Every command as it is typed. */
export const DEMO_COMMANDS = [
  'kill NODE',
  'revive NODE',
  'cut NODE',
  'silence NODE',
  'restore NODE',
  'slow NODE MS',
  'garbage NODE',
  'cloud down',
  'cloud up',
  'cameras N',
  'quit',
] as const

const NODE_VERBS: readonly string[] = ['kill', 'revive', 'cut', 'silence', 'restore', 'garbage'] satisfies NodeVerb[]

/**
 * Read one typed line.
 * @throws EdgeError `USAGE` that says what is wrong and which commands there are.
 */
export function parseDemoCommand(line: string): DemoCommand {
  const [verb = '', ...rest] = line.trim().split(/\s+/)
  const [first = '', second = ''] = rest
  if (NODE_VERBS.includes(verb) && rest.length === 1) return { verb: verb as NodeVerb, node: first }
  if (verb === 'slow' && rest.length === 2) {
    return { verb, node: first, ms: wholeNumber(second.replace(/ms$/, ''), MAX_SLOW_MS, 'milliseconds') }
  }
  if (verb === 'cloud' && rest.length === 1 && (first === 'down' || first === 'up')) return { verb, up: first === 'up' }
  if (verb === 'cameras' && rest.length === 1) {
    return { verb, framesPerSec: wholeNumber(first, MAX_FRAMES_PER_SEC, 'frames a second') }
  }
  if (verb === 'quit' && rest.length === 0) return { verb }
  const form = DEMO_COMMANDS.filter((command) => command.split(' ')[0] === verb)
  throw usage(form.length === 0 ? `"${verb}" is no command of the demo` : `write: ${form.join(' or ')}`)
}

/** Carry out a command other than `quit`. */
export function carryOut(command: Exclude<DemoCommand, { verb: 'quit' }>, controls: DemoControls): Promise<void> {
  switch (command.verb) {
    case 'slow':
      return controls.slow(command.node, command.ms)
    case 'cloud':
      return command.up ? controls.cloudUp() : controls.cloudDown()
    case 'cameras':
      return controls.cameras(command.framesPerSec)
    default:
      return controls[command.verb](command.node)
  }
}

function wholeNumber(text: string, max: number, unit: string): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN
  if (!(value <= max)) throw usage(`"${text}" is not a whole number of ${unit} from 0 to ${max}`)
  return value
}

function usage(message: string): EdgeError {
  return new EdgeError('USAGE', { message, next: [`the commands are: ${DEMO_COMMANDS.join(', ')}`] })
}
