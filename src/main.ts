import { constants as osConstants } from 'node:os'
import { fileURLToPath } from 'node:url'
import packageJson from '../package.json' with { type: 'json' }
import { EdgeError, messageOf } from '../protocol/errors.ts'
import { readCommandLine } from './command-line/command-line.ts'
import { EXIT_BUG, EXIT_OF, EXIT_UNREACHABLE } from './requests/exit-codes.ts'
import { runRequest } from './requests/run-request.ts'

const { version } = packageJson
/** Both `src/main.ts` and `dist/edgedeck.js` lie one below the folder with `keymaps/` and `themes/`. */
const ASSETS_DIR = fileURLToPath(new URL('..', import.meta.url))

function report(error: unknown): number {
  if (error instanceof EdgeError) {
    process.stderr.write(`edgedeck: ${error.toLine()}\n`)
    return EXIT_OF[error.code] ?? (error.kind === 'bug' ? EXIT_BUG : EXIT_UNREACHABLE)
  }
  process.stderr.write(`edgedeck: ${error instanceof Error ? (error.stack ?? error.message) : messageOf(error)}\n`)
  return EXIT_BUG
}

async function main(): Promise<number> {
  const abort = new AbortController()
  let signalExit: number | null = null
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      signalExit = 128 + osConstants.signals[signal]
      abort.abort()
    })
  }
  // Whoever read our output has enough: end without a word, as `| head` expects.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    signalExit = 0
    abort.abort()
  })
  const io = { stdout: process.stdout, stderr: process.stderr, signal: abort.signal }
  const request = readCommandLine(process.argv.slice(2), version)
  const endings: (() => Promise<void>)[] = []
  try {
    const exitCode = await runRequest(request, { program: { version, assetsDir: ASSETS_DIR }, io, endings })
    // A controller is ended by a signal, and ends in order then.
    return request.kind === 'controller' ? exitCode : (signalExit ?? exitCode)
  } finally {
    for (const end of endings) await end()
  }
}

for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error) => process.exit(report(error)))
}
process.exitCode = await main().catch(report)
// What is still being written to a pipe must arrive whole before the process ends.
if (process.stdout.writableLength > 0) await new Promise((resolve) => process.stdout.write('', resolve))
process.exit()
