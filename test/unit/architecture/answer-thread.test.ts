import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
/** Rooms whose work goes on in the thread that answers devices while it answers them. */
const ROOMS = ['edge-daemon/changes', 'edge-daemon/delivery', 'edge-daemon/models']
/** What waits for the disk and runs at a start alone, before anything is answered. */
const AT_A_START = [
  'edge-daemon/changes/clock.ts: readFileSync',
  'edge-daemon/changes/slot-file.ts: readSmallFile',
  'edge-daemon/changes/slot-file.ts: renameSync',
]
const WAITING = /^(\w+Sync|replaceFile|appendLine|removeFile|syncFolder|readSmallFile)$/
const IMPORTED = /import \{([^}]*)\} from '(?:node:fs|[./]*durable\/durable-file\.ts)'/g

test('what brings and changes models waits for no disk in the thread that answers devices', () => {
  const found: string[] = []
  for (const room of ROOMS) {
    for (const path of readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })) {
      if (!path.endsWith('.ts')) continue
      for (const [, names = ''] of readFileSync(join(ROOT, room, path), 'utf8').matchAll(IMPORTED)) {
        for (const name of names.split(','))
          if (WAITING.test(name.trim())) found.push(`${room}/${path}: ${name.trim()}`)
      }
    }
  }
  expect(found.sort()).toEqual(AT_A_START)
})
