import { expect, it } from 'vitest'
import { HeadlessDemo } from '../support/headless-demo.ts'

it('keeps records on the nodes while the cloud is down or a link is silent, and sends them afterwards', async () => {
  await using demo = new HeadlessDemo()
  await demo.untilServing()
  const { cloud } = demo.latest
  const backlogOf = (name: string) => demo.node(name).backlogRecords ?? 0

  demo.send('silence node-1')
  demo.send('cloud down')
  demo.send('garbage node-1')
  demo.send('garbage node-2')
  await demo.until('records wait', () => backlogOf('node-1') > 10 && backlogOf('node-2') > 10)
  expect(demo.latest.nodes.map((node) => node.state)).toEqual(['up', 'up', 'up'])

  demo.send('cloud up')
  await demo.until('node-2 has sent them', () => backlogOf('node-2') === 0)
  expect(demo.latest.cloud).toEqual(cloud)
  expect(backlogOf('node-1')).toBeGreaterThan(10)

  demo.send('restore node-1')
  await demo.until('node-1 has sent them', () => backlogOf('node-1') === 0)
  expect(demo.stderr).toBe('')
})
