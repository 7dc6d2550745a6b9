import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { Contract, Daemon, Task } from '~/api/client'
import { moment } from '~/lib/time'
import { Copy } from '~/ui/Copy'

/** Everything about a task that doesn't change from moment to moment. */
export function TaskFacts({ task, daemon, contract }: { task: Task; daemon?: Daemon; contract?: Contract }) {
  return (
    <aside
      aria-label="About the task"
      className="hidden w-[304px] shrink-0 overflow-y-auto border-line border-l bg-surface lg:block"
    >
      <Block title="Plan">
        <p className="max-h-60 overflow-y-auto whitespace-pre-wrap text-ink-2 wrap-anywhere">
          {task.plan.slice(0, 4000)}
        </p>
      </Block>
      <Block title="Code">
        <dl className="grid grid-cols-[80px_minmax(0,1fr)] items-center gap-x-2 gap-y-0.5">
          <Fact name="Repository" value={task.repository} mono copy />
          <Fact name="Starts from" value={task.baseBranch} mono />
          <Fact name="Commit" value={task.baseCommit?.slice(0, 12)} mono />
          <Fact name="Branch" value={task.branchName} mono copy />
          <Fact name="Worktree" value={task.worktreePath} mono copy />
          <Fact name="Checkpoint" value={task.lastCheckpointSha?.slice(0, 12)} mono />
        </dl>
      </Block>
      <Block title="Task">
        <dl className="grid grid-cols-[80px_minmax(0,1fr)] items-center gap-x-2 gap-y-0.5">
          {contract && (
            <Fact
              name="Contract"
              value={
                <Link
                  to="/contracts/$id"
                  params={{ id: contract.id }}
                  className="underline decoration-line-strong underline-offset-3"
                >
                  {contract.name}
                </Link>
              }
            />
          )}
          <Fact name="Daemon" value={daemon ? `${daemon.name}, ${daemon.status}` : undefined} />
          <Fact name="Role" value={task.role} />
          <Fact name="Made" value={moment(task.createdAt)} />
          <Fact name="Started" value={task.startedAt ? moment(task.startedAt) : undefined} />
          <Fact name="Ended" value={task.completedAt ? moment(task.completedAt) : undefined} />
          <Fact name="Id" value={task.id} mono copy />
        </dl>
      </Block>
    </aside>
  )
}

function Block({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="border-line border-b px-4 py-3">
      <h2 className="mb-1 font-semibold">{title}</h2>
      {children}
    </section>
  )
}

function Fact({ name, value, mono, copy }: { name: string; value?: ReactNode; mono?: boolean; copy?: boolean }) {
  if (!value) return null
  const text = typeof value === 'string' ? value : undefined
  return (
    <>
      <dt className="text-ink-3">{name}</dt>
      <dd className="flex min-w-0 items-center">
        <span className={mono ? 'mono truncate' : 'truncate'} title={text}>
          {value}
        </span>
        {copy && text && <Copy text={text} what={name.toLowerCase()} />}
      </dd>
    </>
  )
}
