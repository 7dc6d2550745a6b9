import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { Contract, Tagged } from '~/api/client'
import { Problem } from '~/api/problem'
import { taggedContractQuery } from '~/api/queries'
import { plain } from '~/lib/plain'
import { Button } from '~/ui/Button'
import { Dialog, DialogBody, DialogFoot } from '~/ui/Dialog'
import { TextArea, TextField } from '~/ui/Field'
import { Skeleton } from '~/ui/Skeleton'
import { Trouble } from '~/ui/Trouble'
import { useChangeContract } from './actions'
import { changesOf, type Draft, rebased } from './edit'

interface Props {
  id: string
  onClose: () => void
}

/** Changes what a contract is called and what its goal is, as it was when this was opened. */
export function EditContract({ id, onClose }: Props) {
  const read = useQuery(taggedContractQuery(id))
  const problem = read.error && Problem.from(read.error)
  const again = async () => (await read.refetch({ throwOnError: true })).data
  return (
    <Dialog title="Edit contract" onClose={onClose}>
      {read.data && <EditForm id={id} onClose={onClose} opened={read.data} again={again} />}
      {!read.data && (
        <DialogBody>
          {problem ? (
            <Trouble
              what="The contract can’t be read"
              why={problem.message}
              requestId={problem.requestId}
              onRetry={() => void read.refetch()}
            />
          ) : (
            <Skeleton rows={4} />
          )}
        </DialogBody>
      )}
    </Dialog>
  )
}

interface FormProps extends Props {
  opened: Tagged<Contract>
  /** Reads the contract again. */
  again: () => Promise<Tagged<Contract> | undefined>
}

function EditForm({ id, onClose, opened, again }: FormProps) {
  const [seen, setSeen] = useState(opened)
  const [typed, setTyped] = useState<Draft>(() => draftOf(opened.value))
  const [both, setBoth] = useState<(keyof Draft)[]>()
  const change = useChangeContract(id)
  const problem = change.error && Problem.from(change.error)
  const changes = changesOf(draftOf(seen.value), typed)
  const whole = typed.name.trim() !== '' && Object.keys(changes).length > 0
  const set = (part: Partial<Draft>) => setTyped(before => ({ ...before, ...part }))
  const submit = async () => {
    if (change.isPending || !whole) return
    setBoth(undefined)
    try {
      await change.mutateAsync({ body: changes, tag: seen.tag })
      onClose()
    } catch (thrown) {
      if (Problem.from(thrown).code !== 'PRECONDITION_FAILED') return
      const now = await again().catch(() => undefined)
      if (!now) return
      const upon = rebased(draftOf(seen.value), draftOf(now.value), typed)
      setSeen(now)
      setTyped(upon.typed)
      setBoth(upon.both)
      change.reset()
    }
  }
  return (
    <form
      className="flex min-h-0 flex-1 flex-col"
      onSubmit={event => {
        event.preventDefault()
        void submit()
      }}
    >
      <DialogBody>
        <TextField
          label="Name"
          required
          maxLength={200}
          value={typed.name}
          onChange={event => set({ name: event.target.value })}
        />
        <TextArea
          label="Goal"
          rows={10}
          maxLength={1_000_000}
          value={typed.description}
          onChange={event => set({ description: event.target.value })}
        />
        {both && <Meanwhile both={both} now={draftOf(seen.value)} />}
        {problem && <Trouble what="The contract was not changed" why={problem.message} requestId={problem.requestId} />}
      </DialogBody>
      <DialogFoot>
        <Button onClick={onClose}>Close</Button>
        <Button type="submit" kind="primary" disabled={change.isPending || !whole}>
          {change.isPending ? 'Saving' : 'Save'}
        </Button>
      </DialogFoot>
    </form>
  )
}

const SHOWN = { name: 'Its name is now', description: 'Its goal is now' } as const

/** Says what somebody else has done while this was edited. */
function Meanwhile({ both, now }: { both: (keyof Draft)[]; now: Draft }) {
  const why =
    both.length > 0
      ? 'What you typed is still here. Save puts it in the place of what is there now.'
      : 'What you typed is still here, and nobody else has touched that. Save it again.'
  return (
    <Trouble what="The contract was changed by somebody else meanwhile" why={why}>
      {both.map(field => (
        <p key={field} className="mt-1 max-h-40 overflow-y-auto whitespace-pre-wrap wrap-anywhere">
          {SHOWN[field]} “{plain(now[field])}”
        </p>
      ))}
    </Trouble>
  )
}

function draftOf({ name, description }: Contract): Draft {
  return { name, description }
}
