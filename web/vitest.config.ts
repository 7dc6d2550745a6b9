import { defineConfig, mergeConfig } from 'vitest/config'
import vite from './vite.config.ts'

export default mergeConfig(
  vite,
  defineConfig({
    test: {
      include: ['src/**/*.test.{ts,tsx}'],
      // What needs a DOM says so in its first line: most is from values to values.
      environment: 'node',
      setupFiles: ['src/test/setup.ts'],
      restoreMocks: true,
      // A page's code is loaded by the first test that opens it: on a busy machine that takes its time.
      testTimeout: 60_000,
    },
  }),
)
