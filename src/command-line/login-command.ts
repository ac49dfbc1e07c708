import { type Command, InvalidArgumentError } from 'commander'
import { FINGERPRINT } from '../../identity/fingerprint.ts'
import { CONTROLLER_PORT } from '../../protocol/enrolment.ts'
import { type FleetFlags, fleetFlags, timeoutOption } from './command-options.ts'

/** What `edgedeck login` is asked. */
export type LoginRequest = FleetFlags & {
  readonly kind: 'login'
  /** Null for the controller of the context. */
  readonly controller: string | null
  readonly name: string | null
  readonly key: string | null
  readonly pin: string | null
  readonly timeoutMs: number
}

/** Add the command that gets an operator a certificate for a shift. */
export function addLoginCommand(program: Command, accept: (request: LoginRequest) => void): void {
  program
    .command('login')
    .description('Get a certificate for a shift from the controller of a fleet, by your SSH key.')
    .option('--controller <url>', "https://host:5444; the context's when not given", controllerUrl)
    .option('--name <name>', 'who you are there; your user name on this machine when not given')
    .option('--key <key>', 'file of an SSH key, or fingerprint or comment of one in the agent')
    .option('--pin <sha256>', 'root of the fleet as "edgedeck pki init" told it, for the first time', pin)
    .addOption(timeoutOption())
    .action((options: LoginOptions) => {
      const { controller = null, name = null, key = null, pin: rootPin = null, timeout: timeoutMs } = options
      accept({ kind: 'login', ...fleetFlags(program), controller, name, key, pin: rootPin, timeoutMs })
    })
}

interface LoginOptions {
  readonly controller?: string
  readonly name?: string
  readonly key?: string
  readonly pin?: string
  readonly timeout: number
}

/** Address of a controller as somebody typed it, with its port. */
export function controllerUrl(text: string): string {
  const url = URL.parse(text.includes('://') ? text : `https://${text}`)
  if (url === null || url.protocol !== 'https:' || url.pathname !== '/' || url.username !== '') {
    throw new InvalidArgumentError('Expected an address such as https://controller.example:5444.')
  }
  // An address leaves out the usual port of https, and so it does not tell whether that was typed.
  const port = url.port !== '' ? url.port : /:443\/?$/.test(text) ? 443 : CONTROLLER_PORT
  return `https://${url.hostname}:${port}`
}

/** SHA-256 of a root as it is told. */
export function pin(text: string): string {
  if (FINGERPRINT.test(text)) return text
  throw new InvalidArgumentError('Expected the 43 characters that "edgedeck pki init" told.')
}
