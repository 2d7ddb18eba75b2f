import type { Reporter, TestModule } from "vitest/node";

const LIMIT_MS = 120_000;

/** Names every two minutes the test files that have not ended since: a run that hangs tells where. */
export default class SlowFiles implements Reporter {
  readonly #started = new Map<string, number>();
  #timer?: NodeJS.Timeout;

  onTestRunStart(): void {
    this.#timer = setInterval(() => this.#report(), LIMIT_MS);
    this.#timer.unref();
  }

  onTestModuleStart(module: TestModule): void {
    this.#started.set(module.relativeModuleId, Date.now());
  }

  onTestModuleEnd(module: TestModule): void {
    this.#started.delete(module.relativeModuleId);
  }

  onTestRunEnd(): void {
    clearInterval(this.#timer);
  }

  #report(): void {
    for (const [file, started] of this.#started) {
      const seconds = Math.round((Date.now() - started) / 1000);
      if (seconds * 1000 >= LIMIT_MS) process.stderr.write(`still running after ${seconds} s: ${file}\n`);
    }
  }
}
