import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    // These run against a cluster: `npm run test:cluster`.
    exclude: ['**/node_modules/**', 'test/cluster/**'],
    environment: 'node',
    // Screens show local time; goldens are of one zone.
    env: { TZ: 'UTC' },
    pool: 'forks',
    maxWorkers: 2,
    // What a test waits for ends its wait; these are for the slowest machine.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // What is so ends the wait: the second that it takes by itself is little on a busy machine.
    expect: { poll: { timeout: 60_000 } },
  },
})
