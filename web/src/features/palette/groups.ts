import type { AnyRouter } from '@tanstack/react-router'
import type { Contract, Task, TaskStatus } from '~/api/client'
import { repositoryName } from '~/lib/repository'
import { chooseTheme } from '~/lib/theme'
import { openKeys } from './open'

/** Something to go to or to do. */
export interface Entry {
  value: string
  label: string
  note?: string
  status?: TaskStatus
  go: (router: AnyRouter) => void
}

export interface Group {
  value: string
  items: Entry[]
}

const ACTIONS: Entry[] = [
  { value: 'new task', label: 'New task', go: router => void router.navigate({ to: '.', search: opened('task') }) },
  {
    value: 'new contract',
    label: 'New contract',
    go: router => void router.navigate({ to: '.', search: opened('contract') }),
  },
  { value: 'home', label: 'Contracts and tasks', go: router => void router.navigate({ to: '/' }) },
  { value: 'docs', label: 'API reference', go: router => void router.navigate({ to: '/docs' }) },
  { value: 'keys', label: 'Keys', note: '?', go: openKeys },
  { value: 'system', label: 'Theme: system', go: () => chooseTheme('system') },
  { value: 'light', label: 'Theme: light', go: () => chooseTheme('light') },
  { value: 'dark', label: 'Theme: dark', go: () => chooseTheme('dark') },
]

function opened(what: 'task' | 'contract') {
  return (before: object) => ({ ...before, new: what })
}

const MOST = 12

/** What fits the words. The server has found the tasks and contracts, also by what stands in them. */
export function groups(words: string, contracts: readonly Contract[], tasks: readonly Task[]): Group[] {
  const wanted = words.trim().toLowerCase()
  const found: Group[] = [
    { value: 'Tasks', items: tasks.slice(0, MOST).map(taskEntry) },
    { value: 'Contracts', items: contracts.slice(0, MOST).map(contractEntry) },
  ]
  const actions = { value: 'Actions', items: ACTIONS.filter(({ label }) => label.toLowerCase().includes(wanted)) }
  // Without words it is asked what there is to do; with words, most often for a task.
  const all = wanted ? [...found, actions] : [actions, ...found]
  return all.filter(({ items }) => items.length > 0)
}

function taskEntry(task: Task): Entry {
  return {
    value: task.id,
    label: task.name,
    note: repositoryName(task.repository),
    status: task.status,
    go: router => void router.navigate({ to: '/tasks/$id/conversation', params: { id: task.id } }),
  }
}

function contractEntry(contract: Contract): Entry {
  return {
    value: contract.id,
    label: contract.name,
    note: contract.status === 'active' ? contract.phase : contract.status,
    go: router => void router.navigate({ to: '/contracts/$id', params: { id: contract.id } }),
  }
}
