import { existsSync } from "node:fs";
import { UsageError } from "../failure.js";

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** A path and the factor on what lies there. */
export interface ScaledPath {
  readonly path: string;
  readonly scale: number;
}

/**
 * "lora:0.8" as path and factor. What exists is taken literally (`run_12:30`), and a colon that no number follows belongs to the path, as in
 * `C:\lora` and `hf:user/lora`, unless what stands before it is a path itself: then the factor is mistyped.
 * @throws UsageError
 */
export function parseScaledPath(text: string): ScaledPath {
  const colon = text.lastIndexOf(":");
  if (colon < 1 || existsSync(text)) return { path: text, scale: 1 };
  const [path, factor] = [text.slice(0, colon), text.slice(colon + 1)];
  const scale = Number(factor);
  if (NUMBER.test(factor) && Number.isFinite(scale)) return { path, scale };
  const drive = /^[a-z]:[\\/]/i.test(text) && colon === 1;
  if (NUMBER.test(factor) || (!drive && (existsSync(path) || path.startsWith("hf:"))))
    throw new UsageError(`-a ${text}: the factor "${factor}" is not a finite number`, `a number follows the last colon: -a ${path}:0.5`);
  return { path: text, scale: 1 };
}
