import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { isAbsent, Problem } from '~/api/problem'
import { contractQuery, daemonsQuery, tasksQuery } from '~/api/queries'
import { ContractHeader } from '~/features/contracts/ContractHeader'
import { Waiting } from '~/features/questions/Waiting'
import { NotThere } from '~/features/shell/NotThere'
import { Page } from '~/features/shell/Page'
import { useRowKeys } from '~/features/shell/useRowKeys'
import { useTitle } from '~/features/shell/useTitle'
import { TaskTable } from '~/features/tasks/TaskTable'
import { Button, buttonLook } from '~/ui/Button'
import { Empty } from '~/ui/Empty'
import { Skeleton } from '~/ui/Skeleton'
import { Trouble } from '~/ui/Trouble'

const route = getRouteApi('/_app/contracts/$id')

/** A contract: how far it is, and its tasks. */
export function ContractPage() {
  const { id } = route.useParams()
  const { data: contract, error, refetch } = useQuery(contractQuery(id))
  useTitle(contract?.name ?? 'Contract')
  useRowKeys()
  const problem = error && Problem.from(error)
  if (problem && !contract && isAbsent(problem)) return <NotThere what="contract" />
  const crumbs = [
    <Link key="home" to="/">
      Contracts
    </Link>,
    contract?.name ?? 'Contract',
  ]
  return (
    <Page crumbs={crumbs}>
      <div className="h-full overflow-y-auto">
        {problem && !contract && (
          <div className="p-4">
            <Trouble
              what="The contract can’t be shown"
              why={problem.message}
              requestId={problem.requestId}
              onRetry={() => void refetch()}
            />
          </div>
        )}
        {!contract && !problem && <Skeleton rows={3} height="h-9" />}
        {contract && <ContractHeader contract={contract} />}
        {contract && <Tasks id={id} />}
      </div>
    </Page>
  )
}

function Tasks({ id }: { id: string }) {
  const list = useInfiniteQuery(tasksQuery({ contractId: id }))
  const daemons = useQuery(daemonsQuery).data?.daemons ?? []
  const tasks = list.data?.pages.flatMap(page => page.tasks)
  const waiting = tasks?.filter(task => task.pendingQuestion) ?? []
  const problem = list.error && Problem.from(list.error)
  return (
    <div className="px-4 pb-8">
      {waiting.length > 0 && (
        <section aria-labelledby="waits" className="mt-4">
          <h2 id="waits" className="mb-1 font-semibold text-15">
            Waits for you <span className="font-normal text-13 text-ink-3">{waiting.length}</span>
          </h2>
          <Waiting tasks={waiting} />
        </section>
      )}
      <section aria-labelledby="tasks" className="mt-4">
        <div className="flex min-h-8 items-center gap-2">
          <h2 id="tasks" className="font-semibold text-15">
            Tasks <span className="font-normal text-13 text-ink-3">{list.data?.pages[0]?.totalCount}</span>
          </h2>
          <span className="flex-1" />
          <Link
            from="/contracts/$id"
            to="."
            search={before => ({ ...before, new: 'task' })}
            className={buttonLook('plain', true)}
          >
            New task
          </Link>
        </div>
        {problem && !tasks && (
          <Trouble
            what="The tasks can’t be shown"
            why={problem.message}
            requestId={problem.requestId}
            onRetry={() => void list.refetch()}
          />
        )}
        {!tasks && !problem && <Skeleton rows={4} />}
        {tasks && tasks.length > 0 && <TaskTable label="Tasks of the contract" tasks={tasks} daemons={daemons} />}
        {tasks?.length === 0 && (
          <Empty title="No tasks yet">
            Each task is one agent that works on a part of this goal, on a branch of its own that starts from the
            contract’s. Make the first with New task.
          </Empty>
        )}
        {list.hasNextPage && (
          <Button className="mt-2" small disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            Show older
          </Button>
        )}
      </section>
    </div>
  )
}
