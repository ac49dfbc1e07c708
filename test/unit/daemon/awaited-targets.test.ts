import { expect, it } from 'vitest'
import { loadConfig } from '../../../edge-daemon/config/load.ts'
import { awaitedTargets } from '../../../edge-daemon/uplinks.ts'

const REGIONS = 'eu=nats://eu:4222;us=nats://us:4222'

it.each([
  ['nothing is configured', {}, []],
  ['servers in short', { EDGE_UPSTREAM_NATS_SERVERS: 'nats://hub:4222' }, [['nats']]],
  [
    'one region and HTTP',
    { EDGE_UPSTREAM_REGIONS: 'eu=nats://eu:4222', EDGE_UPSTREAM_HTTP_URL: 'https://hub/' },
    [['eu'], ['http']],
  ],
  [
    'regions that stand in for each other',
    { EDGE_UPSTREAM_REGIONS: REGIONS, EDGE_UPSTREAM_HTTP_URL: 'https://hub/' },
    [['eu', 'us'], ['http']],
  ],
  [
    'regions that all get everything',
    { EDGE_UPSTREAM_REGIONS: REGIONS, EDGE_UPSTREAM_REGION_MODE: 'all' },
    [['eu'], ['us']],
  ],
])('what is kept waits for: %s', (_, env: Record<string, string>, groups) => {
  const { config } = loadConfig({ file: null, env, flags: {} })
  expect(awaitedTargets(config)).toEqual(groups)
})
