import { type JoinToken, readJoinToken } from '../../protocol/enrolment.ts'
import { ControllerHome } from './fleet-controller.ts'
import { freePort } from './free-port.ts'

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
