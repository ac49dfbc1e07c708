import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { processesConfiguredIn, signalGroup } from './process-group.ts'
import type { ReaperNote } from './reaper.ts'

/**
 * The demo's last will. It holds one end of a pipe to the demo; when the demo dies, however it dies, the pipe ends and
 * what the demo started is killed and its folder removed. An orderly end sends `done` first.
 */
const groups = new Set<number>()
const folders = new Set<string>()
let done = false

for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) process.on(signal, () => undefined)

for await (const line of createInterface({ input: process.stdin })) {
  const note = JSON.parse(line) as ReaperNote
  if (note.kind === 'started') groups.add(note.pid)
  else if (note.kind === 'ended') groups.delete(note.pid)
  else if (note.kind === 'folder') folders.add(note.path)
  else done = true
}

if (!done) {
  for (const pid of groups) signalGroup(pid, 'SIGKILL')
  for (const folder of folders) {
    // A process may have been started in the very moment the demo died; its configuration is in the folder.
    for (const pid of processesConfiguredIn(folder)) signalGroup(pid, 'SIGKILL')
    // A killed process may still be writing when its folder goes; a few tries outlast it.
    for (let tries = 0; tries < 20; tries += 1) {
      try {
        rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
        break
      } catch {
        await delay(100)
      }
    }
  }
}
