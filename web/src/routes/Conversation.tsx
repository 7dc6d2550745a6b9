import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { taskQuery } from '~/api/queries'
import { ConversationView } from '~/features/conversation/ConversationView'

const route = getRouteApi('/_app/tasks/$id/conversation')

/** What was said and done in a task. */
export function ConversationPage() {
  const { id } = route.useParams()
  const task = useQuery(taskQuery(id)).data
  // Another task's conversation begins anew: at its end, with nothing unfolded.
  return task ? <ConversationView key={id} task={task} /> : null
}
