import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { violations } from "./testing/axe.js";
import { browserPath, startStudio, type Studio } from "./testing/browser.js";

let studio: Studio;
beforeAll(async () => {
  if (browserPath !== undefined) studio = await startStudio();
});
afterAll(() => studio?.close());

describe.skipIf(browserPath === undefined)("the built studio", () => {
  it("trains the tiny model from one click, shows the loss fall, and the text before and after", async () => {
    const page = await studio.open();
    expect(await page.getByText("Nothing leaves this device: 0 requests since it loaded.").isVisible()).toBe(true);
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    await page.getByRole("button", { name: "Try the tiny model" }).click();
    await page.getByRole("heading", { name: /^Step \d+ of 120, about/ }).waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("heading", { name: /^Paused at step \d+\./ }).waitFor();
    await page.getByRole("button", { name: "Continue" }).click();
    const done = page.getByRole("heading", { name: /^Done: 120 steps in / });
    await done.waitFor({ timeout: 120_000 });
    const [, first, last] = /loss (\d\.\d+) to (\d\.\d+)/.exec((await done.textContent())!)!;
    expect(Number(last)).toBeLessThan(Number(first) - 0.5);
    const [before, after] = await page.locator("blockquote").allTextContents();
    expect(before).toMatch(/^It is the/);
    expect(after).not.toBe(before);
    expect(await page.locator("blockquote mark").count()).toBeGreaterThan(0);
    await page.getByText("All numbers").click();
    expect(await page.locator("tbody tr").count()).toBe(120);
    for (const screen of ["train", "open", "settings"])
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        await page.evaluate((hash) => (location.hash = hash), screen);
        await page.locator(`nav [aria-current][href="#${screen}"]`).waitFor();
        expect({ screen, colorScheme, violations: await violations(page) }).toEqual({ screen, colorScheme, violations: [] });
      }
    await page.close();
  });

  it("has no request to other places, and no report of its policy", () => expect(studio.offences).toEqual([]));
});

describe.skipIf(browserPath === undefined)("from a host that sets no headers", () => {
  it("is isolated by its service worker after one more load, works offline, and its worker cannot reach other hosts", async () => {
    const plain = await startStudio({ headers: false });
    try {
      const page = await plain.open();
      expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
      expect(await page.getByText(/CPU, [2-9]\d* threads/).isVisible()).toBe(true);
      await plain.context.setOffline(true);
      await page.reload();
      await page.getByText(/CPU, \d+ thread/).waitFor();
      expect(plain.offences).toEqual([]);
      const [engine] = page.workers();
      const violated = await engine!.evaluate(
        () =>
          new Promise((resolve) => {
            addEventListener("securitypolicyviolation", (event) => resolve((event as SecurityPolicyViolationEvent).effectiveDirective));
            fetch("https://example.com/").catch(() => undefined);
          }),
      );
      expect(violated).toBe("connect-src");
    } finally {
      await plain.close();
    }
  });
});
