import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { answer, api, type Contract, type ContractStatus, type Task, type TaskStatus, tagged } from './client'

// What is asked of the server, each with the name under which its answer is kept. The live feed keeps the answers fresh
// (feed.ts), so they are not asked again for being old.

const PAGE = 200
const ALL = 1000

/** Which tasks. */
export interface TaskFilter {
  status?: TaskStatus[]
  contractId?: string
  /** Only those that belong to no contract. */
  loose?: boolean
  q?: string
}

/** Which contracts. */
export interface ContractFilter {
  status?: ContractStatus
  q?: string
}

export interface TaskPage {
  tasks: Task[]
  totalCount: number
  cursor?: string | null
}

export interface ContractPage {
  contracts: Contract[]
  totalCount: number
  cursor?: string | null
}

export const meQuery = queryOptions({
  queryKey: ['me'],
  queryFn: ({ signal }) => answer(api.GET('/api/v1/me', { signal })),
  staleTime: Number.POSITIVE_INFINITY,
})

export const tasksQuery = (filter: TaskFilter) =>
  infiniteQueryOptions({
    queryKey: ['tasks', filter],
    queryFn: ({ pageParam, signal }): Promise<TaskPage> =>
      answer(
        api.GET('/api/v1/mesh/tasks', {
          params: {
            query: {
              limit: PAGE,
              cursor: pageParam,
              status: filter.status,
              contract_id: filter.contractId ?? (filter.loose ? 'none' : undefined),
              q: filter.q || undefined,
            },
          },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: page => page.cursor ?? undefined,
  })

export const contractsQuery = (filter: ContractFilter) =>
  infiniteQueryOptions({
    queryKey: ['contracts', filter],
    queryFn: ({ pageParam, signal }): Promise<ContractPage> =>
      answer(
        api.GET('/api/v1/contracts', {
          params: {
            query: {
              limit: PAGE,
              cursor: pageParam,
              status: filter.status ? [filter.status] : undefined,
              q: filter.q || undefined,
            },
          },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: page => page.cursor ?? undefined,
  })

export const taskQuery = (id: string) =>
  queryOptions({
    queryKey: ['task', id],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/mesh/tasks/{id}', { params: { path: { id } }, signal })),
  })

export const contractQuery = (id: string) =>
  queryOptions({
    queryKey: ['contract', id],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/contracts/{id}', { params: { path: { id } }, signal })),
  })

/** A contract with its tag, read anew each time that somebody begins to edit it: only then is the tag of what they see. */
export const taggedContractQuery = (id: string) =>
  queryOptions({
    queryKey: ['contract to edit', id],
    queryFn: ({ signal }) => tagged(api.GET('/api/v1/contracts/{id}', { params: { path: { id } }, signal })),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  })

export const conversationQuery = (id: string) =>
  queryOptions({
    queryKey: ['conversation', id],
    queryFn: ({ signal }) =>
      answer(api.GET('/api/v1/mesh/tasks/{id}/conversation', { params: { path: { id } }, signal })),
  })

export const checkpointsQuery = (id: string) =>
  infiniteQueryOptions({
    queryKey: ['checkpoints', id],
    queryFn: ({ pageParam, signal }) =>
      answer(
        api.GET('/api/v1/mesh/tasks/{id}/checkpoints', {
          params: { path: { id }, query: { limit: ALL, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: page => page.cursor ?? undefined,
  })

/** Daemons are no part of the feed: their heartbeats are told only here. */
export const daemonsQuery = queryOptions({
  queryKey: ['daemons'],
  queryFn: ({ signal }) => answer(api.GET('/api/v1/mesh/daemons', { signal })),
  refetchInterval: 10_000,
})
