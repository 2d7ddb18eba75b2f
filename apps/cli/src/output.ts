import { randomUUID } from "node:crypto";
import type { GlobalOptions } from "./global-options.js";
import { type Style, styleFor } from "./style.js";

/** Where text goes. Tests collect it; the program writes to the standard streams. */
export interface Streams {
  stdout(text: string): void;
  stderr(text: string): void;
  /** True if stderr is a terminal: progress is drawn in place. */
  readonly terminal: boolean;
  /** Columns of the terminal as it is now; 80 where there is none. */
  readonly columns?: () => number;
  /** Which of the streams take colours; none if not given. */
  readonly color?: { readonly stdout: boolean; readonly stderr: boolean };
}

/** Something that a person should know, with what it is about for programs. */
export interface Warning {
  readonly kind: string;
  readonly message: string;
}

/**
 * What a command says. With `--json` stdout carries one JSON object per line, the last one the result; otherwise the
 * result is text on stdout. Notices and progress are for people: stderr, or events with `--json`.
 */
export class Output {
  readonly streams: Streams;
  /** How text on stderr looks. */
  readonly style: Style;
  private readonly options: GlobalOptions;

  constructor(streams: Streams, options: GlobalOptions) {
    this.streams = streams;
    this.style = styleFor(streams.color?.stderr ?? false);
    this.options = options;
  }

  get json(): boolean {
    return this.options.json;
  }

  get quiet(): boolean {
    return this.options.quiet;
  }

  /** The result: the one thing that `--quiet` leaves. */
  result(value: object, text: (style: Style) => string): void {
    if (this.json) return this.streams.stdout(`${exactJson(value)}\n`);
    const style = styleFor(this.streams.color?.stdout ?? false);
    this.streams.stdout(ensureNewline(text(style).replaceAll(/^✓/gm, style.green("✓"))));
  }

  /** An event of a running job; only with `--json`. */
  event(value: object): void {
    if (this.json && !this.quiet) this.streams.stdout(`${JSON.stringify(value)}\n`);
  }

  /** Something a person should know. */
  note(text: string): void {
    if (this.quiet) return;
    if (this.json) this.event({ event: "note", message: text });
    else this.streams.stderr(`${text}\n`);
  }

  warn(warning: string | Warning): void {
    const told = typeof warning === "string" ? { message: warning } : warning;
    if (this.json) this.event({ event: "warning", ...told });
    else if (!this.quiet) this.streams.stderr(`${this.style.yellow("warning:")} ${told.message}\n`);
  }
}

/** JSON in which integers above 2^53 have all of their digits. */
function exactJson(value: object): string {
  const mark = randomUUID();
  let found = false;
  const text = JSON.stringify(value, (_, v: unknown) => {
    if (typeof v !== "bigint") return v;
    found = true;
    return `${mark}${v}`;
  });
  return found ? text.replaceAll(new RegExp(`"${mark}(\\d+)"`, "g"), "$1") : text;
}

const ensureNewline = (text: string): string => (text === "" || text.endsWith("\n") ? text : `${text}\n`);

/** A table in columns; cells of columns named in `right` are aligned to the right. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (right.includes(i) ? cell.padStart(widths[i]!) : i === row.length - 1 ? cell : cell.padEnd(widths[i]!)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** 1100048384 as "1,100,048,384". */
export const formatCount = (n: number): string => n.toString().replace(/\B(?=(\d{3})+(?!\d))/g, ",");

/** A name from a file, safe to print: control characters escaped, cut to a length that keeps tables readable. */
export function printable(name: string, limit = 160): string {
  const text = name.replace(
    // oxlint-disable-next-line no-control-regex
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
}
