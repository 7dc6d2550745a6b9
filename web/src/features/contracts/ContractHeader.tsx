import { useState } from 'react'
import type { Contract, ContractStatus } from '~/api/client'
import { Problem } from '~/api/problem'
import { counted, dollars, short } from '~/lib/amount'
import { plain } from '~/lib/plain'
import { Ago } from '~/ui/Ago'
import { Button } from '~/ui/Button'
import { Copy } from '~/ui/Copy'
import { Meta } from '~/ui/Meta'
import { Segments } from '~/ui/Segments'
import { Trouble } from '~/ui/Trouble'
import { useSetPhase, useSetStatus } from './actions'
import { EditContract } from './EditContract'
import { PHASES } from './PhaseBar'

const STEPS: Record<ContractStatus, { to: ContractStatus; label: string }[]> = {
  active: [
    { to: 'completed', label: 'Complete' },
    { to: 'archived', label: 'Archive' },
  ],
  completed: [
    { to: 'active', label: 'Take up again' },
    { to: 'archived', label: 'Archive' },
  ],
  archived: [{ to: 'active', label: 'Take up again' }],
}

const PHASE_OPTIONS = PHASES.map(phase => ({ value: phase, label: phase }))

/** What a contract is and how far it has come; its phase and status by hand. */
export function ContractHeader({ contract }: { contract: Contract }) {
  const phase = useSetPhase(contract.id)
  const status = useSetStatus(contract.id)
  const [editing, setEditing] = useState(false)
  const failed = phase.error ?? status.error
  const problem = failed && Problem.from(failed)
  return (
    <div className="border-line border-b bg-surface px-4 py-3">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h1 className="min-w-0 truncate font-semibold text-20 -tracking-[.005em]">{contract.name}</h1>
        {contract.status !== 'active' && <span className="font-semibold text-ink-2">{contract.status}</span>}
        <span className="flex-1" />
        <Button onClick={() => setEditing(true)}>Edit</Button>
        {STEPS[contract.status].map(({ to, label }) => (
          <Button
            key={to}
            kind={to === 'archived' ? 'bare' : 'plain'}
            disabled={status.isPending}
            onClick={() => status.mutate(to)}
          >
            {label}
          </Button>
        ))}
      </div>
      <Meta>
        <span className="inline-flex min-w-0 items-center gap-1">
          <code className="truncate">{contract.repository}</code>
          <Copy text={contract.repository} what="repository" />
        </span>
        {contract.baseBranch && (
          <span>
            from <code>{contract.baseBranch}</code>
          </span>
        )}
        {contract.agent && <span>{contract.agent}</span>}
        <span>{counted(contract.checkpointCount ?? 0, 'checkpoint')}</span>
        <span>${dollars(contract.totalCost ?? 0)}</span>
        <span>{short(contract.totalTokens ?? 0)} tokens</span>
        <span>
          activity <Ago at={contract.lastActivityAt ?? contract.updatedAt} />
        </span>
      </Meta>
      <Goal text={contract.description} />
      {editing && <EditContract id={contract.id} onClose={() => setEditing(false)} />}
      <div className="mt-2 flex flex-wrap items-center gap-2">
        <span id="phase" className="text-ink-2">
          Phase
        </span>
        <div className="max-w-full overflow-x-auto p-0.5">
          <Segments
            label="Phase"
            value={phase.isPending ? phase.variables : contract.phase}
            options={PHASE_OPTIONS}
            onChange={next => next !== contract.phase && phase.mutate(next)}
          />
        </div>
      </div>
      {problem && (
        <div className="mt-2">
          <Trouble
            what={phase.error ? 'The phase was not changed' : 'The status was not changed'}
            why={problem.message}
            requestId={problem.requestId}
          />
        </div>
      )}
    </div>
  )
}

/** Longer goals are folded. */
const SHORT = 400

function Goal({ text }: { text: string }) {
  const [whole, setWhole] = useState(false)
  if (!text) return null
  const cut = text.length > SHORT && !whole
  return (
    <div className="mt-1 max-w-[84ch]">
      <p className="whitespace-pre-wrap wrap-anywhere">{plain(cut ? `${text.slice(0, SHORT)}…` : text)}</p>
      {cut && (
        <Button small kind="bare" className="-ml-1.5" onClick={() => setWhole(true)}>
          Show all
        </Button>
      )}
    </div>
  )
}
