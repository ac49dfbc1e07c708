import { channel } from 'node:diagnostics_channel'
import type { Server } from 'node:http'

/** Let the HTTP server of this process at `url` hear from the kernel that no further connection can be accepted. */
export async function failAccept(url: string): Promise<void> {
  const requests = channel('http.server.request.start')
  const { promise, resolve } = Promise.withResolvers<Server>()
  const find = (message: unknown): void => resolve((message as { server: Server }).server)
  requests.subscribe(find)
  try {
    await (await fetch(url)).text()
    const error = Object.assign(new Error('accept ENFILE'), { code: 'ENFILE', syscall: 'accept' })
    ;(await promise).emit('error', error)
  } finally {
    requests.unsubscribe(find)
  }
}
