import { useMutation } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { answer, api, type Schemas, type Task } from '~/api/client'

// What can be done with tasks. Each answers with the task as it is then, which is put wherever the task is known.

function useTook() {
  const { live } = useRouter().options.context
  return (task: Task) => live.tookTask(task)
}

const of = (id: string) => ({ path: { id } })

export function useStop() {
  return useMutation({
    mutationFn: (id: string) => answer<Task>(api.POST('/api/v1/mesh/tasks/{id}/stop', { params: of(id) })),
    onSuccess: useTook(),
  })
}

export function useCancel() {
  return useMutation({
    mutationFn: (id: string) => answer<Task>(api.POST('/api/v1/mesh/tasks/{id}/cancel', { params: of(id) })),
    onSuccess: useTook(),
  })
}

export function useAnswer() {
  return useMutation({
    mutationFn: ({ id, ...body }: Schemas['AnswerQuestion'] & { id: string }) =>
      answer<Task>(api.POST('/api/v1/mesh/tasks/{id}/answer', { params: of(id), body })),
    onSuccess: useTook(),
  })
}

export function useSend() {
  const took = useTook()
  return useMutation({
    mutationFn: ({ id, content }: { id: string; content: string }) =>
      answer(api.POST('/api/v1/mesh/tasks/{id}/messages', { params: of(id), body: { content } })),
    onSuccess: ({ task }) => took(task),
  })
}

export function useCreateTask() {
  return useMutation({
    mutationFn: (body: Schemas['CreateTask']) => answer<Task>(api.POST('/api/v1/mesh/tasks', { body })),
    onSuccess: useTook(),
  })
}
