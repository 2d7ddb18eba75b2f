import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { CHROMIUM_FLAGS, chromiumPath } from "../../../../scripts/chromium.mjs";
import { serveApp } from "../../serve.mjs";

/** The built app in a browser, with everything that it must not do counted. */
export interface Studio {
  readonly url: string;
  readonly context: BrowserContext;
  /** A page of the studio, whose engine has answered. */
  open(): Promise<Page>;
  /** Requests to other places, and reports of the policy, since the start. */
  readonly offences: readonly string[];
  close(): Promise<void>;
}

/** Path of the browser; undefined where there is none. */
export const browserPath: string | undefined = await chromiumPath();

/** Starts server and browser. A profile on disk: in one without, quotas and folders of a page are others. */
export async function startStudio({ headers = true, viewport = { width: 1280, height: 900 } } = {}): Promise<Studio> {
  const server = await serveApp({ headers });
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
    if (/^(https?|wss?):/.test(url) && !url.startsWith(server.url)) offences.push(`request to ${url}`);
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
    url: server.url,
    context,
    offences,
    async open() {
      const page = await context.newPage();
      await page.goto(server.url);
      await page.getByText(/CPU, \d+ thread|Graphics device/).waitFor();
      return page;
    },
    async close() {
      await context.close();
      await server.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}
