import { afterEach, beforeAll } from 'vitest'

beforeAll(async () => {
  if (typeof document === 'undefined') return
  const { configure } = await import('@testing-library/react')
  // Conditions are waited for as long as a busy machine takes to load a page's code.
  configure({ asyncUtilTimeout: 20_000 })
})

afterEach(async () => {
  if (typeof document === 'undefined') return
  const { cleanup } = await import('@testing-library/react')
  cleanup()
})
