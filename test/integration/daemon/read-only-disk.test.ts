import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import type { AlertRecord, LedgerRecord } from '../../../protocol/records.ts'
import { DaemonHome, eventually, postPicture } from '../../support/edge-daemon.ts'
import { TestConsole } from '../../support/live-node.ts'
import { samplePicture } from '../../support/pictures.ts'

const DISK = 'mount -t tmpfs -o size=40m tmpfs "$0"'

/** A command line before the daemon's that gives it a disk of its own, which is gone with it; any user may. */
function onDisk(dir: string, then = ''): string[] {
  const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user']
  return ['unshare', '--mount', ...asRoot, 'sh', '-c', `${DISK} && ${then} exec "$@"`, dir]
}

/** Run a command where the daemon is, with its disks. */
function inside(pid: number, script: string, dir: string): void {
  const asUser = process.getuid?.() === 0 ? [] : ['--user', '--preserve-credentials']
  execFileSync('nsenter', ['--target', String(pid), '--mount', ...asUser, 'sh', '-c', script, dir], { stdio: 'pipe' })
}

it('a disk that turns read-only: answers go on as not stored, an alert says so, and all is well once it is writable', async () => {
  await using home = new DaemonHome()
  home.configure({ 'alerts.clearAfter': '1s', 'store.segmentBytes': '64KiB', 'inputs.sampleEvery': 1 })
  const { daemon, inferUrl, liveUrl, epoch, pid } = await home.serve({ under: onDisk(home.stateDir) })
  const console = await TestConsole.open(liveUrl)
  console.send({ t: 'subscribe', id: 's', topic: 'status', credits: 10_000 })
  console.send({ t: 'subscribe', id: 'a', topic: 'alerts', credits: 1000 })
  const status = () => console.of('status').at(-1)
  const failingAlerts = (state: AlertRecord['state']) =>
    (console.rows('a') as AlertRecord[]).filter((row) => row.rule === 'store_failing' && row.state === state)
  const picture = samplePicture(4)
  const before = await postPicture(inferUrl, picture)
  expect(before).toMatchObject({ code: 200, stored: true, epoch })

  // The kernel turns no disk read-only while files on it are open for writing; what is mounted over the folder leaves those
  // and refuses all others, so that the store fails with the next file that it makes.
  inside(pid, 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"', home.stateDir)
  let refused = 0
  await eventually(
    async () => {
      const answer = await postPicture(inferUrl, picture)
      expect(answer).toMatchObject({ code: 200, pred: 4 })
      if (answer.stored) return false
      expect(answer).toMatchObject({ epoch: null, seq: null, stored: false })
      refused += 1
      return refused > 20
    },
    { what: 'the store fails' },
  )
  await console.until(() => failingAlerts('firing').length === 1)
  expect(failingAlerts('firing')[0]).toMatchObject({ severity: 'critical', msg: expect.stringContaining('EROFS') })
  await console.until(() => {
    const { store, inference } = status() ?? {}
    return store?.state === 'failing' && inference?.counters.notStored === refused
  })

  inside(pid, 'umount "$0"', home.stateDir)
  let after = before
  await eventually(async () => {
    after = await postPicture(inferUrl, picture)
    if (!after.stored) refused += 1
    return after.stored
  })
  expect(after).toMatchObject({ code: 200, epoch, stored: true })
  expect(after.seq).toBeGreaterThan(before.seq as number)
  await console.until(() => failingAlerts('resolved').length === 1)
  await console.until(() => status()?.store.state === 'ok' && status()?.store.error === null)
  let lost: LedgerRecord[] = []
  const told = (): number => lost.reduce((sum, { records }) => sum + (records.normal ?? 0) + (records.abnormal ?? 0), 0)
  await eventually(async () => {
    const id = `l${console.of('end').length}`
    console.send({ t: 'read', id, topic: 'ledger', fromMs: 0, toMs: Date.now() + 60_000, limit: 1000 })
    await console.until(() => console.of('end').some((end) => end.id === id))
    lost = (console.rows(id) as LedgerRecord[]).filter(({ event }) => event === 'not_stored')
    return told() >= refused
  })
  expect(lost.map(({ reason }) => reason)).toEqual(lost.map(() => 'disk_refused'))
  expect(told()).toBe(refused)
  console.close()
  expect(await daemon.stop()).toEqual({ code: 0, signal: null })
})

it.each([
  ['is empty', ''],
  ['holds a store', 'mkdir -p "$0/store" && touch "$0/store/lock.db" &&'],
])('a disk that is read-only at the start and %s: the daemon refuses in one line with the cure', async (_, before) => {
  await using home = new DaemonHome()
  const daemon = home.start({ under: onDisk(home.stateDir, `${before} mount -o remount,ro "$0" &&`) })
  expect(await daemon.ended).toEqual({ code: 69, signal: null })
  expect(daemon.stderr).toMatch(/^edge-daemon: STORE_UNUSABLE: [^\n]*read-only[^\n]* → mount the disk[^\n]*\n$/)
})
