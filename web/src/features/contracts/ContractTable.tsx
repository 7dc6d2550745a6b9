import { Link } from '@tanstack/react-router'
import { CircleDashed } from 'lucide-react'
import type { Contract } from '~/api/client'
import { StatusIcon } from '~/features/tasks/TaskStatus'
import { dollars, short } from '~/lib/amount'
import { repositoryName } from '~/lib/repository'
import { Ago } from '~/ui/Ago'
import { classes } from '~/ui/classes'
import { Cell, Head, Table, TableRow } from '~/ui/Table'
import { PhaseBar } from './PhaseBar'
import { foremost, TaskCounts } from './TaskCounts'

/** Contracts, one a row. */
export function ContractTable({ contracts }: { contracts: readonly Contract[] }) {
  return (
    <Table
      label="Contracts"
      head={
        <>
          <Head>
            <span className="pl-[22px]">Name</span>
          </Head>
          <Head className="hidden w-[138px] sm:table-cell">Phase</Head>
          <Head className="hidden w-[148px] sm:table-cell">Tasks</Head>
          <Head className="hidden w-[132px] lg:table-cell">Repository</Head>
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
      {contracts.map(contract => (
        <Row key={contract.id} contract={contract} />
      ))}
    </Table>
  )
}

function Row({ contract }: { contract: Contract }) {
  const status = foremost(contract)
  return (
    <TableRow>
      <Cell>
        <span className="flex items-center gap-2">
          {status ? (
            <StatusIcon status={status} named />
          ) : (
            <CircleDashed size={14} role="img" aria-label="no tasks" className="shrink-0 text-cancelled" />
          )}
          <Link
            to="/contracts/$id"
            params={{ id: contract.id }}
            data-row
            className={classes('covers-row truncate', contract.status === 'active' && 'font-semibold')}
          >
            {contract.name}
          </Link>
        </span>
      </Cell>
      <Cell className="hidden sm:table-cell">
        <PhaseBar phase={contract.phase} status={contract.status} />
      </Cell>
      <Cell className="hidden sm:table-cell">
        <TaskCounts counts={contract.taskCounts} />
      </Cell>
      <Cell className="hidden text-ink-2 lg:table-cell" mono>
        {repositoryName(contract.repository)}
      </Cell>
      <Cell className="hidden md:table-cell" mono end>
        {contract.checkpointCount}
      </Cell>
      <Cell className="hidden md:table-cell" mono end>
        {short(contract.totalTokens ?? 0)}
      </Cell>
      <Cell mono end>
        {dollars(contract.totalCost ?? 0)}
      </Cell>
      <Cell className="text-ink-2" end>
        <Ago at={contract.lastActivityAt ?? contract.updatedAt} />
      </Cell>
    </TableRow>
  )
}
