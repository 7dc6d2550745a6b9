import { expect, test } from 'vitest'
import { daemon, task } from '~/test/samples'
import { agentsOf, repositoriesOf, taskOf } from './form'

test('what is left empty is left to the server', () => {
  const form = {
    plan: '  Fix it \n',
    name: ' ',
    repository: ' /srv/app ',
    permissionMode: '' as const,
    agent: '',
    daemonId: 'd',
  }
  expect(taskOf(form)).toEqual({ plan: 'Fix it', repository: '/srv/app', targetDaemonId: 'd' })
})

test('agents are those of connected daemons, each once', () => {
  const claude = { name: 'claude', default: false }
  const daemons = [
    daemon({ id: '1', agents: [claude, { name: 'codex', default: true }] }),
    daemon({ id: '2', agents: [{ ...claude, default: true }] }),
    daemon({ id: '3', status: 'offline', agents: [{ name: 'other', default: true }] }),
  ]
  expect(agentsOf(daemons).map(agent => [agent.name, agent.default])).toEqual([
    ['claude', true],
    ['codex', true],
  ])
  expect(agentsOf(daemons, '2').map(({ name }) => name)).toEqual(['claude'])
})

test('repositories are offered once each, the newest first', () => {
  expect(repositoriesOf([task({ repository: 'b' }), task({ repository: 'a' }), task({ repository: 'b' })])).toEqual([
    'b',
    'a',
  ])
})
