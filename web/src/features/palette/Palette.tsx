import { Autocomplete } from '@base-ui/react/autocomplete'
import { Dialog } from '@base-ui/react/dialog'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { Search } from 'lucide-react'
import { useDeferredValue, useMemo, useState } from 'react'
import { contractsQuery, tasksQuery } from '~/api/queries'
import { StatusIcon } from '~/features/tasks/TaskStatus'
import { type Entry, type Group, groups } from './groups'
import { closeOverlay } from './open'

/** Everything by its name: what can be done, contracts and tasks. */
export function Palette() {
  const router = useRouter()
  const [words, setWords] = useState('')
  const q = useDeferredValue(words.trim()) || undefined
  const tasks = useInfiniteQuery(tasksQuery({ q })).data?.pages[0]?.tasks
  const contracts = useInfiniteQuery(contractsQuery({ q })).data?.pages[0]?.contracts
  const found = useMemo(() => groups(words, contracts ?? [], tasks ?? []), [words, contracts, tasks])
  const go = (entry: Entry) => {
    closeOverlay()
    entry.go(router)
  }
  return (
    <Dialog.Root open onOpenChange={open => !open && closeOverlay()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="fixed inset-0 z-10 bg-scrim" />
        <Dialog.Popup
          aria-label="Search or jump to"
          className="fixed inset-x-2 top-[12vh] z-10 mx-auto flex max-h-[min(480px,70vh)] max-w-[600px] flex-col rounded-4 border border-line-strong bg-raised shadow-float outline-none"
        >
          <Autocomplete.Root
            open
            inline
            mode="none"
            items={found}
            value={words}
            onValueChange={value => setWords(value)}
            itemToStringValue={(entry: Entry) => entry.label}
            autoHighlight="always"
            keepHighlight
          >
            <div className="flex h-11 shrink-0 items-center gap-2 border-line border-b px-3.5">
              <Search size={16} aria-hidden className="shrink-0 text-ink-3" />
              <Autocomplete.Input
                aria-label="Search or jump to"
                placeholder="A task, a contract, or what to do"
                className="h-full min-w-0 flex-1 bg-transparent outline-none"
              />
            </div>
            <Dialog.Close className="sr-only">Close</Dialog.Close>
            <Autocomplete.Empty className="empty:hidden">
              <p className="px-3.5 py-3 text-ink-2">Nothing has this name.</p>
            </Autocomplete.Empty>
            <Autocomplete.List className="min-h-0 overflow-y-auto p-1.5 empty:hidden">
              {(group: Group) => (
                <Autocomplete.Group key={group.value} items={group.items}>
                  <Autocomplete.GroupLabel className="px-2 pt-1.5 pb-0.5 text-12 text-ink-3">
                    {group.value}
                  </Autocomplete.GroupLabel>
                  <Autocomplete.Collection>
                    {(entry: Entry) => (
                      <Autocomplete.Item
                        key={entry.value}
                        value={entry}
                        onClick={() => go(entry)}
                        className="flex h-7 cursor-default items-center gap-2 rounded-2 px-2 data-highlighted:bg-selected"
                      >
                        {entry.status && <StatusIcon status={entry.status} named />}
                        <span className="truncate">{entry.label}</span>
                        {entry.note && <span className="ml-auto truncate pl-4 text-ink-3">{entry.note}</span>}
                      </Autocomplete.Item>
                    )}
                  </Autocomplete.Collection>
                </Autocomplete.Group>
              )}
            </Autocomplete.List>
          </Autocomplete.Root>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  )
}
