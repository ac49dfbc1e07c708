import { setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { openPackage } from '../../packages/model-package.ts'
import { verifyFolder } from '../../packages/verify-folder.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { FromPackages, ToPackages } from './package-messages.ts'

/** Behind what answers devices, and yet quick on a busy node: a way back may wait for it. */
const NICE = 5

/** Entry of the thread that verifies packages and looks into their graphs. */
function main(): void {
  const port = parentPort
  if (port === null) return
  // On Linux it is the priority of the thread that calls; elsewhere it would be that of the whole daemon.
  if (process.platform === 'linux') setPriority(0, NICE)
  const running = new Map<number, AbortController>()
  port.on('message', (message: ToPackages) => {
    const { id } = message
    if (message.t === 'end') {
      running.get(id)?.abort()
      return
    }
    const ending = new AbortController()
    running.set(id, ending)
    const { wish } = message
    const given = { ...wish, signal: ending.signal }
    const found = message.t === 'open' ? openPackage(wish.folder, given) : verifyFolder(given)
    found
      .then(
        (held): FromPackages => ({ id, found: held }),
        (error: unknown): FromPackages => {
          const { code, next } = error instanceof EdgeError ? error : { code: null, next: [] }
          return { id, code, next, msg: messageOf(error) }
        },
      )
      .then((answer) => {
        running.delete(id)
        port.postMessage(answer)
      })
  })
}

main()
