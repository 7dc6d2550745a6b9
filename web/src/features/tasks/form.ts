import type { Daemon, Schemas, Task } from '~/api/client'

/** A task as it is filled in: what is empty is left to the server. */
export interface TaskForm {
  plan: string
  name?: string
  repository?: string
  baseBranch?: string
  agent?: string
  permissionMode?: Schemas['PermissionMode'] | ''
  contractId?: string
  daemonId?: string
}

/** The body that makes the task. */
export function taskOf(form: TaskForm): Schemas['CreateTask'] {
  return {
    plan: form.plan.trim(),
    name: form.name?.trim() || undefined,
    repository: form.repository?.trim() || undefined,
    baseBranch: form.baseBranch?.trim() || undefined,
    agent: form.agent || undefined,
    permissionMode: form.permissionMode || undefined,
    contractId: form.contractId || undefined,
    targetDaemonId: form.daemonId || undefined,
  }
}

/** The agents that connected daemons have, by name; of one daemon, where it was chosen. */
export function agentsOf(daemons: readonly Daemon[], daemonId?: string): Schemas['AgentInfo'][] {
  const asked = daemons.filter(({ id, status }) => (daemonId ? id === daemonId : status === 'online'))
  const byName = new Map<string, Schemas['AgentInfo']>()
  for (const agent of asked.flatMap(({ agents }) => agents)) {
    byName.set(agent.name, { ...agent, default: agent.default || (byName.get(agent.name)?.default ?? false) })
  }
  return [...byName.values()].sort((a, b) => a.name.localeCompare(b.name))
}

/** The repositories of tasks, the one last used first. */
export function repositoriesOf(tasks: readonly Task[]): string[] {
  return [...new Set(tasks.map(({ repository }) => repository))].slice(0, 20)
}
