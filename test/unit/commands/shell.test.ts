import { describe, expect, it } from 'vitest'
import { runShellCommand, type ShellPlace } from '../../../src/commands/shell.ts'
import { LOCAL_STANDING } from '../../../src/identity/standing.ts'
import type { RemotePlace } from '../../../src/remote/contract.ts'
import type { ShellDesk } from '../../../src/shell/open-shell.ts'

const io = { stdout: process.stdout, stderr: { write: () => true } as never, signal: new AbortController().signal }

/** The label of the place that a command line opens, or why it opens none. */
async function opened(
  wanted: { pod?: string; container?: string; site?: string },
  change: Partial<ShellPlace> = {},
  places: readonly Partial<RemotePlace>[] = [{ how: 'ssh', label: 'mia@press-4:22' }],
): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const open = (label: string) => async () => {
    resolve(label)
    throw new Error('far enough')
  }
  const found = places.map((one) => ({ detail: '', ...one, open: open(one.label ?? '') })) as unknown as RemotePlace[]
  const place: ShellPlace = {
    desk: { production: false, context: 'plant' } as ShellDesk,
    find: async () => ({ places: found, faults: [] }),
    standing: LOCAL_STANDING,
    siteOf: async () => null,
    lend: () => Promise.reject(new Error('nothing is lent')),
    size: () => ({ columns: 80, rows: 24 }),
    term: 'xterm',
    ask: async () => '',
    ...change,
  }
  const { pod = null, container = null, site } = wanted
  const node = { key: 'press-4', url: null, ...(site === undefined ? {} : { site }) }
  runShellCommand({ node, pod, container, why: null }, place, io).catch((error) => resolve(String(error)))
  return promise
}

const PODS = [
  { how: 'ssh', label: 'mia@press-4:22' },
  { how: 'pod', label: 'vision/camera-7 (app)' },
  { how: 'pod', label: 'vision/camera-7 (proxy)', isAside: true },
  { how: 'pod', label: 'vision/pair-1 (left)' },
  { how: 'pod', label: 'vision/pair-1 (right)' },
  { how: 'pod', label: 'test/camera-7 (app)' },
] as const

describe('edgedeck shell', () => {
  it('takes the container that is meant, and none where several could be', async () => {
    const at = (pod: string, container?: string) =>
      opened({ pod, ...(container === undefined ? {} : { container }) }, {}, PODS)
    expect(await at('vision/camera-7')).toBe('vision/camera-7 (app)')
    expect(await at('vision/camera-7', 'proxy')).toBe('vision/camera-7 (proxy)')
    expect(await at('pair-1', 'right')).toBe('vision/pair-1 (right)')
    expect(await at('vision/pair-1')).toMatch(/several: vision\/pair-1 \(left\), vision\/pair-1 \(right\)/)
    expect(await at('camera-7')).toMatch(/several: vision\/camera-7 \(app\), test\/camera-7 \(app\)/)
    expect(await at('vision/camera')).toContain('no container of vision/camera is known')
    expect(await at('vision/camera-7 (app')).toContain('no container')
  })

  it('opens nothing for whoever has no right at the site, nor where nobody knows the site', async () => {
    const limited = (rights: object, siteOf = async (): Promise<string | null> => null) => ({
      standing: { ...LOCAL_STANDING, rights: { ...LOCAL_STANDING.rights, ...rights } },
      siteOf,
    })
    const rights = { sites: ['plant-a'] }
    expect(await opened({}, limited({ role: 'viewer' }))).toContain('takes the role operator')
    expect(await opened({}, limited({ permissions: [] }))).toContain('takes the permission shell')
    expect(await opened({}, limited(rights))).toContain('is not known')
    expect(await opened({ site: 'plant-b' }, limited(rights))).toContain('takes the site plant-b')
    expect(
      await opened(
        {},
        limited(rights, async () => 'plant-b'),
      ),
    ).toContain('takes the site plant-b')
    expect(
      await opened(
        {},
        limited(rights, async () => 'plant-a'),
      ),
    ).toBe('mia@press-4:22')
    expect(await opened({})).toBe('mia@press-4:22')
  })
})
