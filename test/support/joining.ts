import { createServer } from 'node:net'
import { type JoinToken, readJoinToken } from '../../protocol/enrolment.ts'
import { ControllerHome } from './fleet-controller.ts'

/** A port of loopback that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** The home of a controller whose tokens and answers name where it will listen. */
export async function homeOnPort(): Promise<ControllerHome> {
  const home = await ControllerHome.create()
  const port = await freePort()
  home.configure({ listen: `127.0.0.1:${port}`, publicUrl: `https://127.0.0.1:${port}` })
  return home
}

/** What a token's text says. */
export function tokenIn(text: string): JoinToken {
  const token = readJoinToken(text)
  if (token === null) throw new Error('this is no token')
  return token
}
