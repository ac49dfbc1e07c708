import { describe, expect, inject, it } from 'vitest'
import { AdminApi } from '../support/cluster/api.ts'
import { createNamespace, createPod, podUntil, runs } from '../support/cluster/pods.ts'

describe('the cluster of the tests', () => {
  it('runs a pod of two containers on its node, and starts one again that ends', async () => {
    const { server, caFile, admin } = inject('cluster')
    const api = new AdminApi(server, caFile, admin)
    await createNamespace(api, 'trial')
    const steady = { namespace: 'trial', name: 'steady' }
    const ending = { namespace: 'trial', name: 'ending' }
    await createPod(api, { ...steady, containers: [{ name: 'one' }, { name: 'two' }] })
    await createPod(api, { ...ending, containers: [{ name: 'one', command: ['false'] }] })

    expect((await podUntil(api, steady, runs)).status.phase).toBe('Running')
    const again = await podUntil(api, ending, ({ status }) => (status.containerStatuses?.[0]?.restartCount ?? 0) > 0)
    expect(again.status.containerStatuses?.[0]?.name).toBe('one')
  })
})
