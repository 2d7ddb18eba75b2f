import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Browser, browserPath, startBrowser } from "./testing/browser.js";

/** The machine may have other work to do. */
vi.setConfig({ testTimeout: 300_000 });

const PROGRAM = join(import.meta.dirname, "../../cli/dist/weft.js");
const runs = mkdtempSync(join(tmpdir(), "weft-studio-runs-"));
let port = 0;

/** Starts the built program; resolves with its link when it listens. */
async function startStudio(): Promise<{ link: string; process: ChildProcess; end(signal: NodeJS.Signals): Promise<number | null> }> {
  const child = spawn(process.execPath, [PROGRAM, "studio", "--port", String(port), "--runs", runs, "--device", "cpu", "--json"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  const { link } = JSON.parse(line) as { link: string };
  port = Number(new URL(link).port);
  return {
    link,
    process: child,
    async end(signal) {
      const exit = once(child, "exit");
      child.kill(signal);
      return ((await exit) as [number | null])[0];
    },
  };
}

/** The last step that is on the disk, of the only run. */
function lastLoggedStep(): number {
  const [run] = readdirSync(runs);
  const steps = readFileSync(join(runs, run!, "metrics.jsonl"), "utf8").split("\n");
  return Number(/"step":(\d+)/.exec(steps.at(-2) ?? "")?.[1] ?? 0);
}

const show = (page: Page): Promise<void> => page.evaluate(() => void (location.hash = "train"));
const heading = (page: Page, name: string | RegExp): Promise<void> => page.getByRole("heading", { name }).waitFor();

describe.skipIf(browserPath === undefined)("the studio of the terminal", () => {
  let browser: Browser;
  let server: Awaited<ReturnType<typeof startStudio>>;
  const open = async (): Promise<Page> => {
    const page = await browser.context.newPage();
    await page.goto(server.link);
    await page.getByText(/CPU, \d+ thread/).waitFor();
    return page;
  };
  beforeAll(async () => {
    browser = await startBrowser((url) => url.startsWith(`http://127.0.0.1:${port}/`));
    server = await startStudio();
  });
  afterAll(async () => {
    await browser?.close();
    server?.process.kill("SIGKILL");
    rmSync(runs, { recursive: true, force: true });
  });

  it("refuses a page that has not come by the link", async () => {
    const page = await browser.context.newPage();
    await page.goto(new URL("/", server.link).href);
    await page.getByText("Open the link that the terminal shows.").waitFor();
    await page.close();
  });

  it("trains on while its tab is closed, is steered from two, and goes on after it was killed, equal to the last bit", async () => {
    const first = await open();
    await first.getByRole("button", { name: "Try the tiny model" }).click();
    await heading(first, /^Step \d+ of 120/);
    await first.getByRole("button", { name: "Pause" }).click();
    await heading(first, "Saved; you may close this tab.");
    await first.close();

    const second = await open();
    await show(second);
    const third = await open();
    await show(third);
    await second.getByRole("button", { name: "Continue" }).click();
    await heading(third, /^Step \d+ of 120/);
    await third.getByRole("button", { name: "Pause" }).click();
    await heading(second, "Saved; you may close this tab.");
    const [, paused] = /step (\d+)/.exec((await second.locator("h1").textContent())!)!;
    await third.close();
    await second.getByRole("button", { name: "Continue" }).click();
    await expect.poll(lastLoggedStep, { timeout: 120_000 }).toBeGreaterThan(Number(paused) + 1);
    await server.end("SIGKILL");
    await second.getByText(/^The studio in the terminal does not answer\. Next try in \d s\.$/).waitFor();
    expect(second.url()).not.toContain("token");

    server = await startStudio();
    await second.getByText("Open the link that the terminal shows.").waitFor();
    await second.close();
    const again = await open();
    await show(again);
    await again.getByRole("button", { name: "Continue" }).click();
    await again.getByText(/^\d+ steps? (was|were) repeated after the interruption, and each loss is equal to the last bit\.$/).waitFor();
    await again.getByRole("button", { name: "Stop" }).click();
    await heading(again, /^Done: \d+ steps in /);
    await again.close();
    expect(await server.end("SIGTERM")).toBe(0);
  });

  it("has trained the adapter that weft train makes of the same config, bit for bit", async () => {
    const run = join(runs, readdirSync(runs)[0]!);
    const { config } = JSON.parse(readFileSync(join(run, "run.json"), "utf8")) as { config: object };
    // Of the first pause: the others of the run are removed as it goes on.
    const checkpoint = readdirSync(run).find((name) => name.startsWith("checkpoint-"))!;
    const tiny = join(import.meta.dirname, "../../../packages/tiny-models");
    const out = `${runs}-of-weft-train`;
    const settings = {
      ...config,
      model_name_or_path: join(tiny, "models/llama"),
      train_file: join(tiny, "texts/romeo-and-juliet.txt"),
      output_dir: out,
      save_steps: Number(checkpoint.slice("checkpoint-".length)),
      device: "cpu",
    };
    writeFileSync(`${out}.yaml`, JSON.stringify(settings));
    const trainer = spawn(process.execPath, [PROGRAM, "train", `${out}.yaml`, "--quiet"], { stdio: ["ignore", "ignore", "inherit"] });
    const ended = once(trainer, "exit");
    await expect.poll(() => existsSync(join(out, checkpoint, "done.json")) || trainer.exitCode !== null, { timeout: 120_000 }).toBe(true);
    trainer.kill("SIGKILL");
    await ended;
    const adapter = (folder: string): string => readFileSync(join(folder, checkpoint, "adapter_model.safetensors")).toString("hex");
    expect(adapter(out) === adapter(run)).toBe(true);
    rmSync(out, { recursive: true });
    rmSync(`${out}.yaml`);
  });

  it("has no request to other places, and no report of its policy", () =>
    // That a server is gone, and that it has another token.
    expect(browser.offences.filter((one) => !/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|status of 401/.test(one))).toEqual([]));
});
