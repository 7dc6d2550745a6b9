import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useParams, useRouter } from '@tanstack/react-router'
import { useState } from 'react'
import type { Contract, Daemon, Schemas } from '~/api/client'
import { Problem } from '~/api/problem'
import { contractsQuery, daemonsQuery, tasksQuery } from '~/api/queries'
import { Button } from '~/ui/Button'
import { Dialog, DialogBody, DialogFoot } from '~/ui/Dialog'
import { Choice, TextArea, TextField } from '~/ui/Field'
import { COMMAND, Kbd } from '~/ui/Kbd'
import { Trouble } from '~/ui/Trouble'
import { useCreateTask } from './actions'
import { agentsOf, repositoriesOf, type TaskForm, taskOf } from './form'

/** Makes a task. */
export function NewTask({ onClose }: { onClose: () => void }) {
  const router = useRouter()
  const here = useParams({ strict: false })
  const onContract = router.state.matches.some(({ routeId }) => routeId === '/_app/contracts/$id')
  const [form, setForm] = useState<TaskForm>({ plan: '', contractId: onContract ? (here.id ?? '') : '' })
  const create = useCreateTask()
  const daemons = useQuery(daemonsQuery).data?.daemons ?? []
  const contracts =
    useInfiniteQuery(contractsQuery({ status: 'active' })).data?.pages.flatMap(page => page.contracts) ?? []
  const contract = contracts.find(({ id }) => id === form.contractId)
  const problem = create.error && Problem.from(create.error)
  const set = (change: Partial<TaskForm>) => setForm(before => ({ ...before, ...change }))
  const submit = () => {
    if (create.isPending || !form.plan.trim()) return
    create.mutate(taskOf(form), {
      onSuccess: task => void router.navigate({ to: '/tasks/$id/conversation', params: { id: task.id } }),
    })
  }
  return (
    <Dialog title="New task" description="One agent, in a worktree and on a branch of its own." onClose={onClose}>
      <form
        className="flex min-h-0 flex-1 flex-col"
        onSubmit={event => {
          event.preventDefault()
          submit()
        }}
        onKeyDown={event => {
          if (event.key === 'Enter' && (event.metaKey || event.ctrlKey)) submit()
        }}
      >
        <DialogBody>
          <TextArea
            label="Plan"
            hint="What the agent shall do: the first message to it."
            required
            rows={6}
            maxLength={1_000_000}
            value={form.plan}
            onChange={event => set({ plan: event.target.value })}
          />
          <TextField
            label="Name"
            hint="Without one, the plan’s first line."
            maxLength={200}
            value={form.name ?? ''}
            onChange={event => set({ name: event.target.value })}
          />
          <Contracts contracts={contracts} form={form} set={set} />
          <Where contract={contract} form={form} set={set} />
          <Who daemons={daemons} contract={contract} form={form} set={set} />
          {problem && <Trouble what="The task was not made" why={problem.message} requestId={problem.requestId} />}
        </DialogBody>
        <DialogFoot>
          <Button onClick={onClose}>Close</Button>
          <Button type="submit" kind="primary" disabled={create.isPending || !form.plan.trim()}>
            {create.isPending ? 'Making the task' : 'Make task'} <Kbd strong>{`${COMMAND}↵`}</Kbd>
          </Button>
        </DialogFoot>
      </form>
    </Dialog>
  )
}

interface Part {
  form: TaskForm
  set: (change: Partial<TaskForm>) => void
}

function Contracts({ contracts, form, set }: Part & { contracts: readonly Contract[] }) {
  return (
    <Choice label="Contract" value={form.contractId ?? ''} onChange={event => set({ contractId: event.target.value })}>
      <option value="">None: a loose task</option>
      {contracts.map(({ id, name }) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </Choice>
  )
}

function Where({ contract, form, set }: Part & { contract?: Contract }) {
  const tasks = useInfiniteQuery(tasksQuery({ loose: true })).data?.pages.flatMap(page => page.tasks) ?? []
  return (
    <>
      <TextField
        label="Repository"
        hint={
          contract
            ? `Without one, the contract’s: ${contract.repository}`
            : 'A folder on the daemon’s machine, or a git URL.'
        }
        className="mono"
        required={!contract}
        list="repositories"
        placeholder={contract?.repository}
        value={form.repository ?? ''}
        onChange={event => set({ repository: event.target.value })}
      />
      <datalist id="repositories">
        {repositoriesOf(tasks).map(repository => (
          <option key={repository} value={repository} />
        ))}
      </datalist>
    </>
  )
}

function Who({ daemons, contract, form, set }: Part & { daemons: readonly Daemon[]; contract?: Contract }) {
  const agents = agentsOf(daemons, form.daemonId)
  const usual = contract?.agent ?? agents.find(agent => agent.default)?.name
  return (
    <div className="grid grid-cols-1 gap-4 sm:grid-cols-2">
      <TextField
        label="Base branch"
        hint={`Without one, ${contract?.baseBranch ?? 'the repository’s default'}.`}
        className="mono"
        value={form.baseBranch ?? ''}
        onChange={event => set({ baseBranch: event.target.value })}
      />
      <Choice label="Daemon" value={form.daemonId ?? ''} onChange={event => set({ daemonId: event.target.value })}>
        <option value="">The least loaded that can</option>
        {daemons.map(({ id, name, status }) => (
          <option key={id} value={id} disabled={status !== 'online'}>
            {status === 'online' ? name : `${name}, offline`}
          </option>
        ))}
      </Choice>
      <Choice label="Agent" value={form.agent ?? ''} onChange={event => set({ agent: event.target.value })}>
        <option value="">{usual ? `As usual: ${usual}` : 'The daemon’s default'}</option>
        {agents.map(({ name }) => (
          <option key={name}>{name}</option>
        ))}
      </Choice>
      <Choice
        label="Without asking it may"
        value={form.permissionMode ?? ''}
        onChange={event => set({ permissionMode: event.target.value as Schemas['PermissionMode'] | '' })}
      >
        <option value="">As the daemon says</option>
        <option value="bypass">Do everything</option>
        <option value="acceptEdits">Edit files</option>
        <option value="ask">Only read</option>
      </Choice>
    </div>
  )
}
