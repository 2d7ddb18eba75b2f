import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { CHROMIUM_FLAGS, chromiumPath } from "../../../../scripts/chromium.mjs";
import { serveApp } from "../../serve.mjs";

/** A browser, with everything that a page must not do counted. */
export interface Browser {
  readonly context: BrowserContext;
  /** Requests to other places, and errors and reports of the policy, since the start. */
  readonly offences: readonly string[];
  close(): Promise<void>;
}

/** The built app in a browser. */
export interface Studio extends Browser {
  readonly url: string;
  /** A page of the studio, whose engine has answered. */
  open(): Promise<Page>;
}

/** Path of the browser; undefined where there is none. */
export const browserPath: string | undefined = await chromiumPath();

/** Starts a browser. A profile on disk: in one without, quotas and folders of a page are others. @param isOwn whether pages may ask for an address */
export async function startBrowser(isOwn: (url: string) => boolean, viewport = { width: 1280, height: 900 }): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), "weft-studio-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: browserPath!,
    args: CHROMIUM_FLAGS,
    headless: true,
    locale: "en-US",
    viewport,
  });
  context.setDefaultTimeout(120_000);
  const offences: string[] = [];
  context.on("request", (request) => {
    const url = request.url();
    if (/^(https?|wss?):/.test(url) && !isOwn(url)) offences.push(`request to ${url}`);
  });
  const watch = (page: Page): void => {
    page.on("console", (message) => {
      if (message.type() === "error" || /Content.Security.Policy|TrustedScriptURL/i.test(message.text())) offences.push(message.text());
    });
    page.on("pageerror", (error) => offences.push(String(error)));
  };
  context.pages().forEach(watch);
  context.on("page", watch);
  return {
    context,
    offences,
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** Starts server and browser. */
export async function startStudio({ headers = true, viewport = { width: 1280, height: 900 } } = {}): Promise<Studio> {
  const server = await serveApp({ headers });
  const browser = await startBrowser((url) => url.startsWith(server.url), viewport);
  return {
    ...browser,
    url: server.url,
    async open() {
      const page = await browser.context.newPage();
      await page.goto(server.url);
      await page.getByText(/CPU, \d+ thread|Graphics device/).waitFor();
      return page;
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}
