import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { taskQuery } from '~/api/queries'
import { CheckpointList } from '~/features/checkpoints/CheckpointList'

const route = getRouteApi('/_app/tasks/$id/checkpoints')

/** The checkpoints of a task. */
export function CheckpointsPage() {
  const { id } = route.useParams()
  const task = useQuery(taskQuery(id)).data
  return task ? <CheckpointList key={id} task={task} /> : null
}
