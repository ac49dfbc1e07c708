import { defineConfig } from 'vitest/config'

/** Tests against a real Kubernetes control plane with a real kubelet: `npm run test:cluster`. One cluster serves them all. */
export default defineConfig({
  test: {
    include: ['test/cluster/**/*.test.ts'],
    globalSetup: ['test/support/cluster/global-setup.ts'],
    environment: 'node',
    env: { TZ: 'UTC' },
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // What is so ends the wait: the second that it takes by itself is little on a busy machine.
    expect: { poll: { timeout: 60_000 } },
    teardownTimeout: 60_000,
  },
})
