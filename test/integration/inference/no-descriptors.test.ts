import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const pathOf = (file: string): string => fileURLToPath(new URL(file, import.meta.url))

it('a daemon without a free descriptor outlives the death of its model, and starts it again once there is one', async () => {
  const script = [pathOf('../../support/without-descriptors.ts'), pathOf('../../../models')]
  const limited = ['-c', 'ulimit -n 100 && exec "$0" "$@"', process.execPath, ...script]
  const { stdout } = await promisify(execFile)('sh', limited, { timeout: 240_000 })
  const seen: string[] = JSON.parse(stdout)
  expect(seen.slice(0, 3)).toEqual(['model.ready', 'model.died', 'model.restart_failed MODEL_FAILED'])
  expect(seen.at(-1)).toBe('model.ready')
}, 300_000)
