import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { EdgeError } from '../../../protocol/errors.ts'
import type { FoundPlaces, Prompter, RemoteHost, RemotePlace } from '../../../src/remote/contract.ts'
import { ConsoleStore } from '../../../src/ui/console-store.ts'
import { ShellVisit } from '../../../src/ui/shell-visit.ts'
import { ScriptedChannel } from '../../support/scripted-host.ts'

/** A place whose connection the test plays. */
function place(label: string, open: (prompter: Prompter) => Promise<void> = async () => undefined) {
  const channels: ScriptedChannel[] = []
  const host: RemoteHost = {
    how: 'pod',
    label,
    openShell: async () => {
      const channel = new ScriptedChannel('shell')
      channels.push(channel)
      return channel
    },
    run: () => Promise.reject(new Error('only shells')),
    close: async () => undefined,
  }
  const made: RemotePlace = {
    how: 'pod',
    label,
    detail: 'running',
    open: async (prompter) => {
      await open(prompter)
      return host
    },
  }
  return { made, channels }
}

function visit(found: FoundPlaces, options: { production?: boolean } = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-visit-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const store = new ConsoleStore()
  const toasts: string[] = []
  const acts: unknown[] = []
  const aheads: string[] = []
  const shell = new ShellVisit({
    store,
    toast: (text) => toasts.push(text),
    shells: {
      desk: {
        context: 'acme',
        production: options.production ?? false,
        who: () => 'mia',
        journal: {
          begins: async (entry) => {
            acts.push(entry)
            return { ended: (outcome) => acts.push(outcome) }
          },
        },
        recordingsDir: dir,
        record: { input: false, maxBytes: 1_000_000, redact: [] },
        named: () => ({}),
        tellNode: async () => ({ ok: true, result: {} }),
        nowMs: () => 1_793_000_000_000 + aheads.length,
      },
      find: async () => found,
      lend: (work, typedAhead) => {
        aheads.push(typedAhead)
        return work({
          size: () => ({ columns: 80, rows: 24 }),
          write: () => true,
          onDrain: () => undefined,
          onInput: () => undefined,
          pauseInput: () => undefined,
          resumeInput: () => undefined,
          onResize: () => undefined,
        })
      },
      size: () => ({ columns: 80, rows: 24 }),
      term: 'xterm',
    },
  })
  const face = () => {
    const { overlay } = store.get()
    return overlay?.name === 'shell' ? overlay.face : null
  }
  const press = (keys: string): void => {
    for (const key of keys) shell.press(key === '\r' ? 'enter' : key === ' ' ? 'space' : key)
  }
  return { shell, face, press, toasts, acts, aheads }
}

test('of several places the one that is searched for is taken, and its end is told', async () => {
  const [node, app] = [place('mia@press-4:22'), place('vision/camera-7 (app)')]
  const { shell, face, press, toasts, acts } = visit({ places: [node.made, app.made], faults: ['pods: forbidden'] })
  const visiting = shell.open('press-4')
  await expect.poll(() => face()?.phase).toBe('choosing')
  press('camera\r')
  await expect.poll(() => app.channels.length).toBe(1)
  app.channels[0]?.exit(3)
  await visiting
  expect(face()).toBeNull()
  expect(toasts).toEqual([expect.stringContaining('shell on press-4 ended with exit code 3')])
  expect(acts).toMatchObject([{ args: { where: 'vision/camera-7 (app)' } }, { code: 'OK', args: { exit: 3 } }])
})

test('in production the name of the node is typed and a reason given, and esc steps back', async () => {
  const { made, channels } = place('mia@press-4:22')
  const { shell, face, press, acts } = visit({ places: [made], faults: [] }, { production: true })
  const first = shell.open('press-4')
  await expect.poll(() => face()?.phase).toBe('typing')
  press('press-5\r')
  expect(face()).toMatchObject({ fault: 'that is not press-4' })
  shell.press('esc')
  await first
  expect(channels).toEqual([])
  const second = shell.open('press-4')
  await expect.poll(() => face()?.phase).toBe('typing')
  press('press-4\r')
  await expect.poll(() => face()).toMatchObject({ title: 'Why?' })
  press(' \r')
  expect(face()).toMatchObject({ fault: 'say it in a few words' })
  press('line 4\r')
  await expect.poll(() => channels.length).toBe(1)
  channels[0]?.exit(0)
  await second
  expect(acts[0]).toMatchObject({ why: 'line 4' })
})

test('what is typed while it connects goes to the shell; a question drops it, and takes no single letter for yes', async () => {
  const gate = Promise.withResolvers<void>()
  const answers: unknown[] = []
  const { made, channels } = place('mia@press-4:22', async (prompter) => {
    answers.push(await prompter.confirm('The key is SHA256:abc.\nTrust it?'))
    await gate.promise
  })
  const { shell, face, press, aheads } = visit({ places: [made], faults: [] })
  const visiting = shell.open('press-4')
  press('yes\r')
  await expect.poll(() => face()).toMatchObject({ phase: 'typing', typed: '' })
  press('y\r')
  expect(face()).toMatchObject({ fault: 'type yes or no' })
  press('es\r')
  await expect.poll(() => face()?.phase).toBe('connecting')
  press('ls\r')
  expect(face()).toMatchObject({ typedAhead: 'ls\r' })
  gate.resolve()
  await expect.poll(() => channels.length).toBe(1)
  channels[0]?.exit(0)
  await visiting
  expect(answers).toEqual([true])
  expect(aheads).toEqual(['ls\r'])
})

test('what came to nothing is told with its cure and tried again; what broke off is connected again', async () => {
  let tries = 0
  const { made, channels } = place('mia@press-4:22', async () => {
    tries += 1
    if (tries === 1) throw new EdgeError('NODE_UNREACHABLE', { message: 'no \u001b[2J answer', next: ['look at it'] })
  })
  const { shell, face, press, toasts, acts } = visit({ places: [made], faults: [] })
  const visiting = shell.open('press-4')
  await expect.poll(() => face()).toMatchObject({ phase: 'failed', text: ['no ␛[2J answer', '→ look at it'] })
  press('\r')
  await expect.poll(() => channels.length).toBe(1)
  channels[0]?.drop('reset by peer')
  await expect.poll(() => face()).toMatchObject({ phase: 'failed', title: 'the shell on mia@press-4:22 broke off' })
  press('\r')
  await expect.poll(() => channels.length).toBe(2)
  await shell.stop()
  await visiting
  expect(toasts).toEqual([expect.stringContaining('was left')])
  expect(acts).toHaveLength(6)
})

test('the only place is opened at once, and offered where others could not be found out', async () => {
  const { made, channels } = place('mia@press-4:22')
  const { shell, face, press } = visit({ places: [made], faults: ['pia may not list pods'] })
  const visiting = shell.open('press-4')
  await expect.poll(() => face()).toMatchObject({ phase: 'choosing', faults: ['pia may not list pods'] })
  press('\r')
  await expect.poll(() => channels.length).toBe(1)
  await shell.stop()
  await visiting
})

test('says in a demo what its nodes lack and where that is written for others, in 80 columns', async () => {
  const toasts: string[] = []
  const shell = new ShellVisit({ store: new ConsoleStore(), toast: (text) => toasts.push(text), shells: null })
  await shell.open('node-1')
  expect(toasts).toEqual(['no SSH to demo nodes; for yours, "ssh: user@host" in config.yaml'])
  expect(` ${toasts[0]}  esc closes`.length).toBeLessThanOrEqual(80)
})
