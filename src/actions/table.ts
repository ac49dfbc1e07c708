import { missingRight, type Rights, type Role, VERBS, type Verb } from '../../protocol/rights.ts'

/** Where the operator is; a key means what the innermost context says, then what `global` says. */
export const CONTEXTS = [
  'global',
  'fleet',
  'node',
  'logs',
  'results',
  'exec',
  'picture',
  'rollouts',
  'rollout',
  'dialog',
  'demo',
] as const
/** One of {@link CONTEXTS}. `demo` is active beside the screen's own context while a demo fleet runs. */
export type ActionContextName = (typeof CONTEXTS)[number]

/** What can go wrong: nothing, something that comes back by itself, or something that must be confirmed. */
export type Danger = 'none' | 'disturbing' | 'destructive'

/** What the operator can do: one entry feeds keys, hints, help, palette, key documentation and the role check. */
interface ActionFacts {
  readonly title: string
  readonly description: string
  readonly contexts: readonly ActionContextName[]
  /** What it takes on this console. */
  readonly role: Role
  /** What it asks of a node, which checks the right to it again; absent where nodes are asked nothing but to be looked at. */
  readonly verb?: Verb
  readonly danger: Danger
  /** Whether the bottom line of a screen mentions it, the lower the earlier; null leaves it to help and palette. */
  readonly hint: number | null
}

const everywhere = ['global'] as const
const lists = ['fleet', 'node', 'logs', 'results'] as const
/** Where a cursor moves. */
const moved = [...lists, 'exec', 'rollouts', 'rollout'] as const
/** Where a past time can be looked at. */
const replayed = ['fleet', 'node', 'logs', 'results'] as const

function look(title: string, description: string, contexts: readonly ActionContextName[], hint: number | null = null) {
  return { title, description, contexts, role: 'viewer', danger: 'none', hint } as const satisfies ActionFacts
}

/** What is decided about the rollout that is open; each asks once more before it is done. */
function decided(title: string, description: string) {
  return {
    title,
    description,
    contexts: ['rollout'],
    role: 'operator',
    danger: 'disturbing',
    // The head of its screen says which of them are possible now.
    hint: null,
  } as const satisfies ActionFacts
}

function demo(title: string, description: string, danger: Danger, hint: number, verb?: Verb) {
  const facts = { title, description, contexts: ['demo'], role: 'operator', danger, hint } as const
  return (verb === undefined ? facts : { ...facts, verb }) satisfies ActionFacts
}

/** The one table of actions. Their default keys are in `keymaps/default.yaml`. */
export const ACTIONS = {
  'nav.down': look('Down', 'Move the cursor to the next row; on a node, go to the next node.', moved),
  'nav.up': look('Up', 'Move the cursor to the row before; on a node, go to the one before.', moved),
  'nav.top': look('Top', 'Go to the first row.', moved),
  'nav.bottom': look('Bottom', 'Go to the last row; in logs, follow again.', moved),
  'nav.pageDown': look('Half page down', 'Move half a page down; on a node, scroll its facts.', moved),
  'nav.pageUp': look('Half page up', 'Move half a page up; on a node, scroll its facts.', moved),
  'nav.enter': look(
    'Open',
    'Open the node, the picture, the rollout, or the output alone.',
    ['fleet', 'logs', 'results', 'exec', 'rollouts', 'rollout'],
    10,
  ),
  'nav.back': look('Back', 'Close the dialog, clear the filter, or go back one screen.', everywhere, 80),
  'nav.last': look('Last view', 'Go to the view that was shown before.', everywhere),
  'app.palette': look('Commands', 'Find and run any action by its name.', everywhere, 60),
  'app.filter': look(
    'Filter',
    'Show only rows that match; enter keeps the filter, esc clears it.',
    ['fleet', 'rollout'],
    30,
  ),
  'app.help': look('Help', 'Show every key of this screen.', everywhere, 70),
  'app.quit': look('Quit', 'Leave the console.', everywhere, 90),
  'app.interrupt': look('Interrupt', 'Leave the console at once.', everywhere),
  'app.redraw': look('Redraw', 'Paint the whole screen again.', everywhere),
  'node.mark': look('Mark', 'Mark or unmark the node; logs show the marked nodes.', ['fleet'], 20),
  'logs.open': look(
    'Logs',
    'Follow the logs of the marked nodes, or of the one under the cursor.',
    ['fleet', 'node'],
    15,
  ),
  'logs.container': look('Container log', 'Follow what a container on the node writes, through Kubernetes.', [
    'fleet',
    'node',
    'logs',
  ]),
  'exec.open': {
    title: 'Run command',
    description: 'Run a command on the marked nodes, or on this one; it is recorded.',
    contexts: ['fleet', 'node', 'exec'],
    role: 'operator',
    verb: 'shell.begin',
    danger: 'disturbing',
    hint: 17,
  },
  'exec.show': look('Commands run', 'Show the command that runs on nodes, or the last one.', ['fleet', 'node']),
  'exec.stop': look('Stop', 'Ask the programs to stop; again, break off.', ['exec'], 20),
  'shell.open': {
    title: 'Shell',
    description: 'Open a recorded shell on the node, over SSH or in a pod on it.',
    contexts: ['fleet', 'node', 'logs', 'results', 'exec'],
    role: 'operator',
    verb: 'shell.begin',
    // Nothing happens by it yet, and in a past that is looked at it helps most: the shell is in the present.
    danger: 'none',
    hint: 16,
  },
  'rollout.open': {
    title: 'Roll out',
    description: 'Bring a model to the marked nodes, to those of the filter, or to this one: the plan comes first.',
    contexts: ['fleet', 'node'],
    role: 'operator',
    danger: 'disturbing',
    hint: 18,
  },
  'rollout.list': look(
    'Rollouts',
    'List the rollouts that run and those of the past.',
    ['fleet', 'node', 'rollout'],
    19,
  ),
  'rollout.focus': look(
    'Next list',
    'Go to the next list of the rollout: nodes, decisions, gates, set aside.',
    ['rollout'],
    11,
  ),
  'rollout.approve': decided('Approve', 'Let the wave after this one begin.'),
  'rollout.pause': decided('Pause', 'Begin no new step; nodes on probation go on being watched.'),
  'rollout.resume': decided('Resume', 'Go on where it was paused.'),
  'rollout.promote': decided('Promote', 'Pass the rest of the watch over this wave, and what is not sure.'),
  'rollout.abort': decided('Abort', 'Stop it, and take back what it changed.'),
  'rollout.undo': decided('Undo', 'Plan a rollout that brings back what each node had before this one.'),
  'rollout.drive': decided('Drive', 'Go on from this console with a rollout that nobody drives.'),
  'view.sort': look('Sort', 'Sort the rows by the next column.', ['fleet'], 40),
  'view.pause': look('Pause', 'Hold the picture still, or let it run again.', lists, 50),
  'results.open': look(
    'Results',
    'List the results of the node, its abnormal ones first of all.',
    ['fleet', 'node'],
    52,
  ),
  'results.abnormal': look('Abnormal only', 'Show only abnormal results, or all of them.', ['results'], 20),
  'picture.save': look('Save', 'Save the picture as the device sent it; no file is written over.', ['picture'], 20),
  'logs.search': look('Search', 'Mark what matches a pattern (RE2); other lines stay.', ['logs'], 21),
  'logs.filter': look('Filter', 'Let nodes send only what matches; source: and field: too.', ['logs'], 22),
  'logs.level': look('Level', 'Show this level and above; each press goes one level on.', ['logs'], 20),
  'logs.follow': look('Follow', 'Stay at the newest line, or stay where you are.', ['logs'], 25),
  'logs.nextError': look('Next error', 'Go to the next error of these nodes, beyond what is held too.', ['logs'], 23),
  'logs.previousError': look('Error before', 'Go to the error before, also in what the nodes keep.', ['logs']),
  'search.next': look('Next match', 'Go to the next line that matches.', ['logs']),
  'search.previous': look('Previous match', 'Go to the match before, also in what the nodes keep.', ['logs']),
  'logs.unfold': look('Unfold', 'Show every field of the line below it, or fold them again.', ['logs'], 30),
  'logs.unfoldAll': look('Unfold all', 'Show the fields of all lines, or fold them again.', ['logs']),
  'logs.context': look('Context', 'Show 3, then 10 lines around this one as its node wrote them.', ['logs'], 31),
  'logs.wrap': look('Wrap', 'Wrap long lines, or cut them at the edge.', ['logs'], 42),
  'logs.timestamps': look('Timestamps', 'Local time, UTC, how long ago, or none.', ['logs'], 44),
  'logs.allNodes': look('All nodes', 'Show the logs of all nodes, or of the node of the line.', ['logs'], 46),
  'logs.source': look('This source', 'Show only lines of the source of this line, or of all again.', ['logs']),
  'logs.mark': look('Mark line', 'Mark the line to come back to it, or to copy from there.', ['logs']),
  'logs.toMark': look('To the mark', 'Go back to the marked line.', ['logs']),
  'logs.copy': look('Copy line', 'Copy the line to the clipboard of your terminal.', ['logs'], 40),
  'logs.copyShown': look('Copy lines', 'Copy from the mark to the cursor, or all lines in sight.', ['logs']),
  'logs.save': look('Save', 'Save the lines to a file: the chosen range, or what is held.', ['logs'], 41),
  'logs.earlierBar': look('Bar before', 'Go to the histogram bar before with errors or warnings.', ['logs']),
  'logs.laterBar': look('Bar after', 'Go to the next histogram bar with errors or warnings.', ['logs']),
  'logs.sinceAll': look('All kept', 'Show all that the nodes keep.', ['logs']),
  'logs.since1m': look('Last minute', 'Show the last minute.', ['logs']),
  'logs.since5m': look('Last 5 minutes', 'Show the last 5 minutes.', ['logs']),
  'logs.since15m': look('Last 15 minutes', 'Show the last 15 minutes.', ['logs']),
  'logs.since1h': look('Last hour', 'Show the last hour.', ['logs']),
  'logs.since1d': look('Last day', 'Show the last day.', ['logs']),
  'logs.since7d': look('Last 7 days', 'Show the last 7 days.', ['logs']),
  'replay.play': look('Play / hold', 'Play the past from here on, or hold it still.', replayed, 56),
  'replay.back10': look('Back 10 s', 'Look at the fleet ten seconds earlier.', replayed, 55),
  'replay.forward10': look('Forward 10 s', 'Look ten seconds later; at the end it is live again.', replayed),
  'replay.back60': look('Back 1 min', 'Look at the fleet a minute earlier.', replayed),
  'replay.forward60': look('Forward 1 min', 'Look a minute later; at the end it is live again.', replayed),
  'replay.earlierAlert': look('Alert before', 'Go back to when the last alert before this time began.', replayed),
  'replay.laterAlert': look('Alert after', 'Go on to when the next alert after this time began.', replayed),
  'replay.goTo': look('Go to time', 'Type a time: 10:32, -4m, 2026-11-25 10:32; in logs a range too.', replayed, 57),
  'replay.faster': look('Faster', 'Play the past up to 60 times as fast as it was.', replayed),
  'replay.slower': look('Slower', 'Play the past less fast, down to as fast as it was.', replayed),
  'replay.zoom': look('Zoom time', 'Let the time bar show 5 minutes, an hour or a day.', replayed, 58),
  'replay.live': look('Back to live', 'Leave the past and look at the fleet as it is now.', replayed, 54),
  'dialog.accept': look('Yes', 'Do what the dialog asks about.', ['dialog'], 10),
  'dialog.refuse': look('No', 'Close the dialog and do nothing.', ['dialog'], 11),
  'demo.cut': demo(
    'Cut / restore uplink',
    'Cut the uplink of the node under the cursor, or restore it.',
    'disturbing',
    51,
  ),
  'demo.kill': demo(
    'Kill / revive node',
    'Kill the demo node under the cursor with SIGKILL, or start it again.',
    'disturbing',
    52,
  ),
  'demo.slow': demo(
    'Slow / heal model',
    'Make the model of the node under the cursor slow, or as quick as before.',
    'disturbing',
    53,
    'fault.slow',
  ),
  'demo.garbage': demo('Send garbage', 'Send unreadable pictures to the node under the cursor.', 'disturbing', 54),
} as const satisfies Record<string, ActionFacts>

/** Stable name of an action; key maps and scripts use it. */
export type ActionId = keyof typeof ACTIONS
/** Every action, in the order of the table. */
export const ACTION_IDS = Object.keys(ACTIONS) as readonly ActionId[]

/** One action with its id. */
export interface Action extends ActionFacts {
  readonly id: ActionId
}

/** An action by its id. */
export function actionOf(id: ActionId): Action {
  return { id, ...ACTIONS[id] }
}

/** Whether a text names an action. */
export function isActionId(text: string): text is ActionId {
  return Object.hasOwn(ACTIONS, text)
}

/** What somebody may do, and the site of the node that an action is for; null when it is for none. */
export interface ActingFor {
  readonly rights: Rights
  readonly site: string | null
}

/** The first right that an action lacks, as a phrase for messages ("the role operator"); null when it may run. */
export function missingFor(action: Action, { rights, site }: ActingFor): string | null {
  const anywhere = { ...rights, sites: '*' } as const
  const missing = missingRight(anywhere, { role: action.role, changes: false }, '')
  if (missing !== null || action.verb === undefined) return missing
  return site === null ? missingRight(anywhere, VERBS[action.verb], '') : missingRight(rights, VERBS[action.verb], site)
}
