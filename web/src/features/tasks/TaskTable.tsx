import { Link } from '@tanstack/react-router'
import type { Daemon, Task } from '~/api/client'
import { dollars, short } from '~/lib/amount'
import { Ago } from '~/ui/Ago'
import { classes } from '~/ui/classes'
import { Cell, Head, Table, TableRow } from '~/ui/Table'
import { StatusIcon, StatusWord } from './TaskStatus'

/** Tasks, one a row. */
export function TaskTable({
  label,
  tasks,
  daemons,
}: {
  label: string
  tasks: readonly Task[]
  daemons: readonly Daemon[]
}) {
  return (
    <Table
      label={label}
      head={
        <>
          <Head>
            <span className="pl-[22px]">Name</span>
          </Head>
          <Head className="hidden w-[104px] sm:table-cell">Status</Head>
          <Head className="hidden w-[96px] md:table-cell">Daemon</Head>
          <Head className="hidden w-[22%] lg:table-cell">Branch</Head>
          <Head className="hidden w-[92px] md:table-cell" end>
            Checkpoints
          </Head>
          <Head className="hidden w-[72px] md:table-cell" end>
            Tokens
          </Head>
          <Head className="w-[72px]" end>
            Cost $
          </Head>
          <Head className="w-[84px]" end>
            Activity
          </Head>
        </>
      }
    >
      {tasks.map(task => (
        <Row key={task.id} task={task} daemon={daemons.find(({ id }) => id === task.daemonId)?.name} />
      ))}
    </Table>
  )
}

const OPEN = new Set(['pending', 'starting', 'running', 'waiting', 'interrupted', 'failed'])

function Row({ task, daemon }: { task: Task; daemon?: string }) {
  return (
    <TableRow>
      <Cell>
        <span className="flex items-center gap-2">
          <StatusIcon status={task.status} named />
          <Link
            to="/tasks/$id/conversation"
            params={{ id: task.id }}
            data-row
            className={classes('covers-row truncate', OPEN.has(task.status) && 'font-semibold')}
          >
            {task.name}
          </Link>
        </span>
      </Cell>
      <Cell className="hidden sm:table-cell">
        <StatusWord status={task.status} bare />
      </Cell>
      <Cell className="hidden text-ink-2 md:table-cell">{daemon ?? (task.daemonId ? 'gone' : 'any')}</Cell>
      <Cell className="hidden text-ink-2 lg:table-cell" mono>
        {task.branchName}
      </Cell>
      <Cell className="hidden md:table-cell" mono end>
        {task.checkpointCount}
      </Cell>
      <Cell className="hidden md:table-cell" mono end>
        {short(task.totalTokens)}
      </Cell>
      <Cell mono end>
        {dollars(task.totalCost)}
      </Cell>
      <Cell className="text-ink-2" end>
        <Ago at={task.updatedAt ?? task.createdAt} />
      </Cell>
    </TableRow>
  )
}
