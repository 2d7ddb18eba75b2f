import type { Quantization } from "@weft/io-safetensors";
import type { MatchReport } from "@weft/adapter-files";
import { CapabilityError } from "@weft/tensor-core";
import type { ChangeOptions } from "./change.js";

/** The weights of a base that an adapter is for and that are quantised, with their formats. */
export function quantizedTargets(
  { matched, replaced, tokens, missing, mismatched }: MatchReport,
  { weights }: Quantization,
): [path: string, format: string][] {
  if (weights.size === 0) return [];
  const names = [
    ...matched.map(({ weight }) => weight),
    ...tokens.map(({ weight }) => weight),
    ...replaced.map(({ name }) => name).filter((name) => name.endsWith(".weight")),
    ...missing.map(({ wanted }) => wanted),
    ...mismatched.map(({ path }) => path),
  ];
  const paths = new Set(names.flatMap((name) => [name, name.slice(0, name.lastIndexOf("."))]));
  return [...paths].flatMap((path) => (weights.has(path) ? [[path, weights.get(path)!] as [string, string]] : []));
}

/** Refuses an adapter for quantised weights that are not read as values. @throws CapabilityError kind `quantized-base`; FormatError kind `quantized-weight` */
export function refuseQuantized(
  report: MatchReport,
  { quantization, unread }: Pick<ChangeOptions, "quantization" | "unread">,
  adapter: string,
): void {
  const [first, ...others] = quantizedTargets(report, quantization);
  if (!first) return;
  const [path, format] = first;
  const reason = unread?.get(path);
  if (reason) throw reason;
  const more = others.length > 0 ? `, as ${others.length} more that the adapter is for` : "";
  throw new CapabilityError(
    `${path}: the base holds this weight quantised (${format})${more}; adapters are merged into floating-point weights`,
    {
      kind: "quantized-base",
      tensor: path,
      file: adapter,
      hint: "merge into the 16-bit base that was quantised, and quantise the result; or keep the adapter unmerged",
    },
  );
}
