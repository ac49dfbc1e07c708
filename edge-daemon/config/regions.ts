import type { Kind, Read } from '../../settings/kinds.ts'

/** One region of the cloud: servers of one cluster, with a stream of its own. */
export interface Region {
  readonly name: string
  /** Server URLs, tried in turn. */
  readonly servers: readonly string[]
  /** Name of the stream; null for the one that holds the subjects. */
  readonly stream: string | null
  /** A `.creds` file; null for the one that all regions share. */
  readonly credentials: string | null
}

const NAME = /^[\w-]{1,64}$/
/** Names of the other targets: how far a target has got is kept by name. */
const TAKEN: readonly string[] = ['nats', 'http']
const EXPECTED =
  'a list of regions, each "- name: NAME" with "servers: [nats://host:4222]" and, if need be, "stream: NAME" and "credentials: FILE"'

/**
 * Regions in order of preference. In a variable: `NAME=URL,URL;NAME=URL`, a stream after the name as in `NAME/STREAM=URL`.
 */
export function regionList(): Kind<readonly Region[]> {
  return {
    read: (raw) => {
      const list = typeof raw === 'string' ? fromText(raw) : raw
      if (!Array.isArray(list)) return wrong(EXPECTED)
      const regions: Region[] = []
      for (const item of list) {
        const region = regionIn(item)
        if (region === null) return wrong(EXPECTED)
        if (regions.some(({ name }) => name === region.name))
          return wrong(`each region once, found ${region.name} twice`)
        if (TAKEN.includes(region.name)) return wrong(`a name of its own for each region, not ${region.name}`)
        regions.push(region)
      }
      return { ok: true, value: regions }
    },
    show: (regions) =>
      JSON.stringify(regions.map(({ name, servers }) => ({ name, servers: servers.map(withoutCredentials) }))),
  }
}

function regionIn(item: unknown): Region | null {
  if (typeof item !== 'object' || item === null) return null
  const { name, servers, stream = null, credentials = null, ...rest } = item as Record<string, unknown>
  const urls = typeof servers === 'string' ? [servers] : servers
  const isGood =
    typeof name === 'string' &&
    NAME.test(name) &&
    Array.isArray(urls) &&
    urls.length > 0 &&
    urls.every((url) => typeof url === 'string' && url !== '') &&
    (stream === null || (typeof stream === 'string' && NAME.test(stream))) &&
    (credentials === null || (typeof credentials === 'string' && credentials !== '')) &&
    Object.keys(rest).length === 0
  return isGood ? { name, servers: urls as string[], stream, credentials } : null
}

function fromText(text: string): unknown[] {
  return text
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const at = part.indexOf('=')
      const [name = '', stream = null] = part.slice(0, Math.max(0, at)).trim().split('/')
      const servers = part
        .slice(at + 1)
        .split(',')
        .map((url) => url.trim())
      return { name, servers, stream }
    })
}

function wrong(expected: string): Read<never> {
  return { ok: false, message: `expected ${expected}` }
}

/** A URL may carry a user and password, which must not be shown. */
function withoutCredentials(url: string): string {
  return url.replace(/(\/\/)[^/\s@"]+@/g, '$1***@')
}
