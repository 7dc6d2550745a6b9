import { useQuery } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { useState } from 'react'
import { Problem } from '~/api/problem'
import { daemonsQuery } from '~/api/queries'
import { agentsOf } from '~/features/tasks/form'
import { Button } from '~/ui/Button'
import { Dialog, DialogBody, DialogFoot } from '~/ui/Dialog'
import { Choice, TextArea, TextField } from '~/ui/Field'
import { Trouble } from '~/ui/Trouble'
import { useCreateContract } from './actions'

/** Makes a contract. */
export function NewContract({ onClose }: { onClose: () => void }) {
  const router = useRouter()
  const [form, setForm] = useState({ name: '', description: '', repository: '', baseBranch: '', agent: '' })
  const create = useCreateContract()
  const agents = agentsOf(useQuery(daemonsQuery).data?.daemons ?? [])
  const problem = create.error && Problem.from(create.error)
  const set = (change: Partial<typeof form>) => setForm(before => ({ ...before, ...change }))
  const whole = form.name.trim() !== '' && form.repository.trim() !== ''
  const submit = () => {
    if (create.isPending || !whole) return
    const body = {
      name: form.name.trim(),
      description: form.description.trim(),
      repository: form.repository.trim(),
      baseBranch: form.baseBranch.trim() || undefined,
      agent: form.agent || undefined,
    }
    create.mutate(body, {
      onSuccess: contract => void router.navigate({ to: '/contracts/$id', params: { id: contract.id } }),
    })
  }
  return (
    <Dialog
      title="New contract"
      description="A goal with a repository, worked on by one or more tasks."
      onClose={onClose}
    >
      <form
        className="flex min-h-0 flex-1 flex-col"
        onSubmit={event => {
          event.preventDefault()
          submit()
        }}
      >
        <DialogBody>
          <TextField
            label="Name"
            required
            maxLength={200}
            value={form.name}
            onChange={event => set({ name: event.target.value })}
          />
          <TextArea
            label="Goal"
            hint="What shall be true when it is done."
            rows={5}
            maxLength={1_000_000}
            value={form.description}
            onChange={event => set({ description: event.target.value })}
          />
          <TextField
            label="Repository"
            hint="A folder on the daemon’s machine, or a git URL."
            className="mono"
            required
            value={form.repository}
            onChange={event => set({ repository: event.target.value })}
          />
          <TextField
            label="Base branch"
            hint="The branch that its tasks start from; without one, the repository’s own default."
            className="mono"
            value={form.baseBranch}
            onChange={event => set({ baseBranch: event.target.value })}
          />
          <Choice label="Agent" value={form.agent} onChange={event => set({ agent: event.target.value })}>
            <option value="">The daemon’s default</option>
            {agents.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </Choice>
          {problem && <Trouble what="The contract was not made" why={problem.message} requestId={problem.requestId} />}
        </DialogBody>
        <DialogFoot>
          <Button onClick={onClose}>Close</Button>
          <Button type="submit" kind="primary" disabled={create.isPending || !whole}>
            {create.isPending ? 'Making the contract' : 'Make contract'}
          </Button>
        </DialogFoot>
      </form>
    </Dialog>
  )
}
