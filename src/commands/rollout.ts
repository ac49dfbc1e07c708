import type { Item, Source } from '../../protocol/change.ts'
import { EdgeError } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { NodeSelection } from '../fleet/node-selection.ts'
import type { Plan } from '../rollout/contract.ts'
import type { RolloutService, RolloutWish } from '../rollout/service.ts'
import { adjustStrategy, DEFAULT_STRATEGY, parseStrategy } from '../rollout/strategy.ts'
import { brief, type SelectedNodes } from './exec-selection.ts'
import { type CommandIo, type PrintedColumn, printTable } from './output.ts'
import { confirmRollout, type RolloutQuestion } from './rollout-confirm.ts'
import { followRollout } from './rollout-follow.ts'
import { planAsJson, type RolloutCourse, type RolloutNow, rolloutAsJson, rolloutNow } from './rollout-now.ts'
import { itemText, nodesText, planText } from './rollout-plan.ts'
import { courseText, explainText, headText, statusText } from './rollout-status.ts'
import type { RolloutTask } from './rollout-wish.ts'
import { safeJson } from './safe-json.ts'

/** What surrounds the commands of rollouts. */
export interface RolloutSurroundings {
  readonly service: RolloutService
  readonly context: string
  readonly production: boolean
  /** Asks on the terminal; null where there is none. */
  readonly ask: RolloutQuestion['ask']
  /** Whom a selection holds, once the nodes have said how they are. @throws EdgeError `USAGE` */
  select(selection: NodeSelection): Promise<SelectedNodes>
  /** What a package's name stands for, and where nodes fetch it. @throws EdgeError */
  find(name: string, from: readonly string[]): Promise<{ readonly item: Item; readonly sources: readonly Source[] }>
  /** Whether starting this brings the package from here to where nodes fetch it, first. */
  brings(plan: Plan): boolean
  readText(file: string): string
  nowMs(): number
}

/** How a command of rollouts went: that of the rollout, or `told` for one that was only asked or decided about. */
export type RolloutOutcome = RolloutCourse | 'told'

type Of<T extends RolloutTask['task']> = Extract<RolloutTask, { readonly task: T }>

/** Do what was asked of rollouts. @throws EdgeError as the service does, and `USAGE` */
export async function runRollout(
  task: RolloutTask,
  place: RolloutSurroundings,
  io: CommandIo,
): Promise<RolloutOutcome> {
  switch (task.task) {
    case 'start':
      return begin(task, await wishOf(task, place, io), place, io)
    case 'undo':
      return begin(task, undoOf(await current(task.id, place)), place, io)
    case 'list':
      return list(task, place, io)
    case 'status':
      return status(task, place, io)
    case 'explain':
      return explain(task, place, io)
    case 'decide':
      return decide(task, place, io)
    case 'drive': {
      const { state } = await current(task.id, place)
      return followed({ ...task, id: state.id, drive: true }, place, io)
    }
  }
}

async function wishOf(task: Of<'start'>, place: RolloutSurroundings, io: CommandIo): Promise<RolloutWish> {
  const { strategyFile, settings } = task
  const written = strategyFile === null ? DEFAULT_STRATEGY : parseStrategy(place.readText(strategyFile), strategyFile)
  const strategy = Object.keys(settings).length === 0 ? written : adjustStrategy(written, nested(written, settings))
  const { item, sources } = await place.find(task.package, task.from)
  const { nodes, silent } = await place.select(task.selection)
  if (silent.length > 0) {
    io.stderr.write(`edgedeck: ${nodesText(silent.length)} did not answer: ${untrusted(brief(silent))}\n`)
  }
  return { target: 'daemon', item, sources, nodes: nodes.map(({ key }) => key), strategy, undoes: null }
}

/** `gates.maxSlowPct` sets one key of `gates` and leaves the others. */
function nested(base: object, settings: Of<'start'>['settings']): Record<string, unknown> {
  const knobs: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(settings)) {
    const [key = '', inner] = name.split('.')
    if (inner === undefined) knobs[key] = value
    else knobs[key] = { ...((knobs[key] ?? (base as Record<string, unknown>)[key] ?? {}) as object), [inner]: value }
  }
  return knobs
}

/** All that a rollout was to change; who never got it is found out by the plan. */
function undoOf({ state }: RolloutNow): RolloutWish {
  const { plan, id } = state
  const { target, item, sources, strategy } = plan
  return { target, item, sources, strategy, nodes: [...state.nodes.keys()], undoes: id }
}

async function begin(
  task: Of<'start'> | Of<'undo'>,
  wish: RolloutWish,
  place: RolloutSurroundings,
  io: CommandIo,
): Promise<RolloutOutcome> {
  const { service, context, ask } = place
  const plan = service.plan(wish)
  if (task.planOnly) {
    io.stdout.write(task.format === 'table' ? planText(plan, place.brings(plan)) : `${safeJson(planAsJson(plan))}\n`)
    return 'told'
  }
  const count = changed(plan)
  if (count === 0) throw nothingToDo(plan)
  io.stderr.write(planText(plan, place.brings(plan)))
  const what = plan.undoes === null ? `bring ${itemText(plan)} to` : `take ${plan.undoes} back on`
  const question = { context, ask, why: task.why, what: `${what} ${nodesText(count)}` }
  const type = { text: String(count), called: 'the number of nodes' }
  const why = place.production && !task.yes ? await confirmRollout({ ...question, type }) : task.why
  await service.start(plan, why)
  if (!task.detach) return followed({ ...task, id: plan.rollout, drive: true }, place, io)
  if (task.format !== 'table') io.stdout.write(`${safeJson({ id: plan.rollout })}\n`)
  else
    io.stdout.write(
      `${plan.rollout} stands in the journal; edgedeck rollout status ${plan.rollout} --wait follows it\n`,
    )
  return 'told'
}

function changed(plan: Plan): number {
  return plan.waves.reduce((sum, { nodes }) => sum + nodes.length, plan.deferred.length)
}

function nothingToDo({ unchanged, leftOut }: Plan): EdgeError {
  const has = unchanged.length === 0 ? [] : [`${untrusted(brief(unchanged))} have it already`]
  const out = leftOut.map(({ key, why }) => untrusted(`${key}: ${why}`)).slice(0, 5)
  return new EdgeError('USAGE', {
    message: `there is nothing to do: ${[...has, ...out].join('; ') || 'no node is selected'}`,
    next: ['see edgedeck rollout plan with the same words'],
  })
}

async function list({ format }: Of<'list'>, { service }: RolloutSurroundings, io: CommandIo): Promise<'told'> {
  const rollouts: RolloutNow[] = []
  let damaged: EdgeError | null = null
  for (const id of await service.list()) {
    try {
      const now = rolloutNow(await service.view(id))
      if (now !== null) rollouts.push(now)
    } catch (error) {
      if (!isOfOne(error)) throw error
      // One that cannot be read hides no other; where none can, this fails too.
      await service.list()
      if (error.code === 'JOURNAL_FAILING') damaged ??= error
      io.stderr.write(`edgedeck: ${untrusted(error.message)}\n`)
    }
  }
  const columns: readonly PrintedColumn<RolloutNow>[] = [
    { title: 'ROLLOUT', text: ({ state }) => untrusted(state.id) },
    { title: 'WHAT', text: ({ state }) => untrusted(itemText(state.plan)) },
    { title: 'NODES', align: 'right', text: ({ state }) => String(state.nodes.size) },
    { title: 'STARTED', text: ({ state }) => new Date(state.startedAt).toISOString().slice(0, 16).replace('T', ' ') },
    { title: 'BY', text: ({ state }) => untrusted(state.by.name) },
    { title: 'STANDS', text: (now) => courseText(now) },
  ]
  if (format === 'table') io.stdout.write(printTable(columns, rollouts))
  else if (format === 'ndjson') io.stdout.write(rollouts.map((one) => `${safeJson(rolloutAsJson(one))}\n`).join(''))
  else io.stdout.write(`[\n${rollouts.map((one) => safeJson(rolloutAsJson(one))).join(',\n')}\n]\n`)
  if (damaged !== null) throw damaged
  return 'told'
}

async function status(task: Of<'status'>, place: RolloutSurroundings, io: CommandIo): Promise<RolloutOutcome> {
  const now = await current(task.id, place)
  if (task.wait) return followed({ ...task, id: now.state.id, drive: false, leavesStanding: true }, place, io)
  io.stdout.write(task.format === 'table' ? statusText(now, place.nowMs()) : `${safeJson(rolloutAsJson(now))}\n`)
  return 'told'
}

async function explain(task: Of<'explain'>, place: RolloutSurroundings, io: CommandIo): Promise<'told'> {
  const now = await current(task.id, place)
  const { entries } = now.view
  if (task.format === 'table') io.stdout.write(explainText(now, task.all))
  else if (task.format === 'ndjson') {
    io.stdout.write(entries.map(({ seq, event }) => `${safeJson({ seq, ...event })}\n`).join(''))
  } else io.stdout.write(`${safeJson({ ...rolloutAsJson(now), entries })}\n`)
  return 'told'
}

async function decide(task: Of<'decide'>, place: RolloutSurroundings, io: CommandIo): Promise<RolloutOutcome> {
  const { service, context, ask } = place
  const { decision, wave } = task
  const { state } = await current(task.id, place)
  const what = `${decision} ${state.id} (${itemText(state.plan)}, ${nodesText(state.nodes.size)})`
  const type = { text: state.id, called: state.id }
  const why =
    place.production && !task.yes ? await confirmRollout({ context, what, type, why: task.why, ask }) : task.why
  await service.decide(state.id, { decision, wave, why })
  if (task.wait)
    return followed({ ...task, id: state.id, drive: false, leavesStanding: decision !== 'pause' }, place, io)
  const now = await current(state.id, place)
  io.stdout.write(task.format === 'table' ? headText(now) : `${safeJson(rolloutAsJson(now))}\n`)
  if (now.view.driver === null && now.course === 'runs') {
    io.stderr.write(`edgedeck: nobody drives it: edgedeck rollout drive ${untrusted(state.id)} goes on with it\n`)
  }
  return 'told'
}

async function followed(
  options: Pick<RolloutTask, 'format'> & {
    readonly id: string
    readonly drive: boolean
    readonly leavesStanding: boolean
  },
  { service }: RolloutSurroundings,
  io: CommandIo,
): Promise<RolloutOutcome> {
  const { id, format, drive, leavesStanding } = options
  const now = await followRollout({ service, id, format, drive, leavesStanding }, io)
  return now?.course ?? 'runs'
}

/** The rollout of that name, or the newest one. @throws EdgeError `ROLLOUT_MISSING` */
async function current(id: string | null, { service }: RolloutSurroundings): Promise<RolloutNow> {
  for (const one of id === null ? await service.list() : [id]) {
    try {
      const now = rolloutNow(await service.view(one))
      if (now !== null) return now
    } catch (error) {
      // What nobody who may has begun is not the newest rollout.
      if (id !== null || !isOfOne(error) || error.code !== 'ROLLOUT_MISSING') throw error
    }
  }
  throw new EdgeError('ROLLOUT_MISSING', {
    message: id === null ? 'there is no rollout yet' : `there is no rollout ${untrusted(id)}`,
    next: ['see edgedeck rollout list'],
  })
}

/** Whether it may be of one rollout alone: nobody who may has begun it, or its journal is damaged. */
function isOfOne(error: unknown): error is EdgeError {
  return error instanceof EdgeError && (error.code === 'ROLLOUT_MISSING' || error.code === 'JOURNAL_FAILING')
}
