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
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
