import { tinyModelFolder } from "@weft/tiny-models/node";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { violations } from "./testing/axe.js";
import { browserPath, startStudio, type Studio } from "./testing/browser.js";

/** The machine may have other work to do. */
vi.setConfig({ testTimeout: 300_000 });
let studio: Studio;
beforeAll(async () => {
  if (browserPath !== undefined) studio = await startStudio();
});
afterAll(() => studio?.close());
// One that is left would have the engine.
afterEach(() =>
  Promise.all(
    studio?.context
      .pages()
      .slice(1)
      .map((page) => page.close()) ?? [],
  ),
);

/** In a page: the last step that is on the disk of the run under way. */
async function lastLoggedStep(): Promise<number> {
  const weft = await (await navigator.storage.getDirectory()).getDirectoryHandle("weft");
  const runs = (await weft.getDirectoryHandle("runs")) as FileSystemDirectoryHandle & AsyncIterable<[string, FileSystemDirectoryHandle]>;
  for await (const [, run] of runs) {
    const read = async (name: string): Promise<string> => (await (await run.getFileHandle(name)).getFile()).text();
    if (JSON.parse(await read("run.json").catch(() => "{}")).phase !== "running") continue;
    const steps = (await read("metrics.jsonl").catch(() => "")).trimEnd().split("\n");
    return Number(/"step":(\d+)/.exec(steps.at(-1)!)?.[1] ?? 0);
  }
  return 0;
}

/** axe has nothing to say of a screen, dark or light. */
async function quiet(page: Page, screen: string): Promise<void> {
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    expect({ screen, colorScheme, violations: await violations(page) }).toEqual({ screen, colorScheme, violations: [] });
  }
}

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
    await page.locator("tbody tr").nth(119).waitFor();
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

  it("goes on after its tab was killed: what is lost is made again, and equal to the last bit", async () => {
    const page = await studio.open();
    await page.getByRole("button", { name: "Try the tiny model" }).click();
    await page.getByRole("heading", { name: /^Step \d+ of 120, about/ }).waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("heading", { name: "Saved; you may close this tab." }).waitFor();
    const [, paused] = /step (\d+)/.exec((await page.locator("h1").textContent())!)!;
    await page.getByRole("button", { name: "Continue" }).click();
    // Until some that are in no checkpoint are in the log, which is written once a second.
    await expect.poll(() => page.evaluate(lastLoggedStep), { timeout: 120_000 }).toBeGreaterThan(Number(paused) + 1);
    await page.goto("chrome://crash").catch(() => undefined);
    await page.close();
    const again = await studio.open();
    await again.goto(`${studio.url}#train`);
    await again.locator(".headline h1").waitFor();
    const interrupted = again.getByRole("heading", {
      name: /^Interrupted at \d+; checkpoint \d+ is good\. \d+ steps? will be repeated and compared\.$/,
    });
    await interrupted.waitFor();
    await again.getByRole("button", { name: "Continue" }).click();
    await again
      .getByText(/^\d+ steps? (was|were) repeated after the interruption, and each loss is equal to the last bit\.$/)
      .waitFor({ timeout: 120_000 });
    await again.getByRole("button", { name: "Stop" }).click();
    await again.getByRole("heading", { name: /^Done: \d+ steps/ }).waitFor();
    await again.close();
  });

  it("is watched and steered from a second tab, which takes over when the first one goes", async () => {
    const first = await studio.open();
    await first.getByRole("button", { name: "Try the tiny model" }).click();
    await first.getByRole("heading", { name: /^Step \d+ of 120, about/ }).waitFor();
    // Until a second one is open, so that the run does not end before.
    await first.getByRole("button", { name: "Pause" }).click();
    await first.getByRole("heading", { name: "Saved; you may close this tab." }).waitFor();
    const second = await studio.open();
    await second.getByText("This run lives in another tab. Watch and steer it here.").waitFor();
    await second.goto(`${studio.url}#train`);
    const third = await studio.open();
    await third.goto(`${studio.url}#train`);
    await second.getByRole("button", { name: "Continue" }).click();
    await second.getByRole("heading", { name: /^Step \d+ of 120/ }).waitFor();
    await second.getByRole("button", { name: "Pause" }).click();
    await second.getByRole("heading", { name: "Saved; you may close this tab." }).waitFor();
    await first.getByRole("heading", { name: "Saved; you may close this tab." }).waitFor();
    await first.close();
    await second.getByText("This run lives in another tab.").waitFor({ state: "detached" });
    await second.getByRole("heading", { name: "Saved; you may close this tab." }).waitFor();
    await second.getByRole("button", { name: "Continue" }).click();
    await second.getByRole("heading", { name: /^Step \d+ of 120/ }).waitFor();
    await second.getByRole("button", { name: "Stop" }).click();
    for (const page of [second, third]) {
      await page.getByRole("heading", { name: /^Done: \d+ steps/ }).waitFor();
      await page.close();
    }
  });

  it("opens own files, shows what is trained on, tells what it takes, and trains with the settings of the form", async () => {
    const page = await studio.open();
    const rows = [
      { prompt: "Who comes?", completion: " It is the east." },
      { prompt: "What light?", completion: " Arise, fair sun." },
    ];
    const [folder, files] = [page.locator("input[type=file]").nth(0), page.locator("input[type=file]").nth(1)];
    await folder.setInputFiles(tinyModelFolder("llama"));
    await page.getByText("492,384 parameters").waitFor();
    const data = Buffer.from(rows.map((row) => JSON.stringify(row)).join("\n"));
    await files.setInputFiles([
      { name: "train.jsonl", mimeType: "", buffer: data },
      { name: "model.safetensors", mimeType: "", buffer: Buffer.from("x") },
    ]);
    await page.getByText("model.safetensors: weights alone do not say what model they are of.").waitFor();
    await page.getByText("2 rows").waitFor();
    await quiet(page, "open");

    await page.getByRole("link", { name: "Inspect" }).click();
    await page.getByText("model.embed_tokens.weight").waitFor();
    await quiet(page, "inspect");

    await page.getByRole("link", { name: "Data" }).click();
    const lens = page.getByRole("group", { name: "Tokens" });
    await lens.waitFor();
    expect(await lens.locator(".trained").allTextContents()).toContain("<|endoftext|>");
    await lens.focus();
    await page.keyboard.press("End");
    await page.getByText(/it ends the answer, so the model learns to stop/).waitFor();
    await page.getByRole("button", { name: "Next example" }).click();
    await page.getByRole("heading", { name: "Example 2 of 2" }).waitFor();
    await quiet(page, "data");

    await page.getByRole("link", { name: "Change the length, the mask or the columns" }).click();
    await page.getByText(/^Ready: about .* on this device\.$/).waitFor();
    await page.getByLabel("Length").fill("none");
    await page.getByText("Expected a number.").waitFor();
    await expect.poll(() => page.getByRole("button", { name: "Start" }).isDisabled()).toBe(true);
    await page.getByLabel("Length").fill("64");
    await page.getByLabel("Steps, instead of epochs").fill("3");
    await page.getByText("All settings").click();
    await expect.poll(() => page.getByLabel("max_steps").inputValue()).toBe("3");
    await page.getByText(/^3 steps\. Memory: /).waitFor();
    await page.getByRole("button", { name: /^Rank 4: [\d.]+ MB$/ }).click();
    await expect.poll(() => page.getByLabel("peft.r").inputValue()).toBe("4");
    await quiet(page, "train");
    await page.getByRole("button", { name: "Start" }).click();
    await page.getByRole("heading", { name: /^Done: 3 steps in / }).waitFor();
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
