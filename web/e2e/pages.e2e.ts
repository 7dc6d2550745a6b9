import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launch, type Theme, Visitor } from './browser.ts'
import { Lab } from './lab.ts'

let lab: Lab
let browser: Browser
let waiting: { id: string; contractId: string }
let done: { id: string }

beforeAll(async () => {
  ;[lab, browser] = await Promise.all([Lab.start(), launch()])
  waiting = await lab.task('Clear away the old build', 'waiting')
  done = await lab.task('Add an option --average', 'completed')
})
afterAll(async () => {
  await browser?.close()
  await lab?.clear()
})

/** Every page and dialog that needs a sign-in, and what shows that it is there. */
const PAGES: [string, () => string, (page: Page) => Promise<unknown>][] = [
  ['home', () => '/', page => page.getByRole('table', { name: 'Contracts' }).waitFor()],
  ['home, nothing fits', () => '/?q=nothing-has-this-name', page => page.getByText('No contract fits').waitFor()],
  ['new task', () => '/?new=task', page => page.getByRole('dialog', { name: 'New task' }).waitFor()],
  ['new contract', () => '/?new=contract', page => page.getByRole('dialog', { name: 'New contract' }).waitFor()],
  ['contract', () => `/contracts/${waiting.contractId}`, page => page.getByRole('table', { name: /Tasks/ }).waitFor()],
  ['checkpoints', () => `/tasks/${done.id}/checkpoints`, page => page.getByText('Checkpoint 3').waitFor()],
  [
    'a question',
    () => `/tasks/${waiting.id}`,
    async page => {
      await page.getByRole('button', { name: /Allow once/ }).waitFor()
      await page.getByRole('button', { name: /Bash rm -r build/ }).waitFor()
    },
  ],
  [
    'conversation, unfolded',
    () => `/tasks/${done.id}/conversation`,
    async page => {
      const conversation = page.getByRole('region', { name: 'Conversation' })
      await conversation
        .getByRole('button', { name: /README.md/ })
        .first()
        .click()
      await conversation.getByRole('button', { name: /Checkpoint 3/ }).click()
      await conversation.getByRole('group', { name: /Edit answered/ }).waitFor()
    },
  ],
  [
    'palette',
    () => '/',
    async page => {
      await page.getByRole('table', { name: 'Contracts' }).waitFor()
      await page.keyboard.press('Control+k')
      await page.getByRole('option', { name: /Add an option/ }).waitFor()
    },
  ],
  [
    'keys',
    () => '/',
    async page => {
      await page.getByRole('table', { name: 'Contracts' }).waitFor()
      await page.keyboard.press('?')
      await page.getByRole('dialog', { name: 'Keys' }).waitFor()
    },
  ],
  [
    'owner',
    () => '/',
    async page => {
      await page.getByRole('button', { name: /Signed in as/ }).click()
      await page.getByRole('button', { name: 'Sign out' }).waitFor()
    },
  ],
  ['no such page', () => '/nowhere', page => page.getByRole('heading', { name: 'There is no such page' }).waitFor()],
]

/** Those that need none. */
const OPEN: typeof PAGES = [
  ['sign-in', () => '/sign-in', page => page.getByText('makima open').waitFor()],
  ['a link that is none', () => '/sign-in#used', page => page.getByRole('alert').waitFor()],
  ['API reference', () => '/docs', page => page.getByRole('heading', { name: 'Shapes' }).waitFor()],
]

describe.each<Theme>(['light', 'dark'])('in the %s theme', theme => {
  let visitor: Visitor
  beforeAll(async () => {
    visitor = await Visitor.signedIn(lab, browser, { theme })
  })
  afterAll(() => visitor?.leave())

  test.each(PAGES)('%s is accessible, and content with its policy', async (name, path, isThere) => {
    await visitor.goto(path())
    await isThere(visitor.page)
    await visitor.isAccessible(`${name}, ${theme}`)
    visitor.isContent(`${name}, ${theme}`)
  })

  test.each(OPEN)('%s is, without a sign-in', async (name, path, isThere) => {
    const stranger = await Visitor.at(lab, browser, { theme })
    await stranger.goto(path())
    await isThere(stranger.page)
    await stranger.isAccessible(`${name}, ${theme}`)
    stranger.isContent(`${name}, ${theme}`, /status of 401/)
    await stranger.leave()
  })
})

describe('at the width of a telephone', () => {
  let visitor: Visitor
  beforeAll(async () => {
    visitor = await Visitor.signedIn(lab, browser, { width: 390, height: 844 })
  })
  afterAll(() => visitor?.leave())

  test.each([...PAGES, ...OPEN.slice(2)])('%s fits', async (name, path, isThere) => {
    await visitor.goto(path())
    await isThere(visitor.page)
    const beyond = await visitor.page.evaluate(() =>
      [...document.querySelectorAll('body *')]
        .filter(element => {
          const { right, width } = element.getBoundingClientRect()
          // What scrolls in a box of its own may be wider than the page.
          return (
            width > 0 &&
            right > window.innerWidth + 1 &&
            !element.closest('pre, .overflow-x-auto, .sr-only, .overflow-hidden')
          )
        })
        .map(element => element.outerHTML.slice(0, 120)),
    )
    expect(beyond, name).toEqual([])
    await visitor.isAccessible(name)
  })
})

test('the first page is there within two seconds on a machine four times as slow', async () => {
  const visitor = await Visitor.signedIn(lab, browser)
  const devtools = await visitor.page.context().newCDPSession(visitor.page)
  await devtools.send('Emulation.setCPUThrottlingRate', { rate: 4 })
  await visitor.goto('/')
  await visitor.page.getByRole('table', { name: 'Contracts' }).waitFor()
  const painted = await visitor.page.evaluate(
    () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime,
  )
  expect(painted).toBeLessThan(2000)
  await visitor.leave()
})
