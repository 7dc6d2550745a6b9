import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launch, Visitor } from './browser.ts'
import { Lab } from './lab.ts'

// A conversation of ten thousand messages, as an agent writes them in a day.

const MESSAGES = 10_000
const AT = Date.parse('2026-11-20T09:00:00Z')

let lab: Lab
let browser: Browser

beforeAll(async () => {
  ;[lab, browser] = await Promise.all([Lab.start(), launch()])
})
afterAll(async () => {
  await browser?.close()
  await lab?.clear()
})

function message(index: number) {
  const base = {
    id: `m-${index}`,
    timestamp: new Date(AT + index * 3000).toISOString(),
    index,
    runNumber: 1,
    content: '',
  }
  switch (index % 10) {
    case 0:
      return { ...base, role: 'user', content: `Step ${index}: look at the next file` }
    case 9:
      return {
        ...base,
        role: 'assistant',
        content: `Done with **${index}**.\n\n* one\n* two\n\nUse \`cargo test\`.`,
        tokenCount: 900,
      }
    default:
      return index % 2 === 1
        ? {
            ...base,
            role: 'assistant',
            content: index % 4 === 1 ? 'I look at it.' : '',
            thinking: index % 6 === 1 ? 'What does it do?\nLet me see.' : undefined,
            toolCalls: [
              { id: `c-${index}`, name: index % 3 ? 'Bash' : 'Read', input: { command: `grep -n ${index} src/*.rs` } },
            ],
            tokenCount: 1200,
          }
        : {
            ...base,
            role: 'tool',
            toolCallId: `c-${index - 1}`,
            toolName: 'Bash',
            toolResult: Array.from({ length: index % 40 }, (_, line) => `src/file.rs:${line}: ${index}`).join('\n'),
            isError: index % 50 === 4,
          }
  }
}

test('ten thousand messages are scrolled without a stutter, in few nodes and little memory', async () => {
  const visitor = await Visitor.signedIn(lab, browser)
  const { page } = visitor
  const task = await lab.task('Add an option --average', 'completed')
  const messages = Array.from({ length: MESSAGES }, (_, index) => message(index))
  const body = { taskId: task.id, taskName: 'Long', status: 'completed', totalTokens: 1, totalCost: 1, messages }
  await page.route('**/conversation', route =>
    route.request().resourceType() === 'document' ? route.fallback() : route.fulfill({ json: body }),
  )
  await visitor.goto(`/tasks/${task.id}/conversation`)
  const conversation = page.getByRole('region', { name: 'Conversation' })
  await conversation.getByText('Done with').first().waitFor()

  // It begins where the agent is: at the end.
  const fromEnd = () => conversation.evaluate(box => box.scrollHeight - box.scrollTop - box.clientHeight)
  await expect.poll(fromEnd).toBeLessThan(24)
  await visitor.isAccessible('a long conversation')

  const devtools = await page.context().newCDPSession(page)
  // The time that the page itself takes, whatever else the machine does.
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' })
  const busy = async () => {
    const { metrics } = await devtools.send('Performance.getMetrics')
    return (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN) * 1000
  }
  const before = await busy()
  const { times: frames, way } = await conversation.evaluate(async box => {
    const times: number[] = []
    const top = box.scrollTop
    let last = performance.now()
    for (let n = 0; n < 240; n += 1) {
      await new Promise(requestAnimationFrame)
      const now = performance.now()
      times.push(now - last)
      last = now
      // As a wheel does it.
      box.dispatchEvent(new WheelEvent('wheel', { deltaY: -60 }))
      box.scrollTop -= 60
    }
    return { times: times.sort((a, b) => a - b), way: top - box.scrollTop }
  })
  const each = ((await busy()) - before) / frames.length
  // All of the way, and not taken back to the end.
  expect(way).toBeGreaterThan(10_000)
  const p95 = frames[Math.floor(frames.length * 0.95)] ?? 0

  // Across all of it, and back.
  for (const share of [0.5, 0.1, 0, 0.7]) {
    await conversation.evaluate((box, part) => box.scrollTo(0, box.scrollHeight * part), share)
    await conversation
      .getByText(/Turn \d/)
      .first()
      .waitFor()
  }
  const nodes = await page.evaluate(() => document.querySelectorAll('*').length)
  await devtools.send('HeapProfiler.collectGarbage')
  const { usedSize } = (await devtools.send('Runtime.getHeapUsage')) as { usedSize: number }
  console.log(
    `frames p95 ${p95.toFixed(1)} ms, ${each.toFixed(1)} ms of work each; ${nodes} nodes, heap ${(usedSize / 1e6).toFixed(1)} MB`,
  )
  expect(nodes).toBeLessThan(3000)
  expect(usedSize).toBeLessThan(60e6)
  expect(each).toBeLessThan(10)
  visitor.isContent('a long conversation')
  await visitor.leave()
})
