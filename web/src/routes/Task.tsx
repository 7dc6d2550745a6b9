import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, Outlet } from '@tanstack/react-router'
import { isAbsent, Problem } from '~/api/problem'
import { contractQuery, daemonsQuery, taskQuery } from '~/api/queries'
import { NotThere } from '~/features/shell/NotThere'
import { Page } from '~/features/shell/Page'
import { useTitle } from '~/features/shell/useTitle'
import { TaskFacts } from '~/features/tasks/TaskFacts'
import { TaskHeader } from '~/features/tasks/TaskHeader'
import { Skeleton } from '~/ui/Skeleton'
import { Trouble } from '~/ui/Trouble'

const route = getRouteApi('/_app/tasks/$id')

/** A task: its header, one of its tabs, and what it is at the right. */
export function TaskPage() {
  const { id } = route.useParams()
  const { data: task, error, refetch } = useQuery(taskQuery(id))
  const contract = useQuery({ ...contractQuery(task?.contractId ?? ''), enabled: !!task?.contractId }).data
  const daemon = useQuery(daemonsQuery).data?.daemons.find(each => each.id === task?.daemonId)
  useTitle(task?.name ?? 'Task')
  const problem = error && Problem.from(error)
  if (problem && !task && isAbsent(problem)) return <NotThere what="task" />
  const crumbs = [
    <Link key="home" to="/">
      {contract ? 'Contracts' : 'Tasks'}
    </Link>,
    ...(contract
      ? [
          <Link key="contract" to="/contracts/$id" params={{ id: contract.id }}>
            {contract.name}
          </Link>,
        ]
      : []),
    task?.name ?? 'Task',
  ]
  return (
    <Page crumbs={crumbs}>
      {problem && !task && (
        <div className="p-4">
          <Trouble
            what="The task can’t be shown"
            why={problem.message}
            requestId={problem.requestId}
            onRetry={() => void refetch()}
          />
        </div>
      )}
      {!task && !problem && <Skeleton rows={3} height="h-9" />}
      {task && (
        <div className="flex h-full flex-col">
          <TaskHeader task={task} daemon={daemon} />
          <div className="flex min-h-0 flex-1">
            <div className="min-w-0 flex-1">
              <Outlet />
            </div>
            <TaskFacts task={task} daemon={daemon} contract={contract} />
          </div>
        </div>
      )}
    </Page>
  )
}
