import { expect, test } from 'vitest'
import { DaemonHome, postPicture } from '../../support/edge-daemon.ts'
import { TestConsole } from '../../support/live-node.ts'
import { samplePicture } from '../../support/pictures.ts'

/** Ask for the picture of a result: its bytes and type, or the code of the refusal. */
async function fetched(console: TestConsole, seq: number): Promise<{ type: string; bytes: Buffer } | string> {
  const id = `p${seq}`
  console.send({ t: 'fetch', id, seq })
  const pieces = () => console.of('picture').filter((frame) => frame.id === id)
  const refusal = () => console.of('error').find((frame) => frame.id === id)
  await console.until(() => refusal() !== undefined || pieces().at(-1)?.last === true)
  const code = refusal()?.code
  if (code !== undefined) return code
  const bytes = Buffer.concat(pieces().map(({ data }) => Buffer.from(data, 'base64')))
  return { type: pieces()[0]?.contentType ?? '', bytes }
}

test('the picture of an abnormal result can be fetched, also after kill -9, and that of a normal one is not kept', async () => {
  await using home = new DaemonHome()
  home.configure({
    'filter.abnormal': [
      { name: 'seven', when: 'result.pred == 7' },
      { name: 'odd', when: 'result.code != 200' },
    ],
  })
  const first = await home.serve()
  const broken = Buffer.from('no picture at all')
  const odd = await postPicture(first.inferUrl, broken)
  const seven = await postPicture(first.inferUrl, samplePicture(7))
  const one = await postPicture(first.inferUrl, samplePicture(1))
  expect([odd.stored, seven.pred, one.pred]).toEqual([true, 7, 1])
  first.daemon.kill()
  await first.daemon.ended
  const { daemon, liveUrl } = await home.serve()
  const console = await TestConsole.open(liveUrl)
  expect(await fetched(console, odd.seq ?? 0)).toEqual({ type: 'application/octet-stream', bytes: broken })
  expect(await fetched(console, seven.seq ?? 0)).toEqual({ type: 'image/png', bytes: Buffer.from(samplePicture(7)) })
  expect(await fetched(console, one.seq ?? 0)).toBe('PICTURE_NOT_KEPT')
  console.send({ t: 'read', id: 'r', topic: 'results', fromMs: 0, toMs: 2e14, limit: 10 })
  await console.until(() => console.of('end').length === 1)
  expect(console.rows('r')).toMatchObject([
    { seq: odd.seq, reason: 'odd' },
    { seq: seven.seq, reason: 'seven' },
    { seq: one.seq },
  ])
  console.send({ t: 'read', id: 'a', topic: 'audit', fromMs: 0, toMs: 2e14, limit: 10 })
  await console.until(() => console.of('end').length === 2)
  expect(console.rows('a')).toMatchObject([
    { phase: 'outcome', verb: 'fetch', args: { seq: odd.seq }, code: 'OK', who: { kind: 'local' } },
    { phase: 'outcome', verb: 'fetch', args: { seq: seven.seq }, code: 'OK' },
    { phase: 'refused', verb: 'fetch', args: { seq: one.seq }, code: 'PICTURE_NOT_KEPT' },
  ])
  console.close()
  await daemon.stop()
})

test('a node that lets nobody see pictures says so', async () => {
  await using home = new DaemonHome()
  home.configure({ 'control.pictures': 'deny' })
  const { daemon, inferUrl, liveUrl } = await home.serve()
  const { seq } = await postPicture(inferUrl, Buffer.from('no picture'))
  const console = await TestConsole.open(liveUrl)
  expect(await fetched(console, seq ?? 0)).toBe('COMMAND_REFUSED')
  console.close()
  await daemon.stop()
})
