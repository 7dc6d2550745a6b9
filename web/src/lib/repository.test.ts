import { expect, test } from 'vitest'
import { repositoryName } from './repository'

test('a repository is named by the end of its address', () => {
  expect(
    ['git@github.com:tern/gateway.git', 'https://example.com/tern/gateway/', '/srv/tern/gateway', 'gateway', '/'].map(
      repositoryName,
    ),
  ).toEqual(['tern/gateway', 'tern/gateway', 'tern/gateway', 'gateway', '/'])
})
