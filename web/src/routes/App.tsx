import { getRouteApi, Outlet, useLocation } from '@tanstack/react-router'
import { lazy, Suspense, useEffect, useRef } from 'react'
import { useHotkeys } from 'react-hotkeys-hook'
import { openKeys, openPalette, overlay } from '~/features/palette/open'
import { useStore } from '~/lib/store'

// What is not there at first is fetched when it is opened.
const Palette = lazy(() => import('~/features/palette/Palette').then(({ Palette }) => ({ default: Palette })))
const Keys = lazy(() => import('~/features/palette/Keys').then(({ Keys }) => ({ default: Keys })))
const NewTask = lazy(() => import('~/features/tasks/NewTask').then(({ NewTask }) => ({ default: NewTask })))
const NewContract = lazy(() =>
  import('~/features/contracts/NewContract').then(({ NewContract }) => ({ default: NewContract })),
)

const route = getRouteApi('/_app')

/** What all pages behind the sign-in have: keys, the palette, and the dialogs that make something. */
export function App() {
  const shown = useStore(overlay)
  const { new: made } = route.useSearch()
  const navigate = route.useNavigate()
  const close = () => void navigate({ to: '.', search: before => ({ ...before, new: undefined }) })
  useFocusOfPage()
  useHotkeys('mod+k', openPalette, { preventDefault: true, enableOnFormTags: true, useKey: true })
  useHotkeys('?', openKeys, { useKey: true })
  useHotkeys('y', () => void navigator.clipboard.writeText(window.location.href), { useKey: true })
  return (
    <>
      <Outlet />
      <Suspense>
        {shown === 'palette' && <Palette />}
        {shown === 'keys' && <Keys />}
        {made === 'task' && <NewTask onClose={close} />}
        {made === 'contract' && <NewContract onClose={close} />}
      </Suspense>
    </>
  )
}

/** Who goes to another page by a key that is gone with the last one begins at its content, not at the top of the browser. */
function useFocusOfPage() {
  const path = useLocation({ select: location => location.pathname })
  const before = useRef(path)
  useEffect(() => {
    if (before.current === path) return
    before.current = path
    if (document.activeElement === document.body) document.getElementById('content')?.focus({ preventScroll: true })
  }, [path])
}
