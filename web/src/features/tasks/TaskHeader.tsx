import { Link } from '@tanstack/react-router'
import type { Daemon, Task } from '~/api/client'
import { Problem } from '~/api/problem'
import { PERMISSION_WORDS } from '~/features/conversation/call'
import { dollars, short } from '~/lib/amount'
import { useNow } from '~/lib/now'
import { duration, moment } from '~/lib/time'
import { Button } from '~/ui/Button'
import { Copy } from '~/ui/Copy'
import { Meta } from '~/ui/Meta'
import { Trouble } from '~/ui/Trouble'
import { useCancel, useStop } from './actions'
import { isLive, StatusWord } from './TaskStatus'

/** What a task is and where it stands, with what can be done about it. */
export function TaskHeader({ task, daemon }: { task: Task; daemon?: Daemon }) {
  const stop = useStop()
  const cancel = useCancel()
  const failed = stop.error ?? cancel.error
  const problem = failed && Problem.from(failed)
  const busy = stop.isPending || cancel.isPending
  return (
    <div className="border-line border-b bg-surface px-4 pt-3">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h1 className="min-w-0 truncate font-semibold text-20 -tracking-[.005em]">{task.name}</h1>
        <StatusWord status={task.status} strong />
        <span className="flex-1" />
        {isLive(task.status) && (
          <Button
            disabled={busy}
            onClick={() => stop.mutate(task.id)}
            title="Ends the turn; everything it said and did stays"
          >
            {stop.isPending ? 'Stopping' : 'Stop'}
          </Button>
        )}
        {task.status !== 'cancelled' && task.status !== 'completed' && (
          <Button
            kind="bare"
            disabled={busy}
            onClick={() => cancel.mutate(task.id)}
            title="Stops it and sets the task aside; everything it said and did stays"
          >
            {cancel.isPending ? 'Cancelling' : 'Cancel task'}
          </Button>
        )}
      </div>
      <Meta>
        <span className="inline-flex items-center gap-1">
          <code>{task.branchName}</code>
          <Copy text={task.branchName} what="branch" />
        </span>
        <span>
          {task.runNumber > 0 ? `run ${task.runNumber}` : 'not started'}
          {task.daemonId && ` on ${daemon?.name ?? 'a daemon that is gone'}`}
        </span>
        <span>
          {task.agent ?? 'the daemon’s agent'}
          {task.permissionMode && `, ${PERMISSION_WORDS[task.permissionMode]}`}
        </span>
        <span>${dollars(task.totalCost)}</span>
        <span>{short(task.totalTokens)} tokens</span>
        <Took task={task} />
      </Meta>
      {task.statusReason && task.status !== 'waiting' && <p className="text-ink-2">{task.statusReason}</p>}
      {problem && (
        <div className="mt-2">
          <Trouble
            what={stop.error ? 'The task was not stopped' : 'The task was not cancelled'}
            why={problem.message}
            requestId={problem.requestId}
          />
        </div>
      )}
      <Tabs task={task} />
    </div>
  )
}

function Took({ task }: { task: Task }) {
  const ms = useNow(now => {
    if (!task.startedAt) return -1
    const end = task.completedAt && !isLive(task.status) ? Date.parse(task.completedAt) : now
    // Whole seconds, so that it changes once a second at most.
    return Math.max(0, Math.floor((end - Date.parse(task.startedAt)) / 1000) * 1000)
  })
  if (ms < 0 || !task.startedAt) return null
  return <span title={`Since ${moment(task.startedAt)}`}>{duration(ms)}</span>
}

const TAB =
  'h-8 border-transparent border-b-2 leading-[30px] whitespace-nowrap text-ink-2 hover:text-ink data-[status=active]:border-ink data-[status=active]:font-semibold data-[status=active]:text-ink'

function Tabs({ task }: { task: Task }) {
  return (
    <nav aria-label="Task" className="mt-1 flex gap-5">
      <Link to="/tasks/$id/conversation" params={{ id: task.id }} className={TAB}>
        Conversation <span className="font-normal text-ink-3">{task.messageCount.toLocaleString('en-US')}</span>
      </Link>
      <Link to="/tasks/$id/checkpoints" params={{ id: task.id }} className={TAB}>
        Checkpoints <span className="font-normal text-ink-3">{task.checkpointCount}</span>
      </Link>
    </nav>
  )
}
