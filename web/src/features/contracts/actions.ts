import { useMutation } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { answer, api, type Contract, type ContractStatus, type Phase, type Schemas } from '~/api/client'

// What can be done with contracts. Each answers with the contract as it is then.

function useTook() {
  const { live } = useRouter().options.context
  return (contract: Contract) => live.tookContract(contract)
}

export function useCreateContract() {
  return useMutation({
    mutationFn: (body: Schemas['CreateContract']) => answer<Contract>(api.POST('/api/v1/contracts', { body })),
    onSuccess: useTook(),
  })
}

export function useSetPhase(id: string) {
  return useMutation({
    mutationFn: (phase: Phase) =>
      answer<Contract>(api.POST('/api/v1/contracts/{id}/phase', { params: { path: { id } }, body: { phase } })),
    onSuccess: useTook(),
  })
}

/** Changes what a contract is, if it still is what its tag says. */
export function useChangeContract(id: string) {
  return useMutation({
    mutationFn: ({ body, tag }: { body: Schemas['ChangeContract']; tag: string }) =>
      answer<Contract>(
        api.PATCH('/api/v1/contracts/{id}', { params: { path: { id }, header: { 'If-Match': tag } }, body }),
      ),
    onSuccess: useTook(),
  })
}

export function useSetStatus(id: string) {
  return useMutation({
    mutationFn: (status: ContractStatus) =>
      answer<Contract>(api.PATCH('/api/v1/contracts/{id}', { params: { path: { id } }, body: { status } })),
    onSuccess: useTook(),
  })
}
