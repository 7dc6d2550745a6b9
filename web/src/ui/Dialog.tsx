import { Dialog as Base } from '@base-ui/react/dialog'
import { X } from 'lucide-react'
import { type ReactNode, useRef } from 'react'
import { buttonLook } from './Button'

interface Props {
  title: string
  description?: ReactNode
  onClose: () => void
  /** What is asked, between the title and the buttons. */
  children: ReactNode
}

/** A dialog that docks at the right, so that what it changes stays in view; below 600 px it is the whole width. */
export function Dialog({ title, description, onClose, children }: Props) {
  const popup = useRef<HTMLDivElement>(null)
  return (
    <Base.Root open onOpenChange={open => !open && onClose()}>
      <Base.Portal>
        <Base.Backdrop className="fixed inset-0 z-10 bg-scrim" />
        <Base.Popup
          ref={popup}
          // What is filled in first; without a form, what closes it.
          initialFocus={() => popup.current?.querySelector<HTMLElement>('form :is(textarea, input)') ?? true}
          className="fixed inset-y-0 right-0 z-10 flex w-full flex-col border-line-strong border-l bg-raised shadow-float outline-none sm:w-[560px]"
        >
          <header className="flex items-start gap-3 border-line border-b px-5 pt-3.5 pb-3">
            <div className="min-w-0 flex-1">
              <Base.Title className="font-semibold text-15">{title}</Base.Title>
              {description && <Base.Description className="text-ink-2">{description}</Base.Description>}
            </div>
            <Base.Close className={buttonLook('bare', false, true)} aria-label="Close">
              <X size={16} aria-hidden />
            </Base.Close>
          </header>
          {children}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  )
}

/** What scrolls in a dialog. */
export function DialogBody({ children }: { children: ReactNode }) {
  return <div className="flex min-h-0 flex-1 flex-col gap-4 overflow-y-auto px-5 py-4">{children}</div>
}

/** The buttons of a dialog, the one that does it last. */
export function DialogFoot({ children }: { children: ReactNode }) {
  return <footer className="flex items-center justify-end gap-2 border-line border-t px-5 py-3">{children}</footer>
}
