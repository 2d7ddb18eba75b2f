import type { OnProgress } from "@weft/checkpoint";
import { formatBytes } from "@weft/checkpoint/format";
import type { Context } from "./context.js";
import { type Output, printable } from "./output.js";

/** Plain lines come this often where nothing can be drawn in place. */
const LINE_EVERY_MS = 5000;
const DRAW_EVERY_MS = 100;
const BAR = 24;

/** A bar narrower than this tells less than the numbers do. */
const LEAST_BAR = 8;

/** A line of at most `columns` columns: of the numbers as many as fit, then a bar, then what is worked on. */
function fitted(share: number, numbers: readonly string[], item: string, columns: number): string {
  const fits = (count: number): boolean => numbers.slice(0, count).join("  ").length <= columns - 3;
  const text = numbers.slice(0, [4, 3, 2].find(fits) ?? 1).join("  ");
  const room = columns - 3 - text.length;
  const bar = Math.min(BAR, room - 3);
  const full = Math.round(share * bar);
  const line = bar < LEAST_BAR ? `  ${text}` : `  [${"█".repeat(full)}${"─".repeat(bar - full)}] ${text}`;
  const left = columns - 1 - line.length - 2;
  if (item === "" || left < 2 * LEAST_BAR) return line.slice(0, columns - 1);
  return `${line}  ${item.length > left ? `…${item.slice(1 - left)}` : item}`;
}

/** Progress of one job, counted in bytes. */
export class Progress {
  private readonly out: Output;
  private readonly label: string;
  private readonly total: number;
  private readonly started = performance.now();
  private last = 0;
  private drawn = false;

  constructor(out: Output, label: string, total: number) {
    this.out = out;
    this.label = label;
    this.total = total;
    this.last = out.streams.terminal && !out.json ? 0 : this.started;
  }

  /** Tells how far the job is; prints only as often as is useful. `item` is what it works on. */
  update(done: number, item = ""): void {
    const { out } = this;
    if (out.quiet) return;
    const now = performance.now();
    const draws = out.streams.terminal && !out.json;
    if (now - this.last < (draws ? DRAW_EVERY_MS : LINE_EVERY_MS)) return;
    this.last = now;
    const seconds = (now - this.started) / 1000;
    const rate = seconds > 0 ? done / seconds : 0;
    const eta = rate > 0 ? Math.max(0, (this.total - done) / rate) : 0;
    const share = this.total > 0 ? done / this.total : 1;
    if (out.json) {
      out.event({ event: "progress", done, total: this.total, item, bytesPerSecond: Math.round(rate), etaSeconds: Math.round(eta) });
      return;
    }
    const percent = `${Math.floor(share * 100)}%`.padStart(4);
    const numbers = [
      percent,
      `${formatBytes(done)} of ${formatBytes(this.total)}`,
      `${formatBytes(Math.round(rate))}/s`,
      `eta ${formatSeconds(eta)}`,
    ];
    if (!draws) {
      out.streams.stderr(`${this.label} ${numbers.join("  ")}${item && `  ${item}`}\n`);
      return;
    }
    out.streams.stderr(`\r\u001b[2K${fitted(share, numbers, printable(item), out.streams.columns?.() ?? 80)}`);
    this.drawn = true;
  }

  /** Clears the bar. */
  end(): void {
    if (this.drawn) this.out.streams.stderr("\r\u001b[2K");
    this.drawn = false;
  }
}

/** Shows the progress of jobs, whatever they are doing. */
export function showProgress(out: Output): { readonly onProgress: OnProgress; end(): void } {
  let shown: { readonly phase: string; readonly progress: Progress } | undefined;
  const end = (): void => {
    shown?.progress.end();
    shown = undefined;
  };
  return {
    onProgress({ phase, done, total, item }) {
      if (shown?.phase !== phase) {
        end();
        shown = { phase, progress: new Progress(out, phase, total) };
      }
      shown.progress.update(done, item);
    },
    end,
  };
}

/** 75 as "1m15s". */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes}m${whole % 60}s` : `${Math.floor(minutes / 60)}h${minutes % 60}m`;
}

/** Runs something that tells how far it is, with a line of progress. */
export async function withProgress<T>(
  label: string,
  { out }: Pick<Context, "out">,
  run: (onProgress: (done: number, total: number) => void) => Promise<T>,
): Promise<T> {
  let progress: Progress | undefined;
  try {
    return await run((done, total) => (progress ??= new Progress(out, label, total)).update(done));
  } finally {
    progress?.end();
  }
}
