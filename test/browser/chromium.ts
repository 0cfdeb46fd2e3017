import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';

const executables = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** A headless browser of the machine. Throws where there is none: the tier needs it. */
export async function startChromium(args: readonly string[] = []): Promise<Browser> {
  const executablePath = executables.find(existsSync);
  if (executablePath === undefined) throw new Error(`no browser at ${executables.join(' or ')}`);
  // The tests of a container run as root, for whom Chromium has no sandbox.
  return chromium.launch({ executablePath, args: ['--no-sandbox', ...args] });
}

/** What a page did that it must not do. */
export interface Misdeeds {
  readonly violations: string[];
  readonly errors: string[];
  /** Requests to another origin. */
  readonly foreign: string[];
}

/** A new page of its own context that notes what it does from its first script on. */
export async function watchedPage(
  browser: Browser,
  origin: string,
): Promise<{ page: Page; misdeeds: Misdeeds }> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  const misdeeds: Misdeeds = { violations: [], errors: [], foreign: [] };
  await page.exposeFunction('noteViolation', (text: string) => misdeeds.violations.push(text));
  await page.addInitScript(
    `document.addEventListener('securitypolicyviolation', (event) =>
      noteViolation(event.effectiveDirective + ' ' + event.blockedURI))`,
  );
  page.on('pageerror', (error) => misdeeds.errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') misdeeds.errors.push(message.text());
  });
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(`${origin}/`) && !url.startsWith('data:')) misdeeds.foreign.push(url);
  });
  return { page, misdeeds };
}
