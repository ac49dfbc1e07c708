import { FleetSession } from '../../src/commands/fleet-session.ts'
import { loadConsoleConfig } from '../../src/config/console-config.ts'

/**
 * The links and the model of the fleet as both contenders have them, with nobody looking: what is left of a console when
 * nothing is drawn. Run by `bench/screen.ts` with the path of a configuration; `q` ends it.
 */
const config = loadConsoleConfig(process.argv[2] ?? '', true)
const session = new FleetSession({
  nodes: config.nodes,
  access: { version: '0' },
  interest: { status: true, alertBacklog: 100, logs: { filter: { level: config.logLevel }, backlog: 100 } },
})
session.start()
process.stdin.setRawMode(true)
process.stdin.on('data', (keys) => {
  if (keys.includes('q')) process.exit()
})
