import { defineConfig } from 'vitest/config'

// In real Chromium, against the built program.
export default defineConfig({
  test: {
    include: ['e2e/**/*.e2e.ts'],
    environment: 'node',
    testTimeout: 60_000,
    hookTimeout: 90_000,
    // Two cores: one browser and one server at a time.
    fileParallelism: false,
  },
})
