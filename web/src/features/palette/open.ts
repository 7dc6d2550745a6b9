import { Store } from '~/lib/store'

/** Which of the overlays that every page has is open. */
export const overlay = new Store<'palette' | 'keys' | undefined>(undefined)

export const openPalette = () => overlay.set('palette')
export const openKeys = () => overlay.set('keys')
export const closeOverlay = () => overlay.set(undefined)
