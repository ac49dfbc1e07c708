import { DEFAULT_CONTROLLER_FILE, loadController } from '../controller/config.ts'
import { Controller } from '../controller/controller.ts'
import { JsonLog } from '../controller/log.ts'
import type { CommandIo } from './output.ts'

/** What `edgedeck controller` was asked. */
export interface RunControllerRequest {
  /** Null for the default file. */
  readonly configFile: string | null
  readonly printConfig: boolean
  readonly version: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/**
 * Run a controller until it is told to end; what is being answered is finished then.
 * @throws EdgeError when it cannot start
 */
export async function runController(request: RunControllerRequest, io: CommandIo): Promise<void> {
  const { configFile, printConfig, version, env } = request
  const { config, entries, warnings } = loadController(configFile ?? DEFAULT_CONTROLLER_FILE, env)
  for (const warning of warnings) io.stderr.write(`edgedeck: ${warning}\n`)
  if (printConfig) {
    const width = Math.max(...entries.map(({ path, value }) => path.length + value.length)) + 4
    for (const { path, value, origin, variable, about } of entries) {
      io.stdout.write(`${`${path}: ${value}`.padEnd(width)}# ${origin}; ${variable}; ${about}\n`)
    }
    return
  }
  const log = new JsonLog(io.stdout, config.log.level)
  const controller = new Controller({ config, version, env, log })
  try {
    await controller.start()
    if (!io.signal.aborted) await new Promise((resolve) => io.signal.addEventListener('abort', resolve))
    log.log('info', 'stopping', 'finishing what is being answered')
  } finally {
    await controller.stop()
  }
  log.log('info', 'stopped', 'ended in order')
}
