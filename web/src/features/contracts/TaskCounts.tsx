import type { Contract, TaskStatus } from '~/api/client'
import { STATUSES, StatusIcon } from '~/features/tasks/TaskStatus'

/** How many tasks of a contract stand where. */
export function TaskCounts({ counts }: { counts: Contract['taskCounts'] | undefined }) {
  const there = STATUSES.filter(status => (counts?.[status] ?? 0) > 0)
  return (
    <span className="inline-flex h-5 items-center gap-2.5 align-top">
      {there.map(status => (
        <span key={status} className="mono inline-flex items-center gap-1" title={`${counts?.[status]} ${status}`}>
          <StatusIcon status={status} named />
          {counts?.[status]}
        </span>
      ))}
    </span>
  )
}

/** What of a contract's tasks a person should know first. */
export function foremost(contract: Contract): TaskStatus | undefined {
  return STATUSES.find(status => (contract.taskCounts?.[status] ?? 0) > 0)
}
