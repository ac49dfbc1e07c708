import { expect, test } from 'vitest'
import { DaemonHome, LAUNCHER, postPicture, runDaemon } from '../../support/edge-daemon.ts'
import { samplePicture } from '../../support/pictures.ts'

function rulesTest(home: DaemonHome, ...args: string[]): ReturnType<typeof runDaemon> {
  return runDaemon([process.execPath, LAUNCHER, 'rules', 'test', '--config', home.configFile, ...args])
}

test('rules test tries rules on what a running node has kept, and the node goes on', async () => {
  await using home = new DaemonHome()
  const { daemon, inferUrl } = await home.serve()
  for (let digit = 0; digit < 10; digit += 1) await postPicture(inferUrl, samplePicture(digit))
  await postPicture(inferUrl, Buffer.from('no picture'))

  const configured = await rulesTest(home, '-o', 'json')
  expect(configured).toMatchObject({ code: 0, stderr: '' })
  expect(JSON.parse(configured.stdout)).toMatchObject({
    results: 11,
    sealedBlocks: 0,
    rules: [
      { rule: 'failed', matched: 0 },
      { rule: 'undecodable', matched: 1, examples: [{ code: 422 }] },
      { rule: 'low_confidence' },
    ],
  })

  const typed = await rulesTest(home, '--rule', 'result.code == 200 && result.pred == 7', '--from', '10m')
  expect(typed).toMatchObject({ code: 0, stderr: '' })
  expect(typed.stdout).toMatch(/^11 results from \d{4}-.*\n1 would be abnormal \(9\.09 %\); \d+ were/)
  expect(typed.stdout).toMatch(/\nRULE +MATCHES +SHARE +REASON OF\nrule +1 +9\.09 % +1\n\nrule, the last 1:\n/)

  const later = await rulesTest(home, '--from', '2099-01-01T00:00:00Z')
  expect(later).toMatchObject({ code: 0, stdout: 'No results are kept in this range.\n' })
  expect((await postPicture(inferUrl, samplePicture(1))).stored).toBe(true)
  await daemon.stop()
})

test('rules test says what is wrong, in lines with a cure, and with the code of whose fault it is', async () => {
  await using home = new DaemonHome()
  const none = await rulesTest(home)
  expect(none).toMatchObject({ code: 69, stdout: '' })
  expect(none.stderr).toContain('there is no store in')

  const typed = await rulesTest(home, '--rule', 'result.code > 1 && result.totl > 50.0')
  expect(typed.code).toBe(64)
  expect(typed.stderr).toContain('result.code > 1 && result.totl > 50.0\n                          ^ → fields are')

  expect(await rulesTest(home, '--from', 'yesterday')).toMatchObject({ code: 64 })
  expect(await rulesTest(home, '-o', 'yaml')).toMatchObject({ code: 64 })
  expect(await runDaemon([process.execPath, LAUNCHER, 'rules', 'dance'])).toMatchObject({ code: 64 })

  home.configure({ 'filter.abnormal': [{ name: 'slow', when: 'result.totl > 50.0' }] })
  const configured = await rulesTest(home)
  expect(configured.code).toBe(78)
  expect(configured.stderr).toMatch(
    /edge-daemon\.yaml:\d+:\d+: filter\.abnormal\.0\.when: rule "slow": No such key: totl; fields are result\.code, /,
  )
})
