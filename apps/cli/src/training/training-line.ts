import { formatBytes } from "@weft/checkpoint/format";
import type { StepRecord } from "@weft/training";
import { type Output, printable } from "../output.js";
import { formatSeconds } from "../progress.js";

/** Plain lines come this often where nothing can be drawn in place. */
const LINE_EVERY_MS = 5000;
const DRAW_EVERY_MS = 100;

/** What a person sees of a training: one line that is drawn again on a terminal, lines in a pipe, all records with `--json`. */
export class TrainingLine {
  private readonly out: Output;
  private readonly maxSteps: number;
  private readonly started = performance.now();
  private first: number | undefined;
  private last = -Infinity;
  private drawn = false;

  constructor(out: Output, maxSteps: number) {
    this.out = out;
    this.maxSteps = maxSteps;
  }

  update(record: StepRecord): void {
    const { out, maxSteps } = this;
    if (out.json) return out.event({ event: "step", ...record });
    if (out.quiet) return;
    this.first ??= record.step - 1;
    const { evaluation, samples, checkpoint, step } = record;
    const now = performance.now();
    const isDue = now - this.last >= (out.streams.terminal ? DRAW_EVERY_MS : LINE_EVERY_MS) || step === maxSteps;
    if (isDue) {
      this.last = now;
      const eta = ((now - this.started) / 1000 / (step - this.first)) * (maxSteps - step);
      this.draw(this.textOf(record, eta));
    }
    if (evaluation)
      this.say(
        `step ${step}: evaluation loss ${evaluation.loss.toFixed(4)}, perplexity ${evaluation.perplexity.toFixed(2)}${evaluation.isBest ? ", the best so far" : ""}`,
      );
    for (const text of samples ?? []) this.say(`step ${step}: ${printable(text, Infinity)}`);
    if (checkpoint !== undefined) this.say(`step ${step}: checkpoint ${checkpoint}`);
  }

  /** Leaves the line as it is. */
  end(): void {
    if (this.drawn) this.out.streams.stderr("\n");
    this.drawn = false;
  }

  private textOf({ step, loss, learningRate, gradNorm, tokensPerSecond }: StepRecord, eta: number): string {
    return [
      `step ${step}/${this.maxSteps}`,
      `loss ${loss.toFixed(4)}`,
      `lr ${learningRate.toExponential(2)}`,
      `grad ${gradNorm.toFixed(3)}`,
      `${Math.round(tokensPerSecond)} tok/s`,
      `eta ${formatSeconds(eta)}`,
      formatBytes(process.memoryUsage.rss()),
    ].join("  ");
  }

  private draw(text: string): void {
    const { streams } = this.out;
    if (!streams.terminal) return streams.stderr(`${text}\n`);
    streams.stderr(`\r\u001b[2K${text.slice(0, (streams.columns?.() ?? 80) - 1)}`);
    this.drawn = true;
  }

  private say(text: string): void {
    this.end();
    this.out.note(text);
  }
}
