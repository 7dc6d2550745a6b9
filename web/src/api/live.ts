import type { QueryClient } from '@tanstack/react-query'
import { pulse } from '../lib/pulse'
import { Store } from '../lib/store'
import { answer, api, type Contract, type Message, type Task } from './client'
import { type Changes, type Draft, FEED_EVENTS, type FeedEvent, gather, noChanges, withPiece } from './feed'
import { Problem } from './problem'
import {
  type ContractFilter,
  type ContractPage,
  contractQuery,
  conversationQuery,
  daemonsQuery,
  type TaskFilter,
  type TaskPage,
  taskQuery,
} from './queries'
import { contractBelongs, type Pages, taskBelongs, withMessages, withRow } from './rows'

const MISSING = Symbol('missing')

/** What is not there is told from what could not be read. */
function missing(error: unknown): typeof MISSING | undefined {
  return error instanceof Problem && error.code === 'NOT_FOUND' ? MISSING : undefined
}

/** How fresh the page is. */
export type Liveness = { state: 'connecting' } | { state: 'live' } | { state: 'lost'; since: number }

const FOUR_A_SECOND = 250
/** How often what is being written is shown. */
const EIGHT_A_SECOND = 125
/** A conversation with more messages is not read anew for the cost of a turn. */
const MUCH = 2000
/** More than so many tasks at once are read as lists. */
const MANY = 8
/** After an answer that ends the connection for good, such as an error of the server, it is tried again. */
const AGAIN = 3000

/**
 * The one connection to the live feed. It keeps fresh what react-query knows, four times a second at most. EventSource itself
 * goes on after the last event that it saw; only what streams can be missed, and that is told whole later.
 */
export class Live {
  readonly liveness = new Store<Liveness>({ state: 'connecting' })
  readonly #client: QueryClient
  readonly #drafts = new Map<string, Store<Draft | undefined>>()
  readonly #pieces = new Map<string, Draft>()
  readonly #beat = pulse(FOUR_A_SECOND, () => this.#apply())
  readonly #write = pulse(EIGHT_A_SECOND, () => this.#show())
  #changes = noChanges()
  #source: EventSource | undefined
  #again: ReturnType<typeof setTimeout> | undefined
  #opened = false

  constructor(client: QueryClient) {
    this.#client = client
  }

  /** Begins, once. Resolves when events arrive, or after a moment: pages don't wait for a feed that doesn't come. */
  start(moment = 400): Promise<void> {
    if (this.#source || this.#again) return Promise.resolve()
    const open = new Promise<void>(resolve => {
      const stop = this.liveness.subscribe(() => {
        if (this.liveness.get().state !== 'connecting') {
          stop()
          resolve()
        }
      })
    })
    this.#connect()
    return Promise.race([open, new Promise<void>(resolve => setTimeout(resolve, moment))])
  }

  stop(): void {
    this.#source?.close()
    this.#source = undefined
    clearTimeout(this.#again)
    this.#again = undefined
    this.#opened = false
    this.#changes = noChanges()
    this.liveness.set({ state: 'connecting' })
  }

  /** What a task's agent is saying at this moment. */
  draft(task: string): Store<Draft | undefined> {
    let store = this.#drafts.get(task)
    if (!store) {
      store = new Store<Draft | undefined>(this.#pieces.get(task))
      this.#drafts.set(task, store)
    }
    return store
  }

  #connect(): void {
    const source = new EventSource('/api/v1/events')
    const began = Date.now()
    this.#source = source
    source.onopen = () => {
      const late = this.#opened || Date.now() - began > 300
      this.#opened = true
      this.liveness.set({ state: 'live' })
      // Events may have been missed while nothing was heard.
      if (late) void this.#client.invalidateQueries()
    }
    source.onerror = () => {
      if (this.liveness.get().state !== 'lost') this.liveness.set({ state: 'lost', since: Date.now() })
      // Where the server refused, EventSource gives up.
      if (source.readyState === EventSource.CLOSED && this.#source === source) {
        this.#again = setTimeout(() => {
          this.#again = undefined
          this.#connect()
        }, AGAIN)
        // Where the session is over, this is refused too, and leads to the sign-in.
        void this.#client.invalidateQueries({ queryKey: daemonsQuery.queryKey })
      }
    }
    for (const type of FEED_EVENTS) {
      source.addEventListener(type, event => this.#hear({ type, data: JSON.parse(event.data) } as FeedEvent))
    }
  }

  #hear(event: FeedEvent): void {
    if (event.type === 'delta') {
      this.#pieces.set(event.data.taskId, withPiece(this.#pieces.get(event.data.taskId), event.data))
      this.#write.ask()
    } else {
      gather(this.#changes, event)
      this.#beat.ask()
    }
  }

  #show(): void {
    for (const [task, store] of this.#drafts) store.set(this.#pieces.get(task))
  }

  async #apply(): Promise<void> {
    // All that has come by now, not only the event that asked.
    await Promise.resolve()
    const changes = this.#changes
    this.#changes = noChanges()
    for (const [task, told] of changes.messages) this.#tell(task, told)
    for (const task of changes.silent) this.#hush(task)
    for (const task of changes.turned) this.#price(task)
    for (const task of changes.moved) {
      void this.#client.invalidateQueries({ queryKey: conversationQuery(task).queryKey })
    }
    // What went with a contract, or came back with it, is told by the contract alone.
    if (changes.lists) void this.#client.invalidateQueries({ queryKey: ['tasks'] })
    for (const task of changes.checkpoints) {
      void this.#client.invalidateQueries({ queryKey: ['checkpoints', task] })
    }
    await Promise.all([this.#readTasks(changes), this.#readContracts(changes)])
  }

  #tell(task: string, told: Message[]): void {
    const draft = this.#pieces.get(task)
    if (draft && told.some(message => message.id === draft.messageId)) this.#hush(task)
    const last = told[told.length - 1]
    if (last) {
      this.#change(task, known => ({
        ...known,
        messageCount: Math.max(known.messageCount, last.index + 1),
        updatedAt: last.timestamp > known.updatedAt ? last.timestamp : known.updatedAt,
      }))
    }
    const key = conversationQuery(task).queryKey
    const query = this.#client.getQueryState(key)
    if (!query) return
    if (query.fetchStatus === 'fetching') {
      // The answer that is on its way may have them or not.
      const later = this.#changes.messages
      later.set(task, [...told, ...(later.get(task) ?? [])])
      this.#beat.ask()
      return
    }
    if (!query.data) return
    const { conversation, whole } = withMessages(query.data, told)
    if (whole) this.#client.setQueryData(key, conversation)
    else void this.#client.invalidateQueries({ queryKey: key })
  }

  /** Reads what the messages of a turn cost, which is known at its end, unless that would be much to read. */
  #price(task: string): void {
    const key = conversationQuery(task).queryKey
    const known = this.#client.getQueryData(key)?.messages.length ?? 0
    if (known <= MUCH) void this.#client.invalidateQueries({ queryKey: key })
  }

  #hush(task: string): void {
    this.#pieces.delete(task)
    this.#drafts.get(task)?.set(undefined)
  }

  async #readTasks({ tasks }: Changes): Promise<void> {
    if (tasks.size === 0) return
    if (tasks.size > MANY) {
      await this.#client.invalidateQueries({ predicate: ({ queryKey: [noun] }) => noun === 'tasks' || noun === 'task' })
      return
    }
    await Promise.all([...tasks].map(id => this.readTask(id)))
  }

  /** Reads a task, and puts it where it is known. */
  async readTask(id: string): Promise<void> {
    const path = { id }
    const task = await answer(api.GET('/api/v1/mesh/tasks/{id}', { params: { path } })).catch(missing)
    if (task === MISSING) this.#lostTask(id)
    else if (task) this.tookTask(task)
  }

  /** Takes a task out of where it is known: it was deleted. */
  #lostTask(id: string): void {
    for (const [key, list] of this.#client.getQueriesData<Pages<TaskPage>>({ queryKey: ['tasks'] })) {
      const task = list?.pages.flatMap(page => page.tasks).find(each => each.id === id)
      if (list && task) this.#client.setQueryData(key, withRow(list, 'tasks', task, false))
    }
    // A page that shows it says that it is gone.
    void this.#client.invalidateQueries({ queryKey: taskQuery(id).queryKey })
  }

  /** Puts a task as it is now wherever it is known. */
  tookTask(task: Task): void {
    this.#client.setQueryData(taskQuery(task.id).queryKey, task)
    for (const [key, list] of this.#client.getQueriesData<Pages<TaskPage>>({ queryKey: ['tasks'] })) {
      if (!list) continue
      const belongs = taskBelongs(key[1] as TaskFilter, task)
      const known = list.pages.some(page => page.tasks.some(each => each.id === task.id))
      if (belongs === undefined && !known) void this.#client.invalidateQueries({ queryKey: key })
      else this.#client.setQueryData(key, withRow(list, 'tasks', task, belongs))
    }
  }

  async #readContracts({ contracts }: Changes): Promise<void> {
    if (contracts.size > MANY) {
      await this.#client.invalidateQueries({
        predicate: ({ queryKey: [noun] }) => noun === 'contracts' || noun === 'contract',
      })
      return
    }
    await Promise.all([...contracts].map(id => this.readContract(id)))
  }

  /** Reads a contract, and puts it where it is known. */
  async readContract(id: string): Promise<void> {
    const path = { id }
    const contract = await answer(api.GET('/api/v1/contracts/{id}', { params: { path } })).catch(missing)
    if (contract === MISSING) this.#lostContract(id)
    else if (contract) this.tookContract(contract)
  }

  /** Takes a contract out of where it is known: it was deleted, and its tasks with it. */
  #lostContract(id: string): void {
    for (const [key, list] of this.#client.getQueriesData<Pages<ContractPage>>({ queryKey: ['contracts'] })) {
      const contract = list?.pages.flatMap(page => page.contracts).find(each => each.id === id)
      if (list && contract) this.#client.setQueryData(key, withRow(list, 'contracts', contract, false))
    }
    void this.#client.invalidateQueries({ queryKey: contractQuery(id).queryKey })
  }

  /** Puts a contract as it is now wherever it is known. */
  tookContract(contract: Contract): void {
    this.#client.setQueryData(contractQuery(contract.id).queryKey, contract)
    for (const [key, list] of this.#client.getQueriesData<Pages<ContractPage>>({ queryKey: ['contracts'] })) {
      if (!list) continue
      const belongs = contractBelongs(key[1] as ContractFilter, contract)
      const known = list.pages.some(page => page.contracts.some(each => each.id === contract.id))
      if (belongs === undefined && !known) void this.#client.invalidateQueries({ queryKey: key })
      else this.#client.setQueryData(key, withRow(list, 'contracts', contract, belongs))
    }
  }

  #change(id: string, change: (task: Task) => Task): void {
    const known = this.#client.getQueryData(taskQuery(id).queryKey)
    if (known) this.#client.setQueryData(taskQuery(id).queryKey, change(known))
    for (const [key, list] of this.#client.getQueriesData<Pages<TaskPage>>({ queryKey: ['tasks'] })) {
      const row = list?.pages.flatMap(page => page.tasks).find(each => each.id === id)
      if (list && row) this.#client.setQueryData(key, withRow(list, 'tasks', change(row), true))
    }
  }
}
