import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launch, Visitor } from './browser.ts'
import { Lab } from './lab.ts'

let lab: Lab
let browser: Browser
let repository: string

beforeAll(async () => {
  ;[lab, browser] = await Promise.all([Lab.start(), launch()])
  ;({ repository } = await lab.task('Clear away the old build', 'waiting'))
})
afterAll(async () => {
  await browser?.close()
  await lab?.clear()
})

/** Makes a task by the dialog, and waits for its page. */
async function make(page: Page, plan: string, mode: string): Promise<void> {
  await page.getByRole('link', { name: 'New task' }).first().click()
  const dialog = page.getByRole('dialog', { name: 'New task' })
  await dialog.getByLabel('Plan').fill(plan)
  await dialog.getByLabel('Repository').fill(repository)
  await dialog.getByLabel('Agent').selectOption('demo')
  await dialog.getByLabel('Without asking it may').selectOption({ label: mode })
  await dialog.getByRole('button', { name: /Make task/ }).click()
  await page.getByRole('heading', { level: 1, name: plan }).waitFor()
}

const status = (page: Page, word: string) => page.getByText(word, { exact: true }).first().waitFor()

/** A measure of the page, once it rests: the same twice, a few frames apart. */
async function resting(measure: () => Promise<number>): Promise<number> {
  let last = Number.NaN
  await expect
    .poll(
      async () => {
        const was = last
        last = await measure()
        return last - was
      },
      { interval: 150, timeout: 5000 },
    )
    .toBe(0)
  return last
}

test('a link signs in once, and its token stays in no address', async () => {
  const link = await lab.link()
  const visitor = await Visitor.at(lab, browser)
  await visitor.page.goto(link)
  await visitor.page.getByRole('heading', { name: 'Contracts and tasks' }).waitFor()
  expect(visitor.page.url()).toBe(`${lab.url}/`)
  visitor.isContent('signing in')
  await visitor.leave()

  const late = await Visitor.at(lab, browser)
  await late.page.goto(link)
  await late.page.getByText('This link does not sign you in').waitFor()
  expect(new URL(late.page.url()).hash).toBe('')
  await late.leave()
})

test('who isn’t signed in gets to where they wanted to by the link', async () => {
  const visitor = await Visitor.at(lab, browser)
  const { id } = await lab.task('Add an option --average', 'completed')
  await visitor.goto(`/tasks/${id}/checkpoints`)
  await visitor.page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await visitor.page.goto(await lab.link())
  await visitor.page.getByRole('heading', { name: 'Add an option --average' }).waitFor()
  expect(new URL(visitor.page.url()).pathname).toBe(`/tasks/${id}/checkpoints`)
  await visitor.leave()
})

test('a conversation is live while its agent works, and no word of it waits for a reload', async () => {
  const visitor = await Visitor.signedIn(lab, browser)
  const { page } = visitor
  await make(page, 'Add an option --average', 'Do everything')
  await status(page, 'running')
  const conversation = page.getByRole('region', { name: 'Conversation' })
  // What is being written is seen before it is whole.
  await conversation.getByText(/^I read the/).waitFor()
  await conversation.getByRole('button', { name: /Read\s*tally.sh/ }).waitFor()
  await conversation.getByText('works: 1, 2 and 6 give 3').waitFor()
  await conversation.getByRole('button', { name: /Checkpoint 1/ }).waitFor()
  await status(page, 'completed')
  await page.getByRole('link', { name: /Checkpoints 1/ }).waitFor()
  visitor.isContent('a live conversation')
  await visitor.leave()
})

test('what is stored is on the screen within 300 ms', async () => {
  const visitor = await Visitor.signedIn(lab, browser)
  const { page } = visitor
  await page.getByText('Live').waitFor()
  const name = `Seen at once ${Date.now()}`
  const appeared = page
    .getByRole('link', { name })
    .waitFor()
    .then(() => performance.now())
  await lab.api('POST', '/mesh/tasks', { plan: name, repository, agent: 'demo', start: false })
  const stored = performance.now()
  expect((await appeared) - stored).toBeLessThan(300)
  await visitor.leave()
})

test('a permission is allowed on the first page, and the agent goes on', async () => {
  const visitor = await Visitor.signedIn(lab, browser)
  const { page } = visitor
  const waits = page.getByRole('region', { name: 'Waits for you' })
  await waits.getByText('rm -r build').waitFor()
  await waits.getByRole('button', { name: 'Allow once' }).click()
  await waits.waitFor({ state: 'detached' })
  await lab.task('Clear away the old build', 'completed')
  visitor.isContent('allowing')
  await visitor.leave()
})

test('a permission is denied by the keyboard, with a word why that the agent is told', async () => {
  const visitor = await Visitor.signedIn(lab, browser)
  const { page } = visitor
  await make(page, 'Clear away the old build', 'Edit files')
  await page.getByRole('button', { name: /Deny/ }).waitFor()
  await page.getByLabel('Why it is denied').focus()
  await page.keyboard.type('Somebody may need it')
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: /Deny/ }).waitFor({ state: 'detached' })
  const refused = page.getByRole('button', { name: /Bash\s*rm -r build\s*failed/ })
  await refused.click()
  await page.getByText('Somebody may need it').waitFor()
  await status(page, 'completed')
  visitor.isContent('denying')
  await visitor.leave()
})

test('a task is stopped, set aside, and goes on by a message', async () => {
  const visitor = await Visitor.signedIn(lab, browser)
  const { page } = visitor
  await make(page, 'Clear away the old build', 'Edit files')
  await page.getByRole('button', { name: /Allow once/ }).waitFor()
  await page.getByRole('button', { name: 'Stop' }).click()
  await status(page, 'interrupted')
  await page.getByRole('button', { name: 'Stop' }).waitFor({ state: 'detached' })
  await page.getByRole('button', { name: 'Cancel task' }).click()
  await status(page, 'cancelled')
  await page.getByLabel('Message to the agent').fill('Add an option --average')
  await page.keyboard.press('Control+Enter')
  await page.getByText('run 2 on', { exact: false }).waitFor()
  await page.getByRole('button', { name: /Allow once/ }).click()
  await status(page, 'completed')
  visitor.isContent('stopping')
  await visitor.leave()
})

test('what is refused says why in the dialog, with the request', async () => {
  const visitor = await Visitor.signedIn(lab, browser)
  const { page } = visitor
  await page.getByRole('link', { name: 'New task' }).first().click()
  const dialog = page.getByRole('dialog', { name: 'New task' })
  await dialog.getByLabel('Plan').fill('Anything')
  await dialog.getByLabel('Repository').fill('/no/such/repository')
  await dialog.getByRole('button', { name: /Make task/ }).click()
  const alert = dialog.getByRole('alert')
  await alert.getByText('The task was not made').waitFor()
  await alert.getByText(/^Request/).waitFor()
  await visitor.isAccessible('a refusal')
  await visitor.leave()
})

test('who reads above is not moved, and told how much is new', async () => {
  const visitor = await Visitor.signedIn(lab, browser, { height: 420 })
  const { page } = visitor
  const { id } = await lab.task('Let the checks run from any folder', 'completed')
  await page.goto(`${lab.url}/tasks/${id}`)
  const conversation = page.getByRole('region', { name: 'Conversation' })
  await conversation.getByText('The checks run from any folder').first().waitFor()
  await conversation.focus()
  await page.keyboard.press('Home')
  await page.getByRole('button', { name: 'To the end' }).waitFor()
  const top = () => conversation.evaluate(box => box.scrollTop)
  const above = await resting(top)
  await page.getByLabel('Message to the agent').fill('Fix the check that fails')
  await page.keyboard.press('Control+Enter')
  await page.getByRole('button', { name: /new message/ }).waitFor()
  expect(await top()).toBe(above)
  await page.getByRole('button', { name: /new message/ }).click()
  await page.getByRole('button', { name: /new message|To the end/ }).waitFor({ state: 'detached' })
  await status(page, 'completed')
  // Who reads the end stays there.
  await conversation.getByText('All three checks pass now').waitFor()
  const fromEnd = () => conversation.evaluate(box => box.scrollHeight - box.scrollTop - box.clientHeight)
  await expect.poll(fromEnd).toBeLessThan(24)

  // By the wheel too, and what is unfolded is read where it is.
  await conversation.hover()
  await page.mouse.wheel(0, -200)
  await page.getByRole('button', { name: 'To the end' }).click()
  await page.getByRole('button', { name: 'To the end' }).waitFor({ state: 'detached' })
  const call = conversation.getByRole('button', { name: /Bash sh test.sh 3 lines/ })
  const place = () => call.evaluate(row => Math.round(row.getBoundingClientRect().top))
  // By the keyboard: a click would first put the row where it wants it.
  await call.focus()
  const before = await resting(place)
  await page.keyboard.press('Enter')
  await conversation.getByRole('group', { name: 'What Bash answered' }).waitFor()
  await expect.poll(place).toBe(before)
  expect(await call.evaluate(row => row === document.activeElement)).toBe(true)
  await visitor.leave()
})

test('everything is reached by the keyboard, and the focus returns to where it was', async () => {
  const visitor = await Visitor.signedIn(lab, browser)
  const { page } = visitor
  await page.getByRole('table', { name: 'Contracts' }).waitFor()
  const focused = () => page.evaluate(() => document.activeElement?.textContent)

  await page.keyboard.press('Tab')
  expect(await focused()).toBe('Skip to the content')

  await page.keyboard.press('j')
  const row = await focused()
  expect(row).toBeTruthy()
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox', { name: 'Search or jump to' }).waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('combobox').waitFor({ state: 'detached' })
  expect(await focused()).toBe(row)

  await page.keyboard.press('/')
  await page.keyboard.type('tally')
  await page.waitForURL(/q=tally/)
  await page.keyboard.press('Escape')

  await page.keyboard.press('Control+k')
  await page.keyboard.type('Fix the check')
  await page
    .getByRole('option', { name: /Fix the check/ })
    .first()
    .waitFor()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: 'Fix the check that fails' }).waitFor()

  // A call is unfolded without a mouse.
  const call = page.getByRole('button', { name: /Bash/ }).last()
  await call.focus()
  await page.keyboard.press('Enter')
  expect(await call.getAttribute('aria-expanded')).toBe('true')
  visitor.isContent('the keyboard')
  await visitor.leave()
})

test('the theme that was chosen is there after a reload, from the first paint on', async () => {
  const visitor = await Visitor.signedIn(lab, browser, { theme: 'light' })
  const { page } = visitor
  await page.getByRole('button', { name: 'Theme: system' }).click()
  await page.getByRole('button', { name: 'Theme: light' }).click()
  await page.getByRole('button', { name: 'Theme: dark' }).waitFor()
  const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor)
  await page.reload()
  await page.getByRole('button', { name: 'Theme: dark' }).waitFor()
  expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe(dark)
  expect(dark).toBe('rgb(13, 16, 21)')
  await visitor.leave()
})

test('who signs out is out, also in another tab', async () => {
  const visitor = await Visitor.signedIn(lab, browser)
  const other = await visitor.page.context().newPage()
  await other.goto(`${lab.url}/`)
  await other.getByRole('table', { name: 'Contracts' }).waitFor()
  await visitor.page.getByRole('button', { name: /Signed in as/ }).click()
  await visitor.page.getByRole('button', { name: 'Sign out' }).click()
  await visitor.page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await other.getByRole('table', { name: 'Contracts' }).getByRole('link').first().click()
  await other.getByRole('heading', { name: 'Sign in' }).waitFor()
  await visitor.leave()
})

test('a server that goes and comes back is told, and nothing has to be reloaded', async () => {
  const visitor = await Visitor.signedIn(lab, browser)
  const { page } = visitor
  await page.getByText('Live', { exact: true }).waitFor()
  await lab.end()
  await page.getByText('Reconnecting').waitFor()
  // What was shown stays.
  await page.getByRole('table', { name: 'Contracts' }).waitFor()
  await lab.start()
  await page.getByText('Live', { exact: true }).waitFor()
  await lab.api('POST', '/contracts', { name: 'Made after the return', repository })
  await page.getByRole('link', { name: 'Made after the return' }).waitFor()
  await visitor.leave()
})
