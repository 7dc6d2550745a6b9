import { useState } from 'react'
import type { Task } from '~/api/client'
import { Problem } from '~/api/problem'
import { useSend } from '~/features/tasks/actions'
import { isLive } from '~/features/tasks/TaskStatus'
import { Button } from '~/ui/Button'
import { COMMAND, Kbd } from '~/ui/Kbd'
import { Trouble } from '~/ui/Trouble'

/** Says something to the agent: at the end of its turn, or in a new run. */
export function SendBox({ task, onSent }: { task: Task; onSent: (id: string, content: string) => void }) {
  const [words, setWords] = useState('')
  const send = useSend()
  const problem = send.error && Problem.from(send.error)
  const submit = () => {
    const content = words.trim()
    if (!content || send.isPending) return
    send.mutate(
      { id: task.id, content },
      {
        onSuccess: ({ messageId }) => {
          setWords('')
          onSent(messageId, content)
        },
      },
    )
  }
  return (
    <form
      className="flex flex-col gap-1.5 border-line border-t bg-surface px-4 py-2"
      onSubmit={event => {
        event.preventDefault()
        submit()
      }}
    >
      {problem && <Trouble what="The message was not taken" why={problem.message} requestId={problem.requestId} />}
      <div className="flex items-end gap-2">
        <textarea
          aria-label="Message to the agent"
          placeholder={
            isLive(task.status)
              ? 'Say something when its turn has ended'
              : 'Go on with a message: it starts the agent again'
          }
          rows={1}
          value={words}
          onChange={event => setWords(event.target.value)}
          onKeyDown={event => {
            if (event.key === 'Enter' && (event.metaKey || event.ctrlKey)) {
              event.preventDefault()
              submit()
            }
          }}
          className="field-sizing-content max-h-40 min-h-7 min-w-0 flex-1 resize-none rounded-4 border border-edge bg-bg px-2 py-[3px]"
        />
        <Button type="submit" disabled={send.isPending || !words.trim()}>
          Send <Kbd>{`${COMMAND}↵`}</Kbd>
        </Button>
      </div>
    </form>
  )
}
