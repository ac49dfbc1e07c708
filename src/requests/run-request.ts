import { homedir } from 'node:os'
import { join } from 'node:path'
import { EdgeError } from '../../protocol/errors.ts'
import { PACKAGE_BUCKET } from '../../protocol/object-store.ts'
import { operatorJournal } from '../audit/own-journal.ts'
import type { CommandRequest } from '../command-line/command-line.ts'
import { runKeys } from '../commands/keys.ts'
import type { LogsWish } from '../commands/logs-request.ts'
import { runNodes } from '../commands/nodes.ts'
import type { CommandIo } from '../commands/output.ts'
import { demoScreen, runScreen } from '../commands/screen.ts'
import { DEFAULT_CONTEXT } from '../config/context.ts'
import { consolePaths } from '../config/paths.ts'
import { IdentityFolder } from '../identity/identity-source.ts'
import { PASSPHRASE_VARIABLE } from '../pki/passphrase.ts'
import { detectCapabilities } from '../ui/terminal/capabilities.ts'
import { type ChosenFleet, chooseFleet, type Program } from './chosen-fleet.ts'
import { execMeansOf } from './exec-request.ts'
import { EXIT_OF_COMPARISON, EXIT_OF_DIAGNOSIS, EXIT_OF_PACKAGES, EXIT_UNREACHABLE } from './exit-codes.ts'
import { loginPlace, pkiPlace, terminalAsk } from './identity-places.ts'

const NODES_TIMEOUT_MS = 5000

/** Where a request is carried out. */
export interface RequestPlace {
  readonly program: Program
  readonly io: CommandIo
  /** What is to be waited for before the process ends is put here. */
  readonly endings: (() => Promise<void>)[]
}

/** Do what was asked; resolves with the exit code. */
export async function runRequest(request: CommandRequest, { program, io, endings }: RequestPlace): Promise<number> {
  const { version } = program
  if (request.kind === 'text') {
    io.stdout.write(request.text)
    return 0
  }
  if (request.kind === 'pki') {
    const { runPki } = await import('../commands/pki.ts')
    await runPki(request, pkiPlace(request, io), io)
    return 0
  }
  if (request.kind === 'controller') {
    const { runController } = await import('../commands/controller.ts')
    await runController({ ...request, configFile: request.config, version, env: process.env }, io)
    return 0
  }
  if (request.kind === 'pki-token') {
    const { runPkiToken } = await import('../commands/pki-token.ts')
    const passphrase = { file: request.passphraseFile, env: process.env[PASSPHRASE_VARIABLE], ask: terminalAsk(io) }
    await runPkiToken({ ...request, configFile: request.config, passphrase, env: process.env }, io)
    return 0
  }
  if (request.kind === 'model') {
    const { runModel } = await import('../commands/model.ts')
    const passphrase = { file: request.passphraseFile, env: process.env[PASSPHRASE_VARIABLE], ask: terminalAsk(io) }
    return (await runModel(request.task, passphrase, io)) ? EXIT_OF_PACKAGES.whole : EXIT_OF_PACKAGES.damaged
  }
  if (request.kind === 'nats-bus') {
    const { runNatsBus } = await import('../commands/nats-bus.ts')
    await runNatsBus(request.task, io)
    return 0
  }
  if (request.kind === 'login') {
    const { runLogin } = await import('../commands/login.ts')
    const place = loginPlace(request, io)
    await runLogin(request, place, io)
    await writeLogin(place)
    return 0
  }
  if (request.kind === 'context' || request.kind === 'context-add') {
    const { runContextRequest } = await import('./context-request.ts')
    return EXIT_OF_DIAGNOSIS[await runContextRequest(request, { version, hasScreen: hasScreen() }, io)]
  }
  if (request.kind === 'doctor') {
    const { runDoctor } = await import('../commands/doctor.ts')
    const { identitiesDir } = consolePaths(process.env, homedir())
    const place = {
      load: () => chooseFleet(request, program, io.signal),
      identityDir: (context: string) => join(identitiesDir, context),
      columns: process.stdout.columns ?? 80,
      ascii: detectCapabilities().ascii,
      now: Date.now,
    }
    return EXIT_OF_DIAGNOSIS[await runDoctor(request, place, io)]
  }
  const loaded = chooseFleet(request, program, io.signal)
  // What came of the last command is still being written then.
  endings.push(async () => {
    await loaded.inventory.close()
    await loaded.access.journal.settled()
    const failure = await loaded.audit.shipping.finish()
    if (failure !== null) io.stderr.write(`edgedeck: ${failure}\n`)
  })
  switch (request.kind) {
    case 'demo': {
      const { runDemo } = await import('../demo/demo.ts')
      return runDemo({ version, runConsole: request.headless || !hasScreen() ? null : demoScreen(loaded.screen) })
    }
    case 'keys': {
      const defaultFile = `${program.assetsDir}keymaps/default.yaml`
      const whole = runKeys({ format: request.format, defaultFile, userFile: loaded.screen.keymapFile }, io)
      return whole ? 0 : 78
    }
    case 'nodes': {
      const { filter, ...wanted } = request
      const nodes = await loaded.inventory.all()
      return answered(
        await runNodes({ ...wanted, nodes, access: loaded.access, ...(filter === null ? {} : { filter }) }, io),
      )
    }
    case 'logs': {
      const { runLogs } = await import('../commands/logs.ts')
      const colour = process.stdout.isTTY === true && detectCapabilities().depth !== 'none'
      const nodes = await nodesOfLogs(loaded, request)
      const { clouds, access } = loaded
      return answered(await runLogs({ ...request, nodes, clouds, access, colour }, io))
    }
    case 'exec': {
      const { runExecRequest } = await import('./exec-request.ts')
      return runExecRequest(request, loaded, io)
    }
    case 'rollout': {
      const { runRolloutRequest } = await import('./rollout-request.ts')
      return runRolloutRequest(request, loaded, io)
    }
    case 'pods':
    case 'pod-logs': {
      const { runPodsRequest } = await import('./pods-request.ts')
      await runPodsRequest(request, loaded, io)
      return 0
    }
    case 'shell': {
      const { runShellRequest } = await import('./shell-request.ts')
      return runShellRequest(request, loaded, io)
    }
    case 'play': {
      const { runPlayRequest } = await import('./shell-request.ts')
      await runPlayRequest(request, loaded, io)
      return 0
    }
    case 'replay': {
      const { runReplay } = await import('../commands/replay.ts')
      return answered(await runReplay({ ...request, ...(await pastOf(loaded, request.name)) }, io))
    }
    case 'compare': {
      const { runCompare } = await import('../commands/compare.ts')
      return EXIT_OF_COMPARISON[await runCompare({ ...request, ...(await pastOf(loaded, request.name)) }, io)]
    }
    case 'model-push': {
      const { runModelPush } = await import('../commands/model-push.ts')
      const nodesOf = (names: readonly string[]) => loaded.inventory.named(names)
      return answered(await runModelPush({ ...request, nodesOf, clouds: loaded.regions, access: loaded.access }, io))
    }
    case 'model-nodes': {
      const { runModelNodes } = await import('../commands/model-nodes.ts')
      const nodes = await loaded.inventory.all()
      return answered(await runModelNodes({ ...request, nodes, access: loaded.access }, io))
    }
    case 'resend': {
      const { runResend } = await import('../commands/resend.ts')
      // Standard output is one JSON document: with a comparison that is what it says.
      const told = request.check && request.format === 'json' ? { ...io, stdout: io.stderr } : io
      const done = await runResend({ ...request, ...(await only(loaded, request.name)) }, told)
      if (!done || !request.check) return answered(done)
      const { runCompare } = await import('../commands/compare.ts')
      return EXIT_OF_COMPARISON[await runCompare({ ...request, ...(await pastOf(loaded, request.name)) }, io)]
    }
    case 'audit': {
      const { runAudit } = await import('../commands/audit.ts')
      const { context, inventory, access, audit } = loaded
      const nodes = await inventory.everybody()
      const isAsked = (key: string): boolean => request.names.some((name) => name === key || name.endsWith(`/${key}`))
      const asked = request.names.length === 0 ? nodes : nodes.filter(({ key }) => isAsked(key))
      const where = { nodes: asked, clouds: audit.clouds, access, context: context.name, auditDir: audit.dir }
      return EXIT_OF_COMPARISON[await runAudit({ ...request, ...where }, io)]
    }
    case 'nats-setup': {
      const { runNatsSetup } = await import('../commands/nats.ts')
      const { servers, stream } = request
      const regions = servers === null ? loaded.clouds : [servers]
      const clouds = stream === null ? regions : regions.map((region) => ({ ...region, stream }))
      return answered(await runNatsSetup({ ...request, clouds }, io))
    }
    case 'whoami': {
      const { runWhoami } = await import('../commands/whoami.ts')
      const context = loaded.context.name
      return answered(runWhoami({ ...request, context, identity: loaded.access.identity, nowMs: Date.now() }, io))
    }
    case 'picture': {
      const { runPicture } = await import('../commands/picture.ts')
      const { columns = 80, rows = 25 } = process.stdout
      const { depth, ascii } = detectCapabilities()
      const surface = { columns, rows: rows - 2, depth: process.stdout.isTTY ? depth : 'none', ascii } as const
      await runPicture({ ...request, ...(await only(loaded, request.name)) }, surface, io)
      return 0
    }
    case 'screen': {
      if (hasScreen()) {
        const { name } = loaded.context
        const listed = name === DEFAULT_CONTEXT ? loaded.configFile : name
        const context = request.node.length > 0 ? 'command line' : listed
        await runScreen({
          ...loaded.screen,
          nodes: loaded.access.bus === undefined ? await loaded.inventory.all() : loaded.nodes,
          clouds: loaded.clouds,
          access: loaded.access,
          context,
          production: loaded.context.production,
          rollouts: {
            place: loaded.rollouts,
            bucket: loaded.rollouts.kind === 'bus' ? PACKAGE_BUCKET : null,
            clouds: loaded.regions,
          },
          exec: execMeansOf(loaded, loaded.nodes),
          shells: loaded.shells,
          contextName: name,
          signal: io.signal,
        })
        return 0
      }
      const plain = {
        nodes: await loaded.inventory.all(),
        access: loaded.access,
        format: 'table',
        watch: false,
        timeoutMs: NODES_TIMEOUT_MS,
      } as const
      return answered(await runNodes(plain, io))
    }
  }
}

/** A login stands in the journal of whoever logged in; it is shipped with their next command. */
async function writeLogin({ context, identityDir }: { readonly context: string; readonly identityDir: string }) {
  const { auditDir: dir } = consolePaths(process.env, homedir())
  const onFault = (msg: string): void => void process.stderr.write(`edgedeck: ${msg}\n`)
  const journal = operatorJournal({ dir, context, identity: new IdentityFolder(identityDir) }, { onFault })
  journal.happened({ verb: 'login', code: 'OK' })
  await journal.settled()
}

async function only({ inventory, access }: ChosenFleet, name: string) {
  return { node: await inventory.only(name), access }
}

async function pastOf({ inventory, clouds, access }: ChosenFleet, name: string) {
  return { node: await inventory.find(name), clouds, access }
}

/** What went up is in the cloud also of nodes that are listed nowhere any more. */
async function nodesOfLogs({ inventory, clouds }: ChosenFleet, { fromCloud, names }: LogsWish) {
  if (!fromCloud) return inventory.named(names)
  if (clouds.length === 0) {
    const next = ['name the cloud: --cloud nats://host:4222, or under clouds in the configuration']
    throw new EdgeError('USAGE', { message: 'no region of the cloud is known', next })
  }
  const listed = await inventory.everybody()
  if (names.length === 0) return listed
  return names.map((key) => listed.find((node) => node.key === key) ?? { key, url: null })
}

function hasScreen(): boolean {
  return process.stdout.isTTY === true && process.stdin.isTTY === true && process.env.TERM !== 'dumb'
}

function answered(byAll: boolean): number {
  return byAll ? 0 : EXIT_UNREACHABLE
}
