import { useQuery } from '@tanstack/react-query'
import { CirclePause, Server } from 'lucide-react'
import type { Daemon } from '~/api/client'
import { Problem } from '~/api/problem'
import { daemonsQuery } from '~/api/queries'
import { useNow } from '~/lib/now'
import { clock, duration } from '~/lib/time'
import { classes } from '~/ui/classes'
import { Skeleton } from '~/ui/Skeleton'
import { Trouble } from '~/ui/Trouble'

/** The machines that run agents, and how much room each has. */
export function DaemonList() {
  const daemons = useQuery(daemonsQuery)
  const problem = daemons.error && Problem.from(daemons.error)
  const all = daemons.data?.daemons
  const online = all?.filter(({ status }) => status === 'online').length
  return (
    <section aria-labelledby="daemons" className="border-line border-b px-4 py-2.5">
      <div className="flex h-6 items-center">
        <h2 id="daemons" className="flex-1 font-semibold">
          Daemons
        </h2>
        {all && all.length > 0 && (
          <span className="text-ink-3">
            {online} of {all.length} online
          </span>
        )}
      </div>
      {problem && !all && (
        <Trouble
          what="The daemons can’t be shown"
          why={problem.message}
          requestId={problem.requestId}
          onRetry={() => void daemons.refetch()}
        />
      )}
      {!all && !problem && <Skeleton rows={2} height="h-12" />}
      {all?.length === 0 && (
        <p className="text-ink-2">
          None yet. A daemon runs agents on a machine: <code>makima daemon</code> there connects it to this server.
        </p>
      )}
      <ul>
        {all?.map(daemon => (
          <Row key={daemon.id} daemon={daemon} />
        ))}
      </ul>
    </section>
  )
}

function Row({ daemon }: { daemon: Daemon }) {
  const online = daemon.status === 'online'
  const Icon = online ? Server : CirclePause
  return (
    <li className="grid grid-cols-[16px_minmax(0,1fr)_auto] items-start gap-x-2 py-1">
      <Icon
        size={14}
        role="img"
        aria-label={daemon.status}
        className={classes('mt-[3px]', online ? 'text-ink-2' : 'text-interrupted')}
      />
      <div className="min-w-0">
        <p className="truncate font-semibold">{daemon.name}</p>
        <p className="truncate text-ink-2">
          {online ? <Beat at={daemon.lastHeartbeatAt} /> : `offline since ${clock(daemon.lastHeartbeatAt)}`}
        </p>
        <p className="truncate text-ink-3">{agents(daemon)}</p>
        {daemon.trouble && <p className="text-interrupted">{daemon.trouble}</p>}
      </div>
      <Capacity daemon={daemon} />
    </li>
  )
}

function agents({ agents }: Daemon): string {
  if (agents.length === 0) return 'no agents found'
  return agents.map(({ name, version }) => (version ? `${name} ${version}` : name)).join(', ')
}

function Beat({ at }: { at: string }) {
  return useNow(now => `heard ${duration(Math.max(0, Math.floor((now - Date.parse(at)) / 1000) * 1000))} ago`)
}

/** More places than these are told by numbers alone. */
const PLACES = 12

function Capacity({ daemon: { runningTasks, maxConcurrentTasks } }: { daemon: Daemon }) {
  return (
    <span className="flex items-center gap-1.5" title={`${runningTasks} of ${maxConcurrentTasks} workers run`}>
      {maxConcurrentTasks <= PLACES && (
        <span aria-hidden className="inline-grid grid-flow-col gap-0.5">
          {Array.from({ length: maxConcurrentTasks }, (_, n) => (
            <i
              // biome-ignore lint/suspicious/noArrayIndexKey: places have no other name
              key={n}
              className={classes('size-2 border', n < runningTasks ? 'border-running bg-running' : 'border-edge')}
            />
          ))}
        </span>
      )}
      <span className="mono">
        {runningTasks} / {maxConcurrentTasks}
      </span>
    </span>
  )
}
