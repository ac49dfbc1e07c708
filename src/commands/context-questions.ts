import { FINGERPRINT } from '../../identity/fingerprint.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { readCloudFlag } from '../config/cloud-address.ts'
import { parseNodeFlag } from '../link/directory.ts'
import type { ContextWish } from './context-wish.ts'

/** Asks a person; the answer is what they typed. */
export type Ask = (question: string) => Promise<string>

/** What was asked for on the command line: nodes and regions as typed. */
export interface ContextDraft {
  readonly wish: ContextWish
  readonly node: readonly string[]
  readonly cloud: readonly string[]
}

/**
 * Ask for what is not said yet, one thing at a time: where nodes come from, who speaks for the fleet, who one is. Enter takes
 * what stands in brackets. Answers that could not be are asked for again.
 */
export async function askForContext(
  draft: ContextDraft,
  { ask, user }: { readonly ask: Ask; readonly user: string },
): Promise<ContextDraft> {
  const { wish } = draft
  const name =
    wish.name ??
    (await until(ask, 'Name of the fleet here, e.g. acme: ', (text) =>
      /^[A-Za-z0-9][\w.-]*$/.test(text) ? null : 'letters, digits, ".", "_" and "-"',
    ))
  const isTold = draft.node.length > 0 || wish.nats.length > 0 || wish.controller !== null
  if (isTold) return { ...draft, wish: { ...wish, name } }
  const controller = await until(ask, 'Controller, https://host:5444 (enter for none): ', (text) =>
    text === '' || isHttps(text) ? null : 'an address such as https://controller.example:5444',
  )
  const nats = await until(ask, 'Bus, tls://host:4222, several with commas (enter for none): ', (text) =>
    fault(() => void listOf(text).map((one) => mustBe(readCloudFlag(one)))),
  )
  const node: string[] = []
  for (;;) {
    const typed = await until(ask, 'Node to reach straight, NAME=wss://host:5443 (enter for no more): ', (text) =>
      text === '' ? null : fault(() => parseNodeFlag(text)),
    )
    if (typed === '') break
    node.push(typed)
  }
  const cloud = await until(ask, 'Regions for the past, NAME=tls://host:4222 (enter for the bus): ', (text) =>
    fault(() => void listOf(text).map((one) => mustBe(readCloudFlag(one)))),
  )
  const pin =
    controller === ''
      ? ''
      : await until(ask, 'Root of the fleet, by "edgedeck pki status" (enter: compare it yourself): ', (text) =>
          text === '' || FINGERPRINT.test(text) ? null : 'the 43 characters of SHA-256',
        )
  const login = controller === '' ? null : await ask(`Log in now by your SSH key, as (${user}; "no" for later): `)
  const files =
    controller === '' && node.some((one) => one.includes('wss:'))
      ? await ask('Folder with key.pem, cert.pem and trust.json (enter for later): ')
      : ''
  const production = /^y/i.test(await ask('Is it production? (y/N) '))
  return {
    node,
    cloud: listOf(cloud),
    wish: {
      ...wish,
      name,
      controller: controller === '' ? null : controller.replace(/\/$/, ''),
      nats: listOf(nats),
      pin: pin === '' ? null : pin,
      login: login === null || login.trim().toLowerCase() === 'no' ? null : login.trim(),
      identityFrom: files.trim() === '' ? null : files.trim(),
      production,
    },
  }
}

/** Ask again until nothing is wrong with the answer. */
async function until(ask: Ask, question: string, wrong: (text: string) => string | null): Promise<string> {
  for (let hint = ''; ; ) {
    const text = (await ask(`${hint}${question}`)).trim()
    const why = wrong(text)
    if (why === null) return text
    hint = `  expected ${why}\n`
  }
}

function fault(read: () => unknown): string | null {
  try {
    read()
    return null
  } catch (error) {
    return messageOf(error)
  }
}

function mustBe<T>(read: T | string): T {
  if (typeof read !== 'string') return read
  throw new EdgeError('USAGE', { message: read })
}

function listOf(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

function isHttps(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && url.protocol === 'https:' && url.pathname === '/'
}
