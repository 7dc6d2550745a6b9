import axe from 'axe-core'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'
import type { Lab } from './lab.ts'

/** Debian's Chromium, with a fresh profile, speaking to nobody but the program. */
export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.MAKIMA_TEST_CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
  })
}

export type Theme = 'light' | 'dark'

interface Look {
  theme?: Theme
  width?: number
  height?: number
}

/** A person at a browser, and all that went wrong where they were. */
export class Visitor {
  readonly complaints: string[] = []
  readonly page: Page
  readonly #context: BrowserContext
  readonly #lab: Lab

  private constructor(lab: Lab, context: BrowserContext, page: Page) {
    this.#lab = lab
    this.#context = context
    this.page = page
    const home = new URL(lab.url).origin
    page.on('pageerror', error => this.complaints.push(`error: ${error.message}`))
    page.on('request', request => {
      const url = new URL(request.url())
      if (url.origin !== home && url.protocol !== 'data:') this.complaints.push(`asked another server: ${url}`)
    })
    page.on('console', message => {
      if (message.type() === 'error') this.complaints.push(`console: ${message.text()}`)
    })
  }

  static async at(
    lab: Lab,
    browser: Browser,
    { theme = 'light', width = 1440, height = 900 }: Look = {},
  ): Promise<Visitor> {
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme: theme,
      reducedMotion: 'reduce',
    })
    await context.addInitScript({ content: axe.source })
    const page = await context.newPage()
    page.setDefaultTimeout(15_000)
    return new Visitor(lab, context, page)
  }

  /** The same, signed in. */
  static async signedIn(lab: Lab, browser: Browser, look: Look = {}): Promise<Visitor> {
    const visitor = await Visitor.at(lab, browser, look)
    await visitor.page.goto(await lab.link())
    await visitor.page.getByRole('heading', { level: 1 }).waitFor()
    return visitor
  }

  async goto(path: string): Promise<void> {
    await this.page.goto(this.#lab.url + path)
  }

  /** Holds what is on the page to WCAG 2.2 AA. */
  async isAccessible(what: string): Promise<void> {
    const violations = await this.page.evaluate(async () => {
      const { axe } = window as unknown as { axe: typeof import('axe-core') }
      const { violations } = await axe.run(document, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
      })
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(node => node.html.slice(0, 160)).join(' | ')}`)
    })
    expect(violations, what).toEqual([])
  }

  /** Holds that nothing went wrong so far, but for what is known to. */
  isContent(what: string, but?: RegExp): void {
    expect(
      this.complaints.filter(complaint => !but?.test(complaint)),
      what,
    ).toEqual([])
  }

  async leave(): Promise<void> {
    await this.#context.close()
  }
}
