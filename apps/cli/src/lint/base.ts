import type { WeightSource } from "@weft/io-safetensors";
import { describeReport, matchAdapter, type OpenedAdapter } from "@weft/adapter-files";
import { mergeBlocker, quantizedTargets } from "@weft/checkpoint";
import { viewCheckpoint } from "@weft/checkpoint/node";
import type { Finding } from "./finding.js";

/** What of an adapter has no place in a base. */
export async function findWrongBase(adapter: OpenedAdapter, checkpoint: WeightSource): Promise<Finding[]> {
  const { base, quantization, unread, model } = await viewCheckpoint(checkpoint, [adapter]);
  const report = await matchAdapter(adapter, base, { model });
  const quantized = quantizedTargets(report, quantization);
  const refused = quantized.filter(([path]) => unread.has(path));
  if (quantized.length > 0)
    return [
      {
        code: "quantized-base",
        severity: refused.length > 0 ? "error" : "warning",
        message: `the base holds ${quantized.length} of the weights that the adapter is for quantised (${(refused[0] ?? quantized[0])![1]}): ${refused.length > 0 ? "merge refuses it" : "merged and stored so again, small changes are rounded away"}`,
        proposal:
          refused.length > 0
            ? "merge into the 16-bit base that was quantised, or run the adapter unmerged"
            : "merge with --residual-rank, or to 16 bits with --dtype, or run the adapter unmerged",
        where: quantized.map(([path]) => path),
      },
    ];
  const { missing, mismatched, matched } = report;
  if (missing.length + mismatched.length === 0) return [];
  const [, ...lines] = describeReport(report);
  const { baseModelNameOrPath } = adapter.config.values as { readonly baseModelNameOrPath?: string | null };
  return [
    {
      code: "wrong-base",
      severity: "error",
      message: `${missing.length + mismatched.length} parts of the adapter do not fit this base, ${matched.length} do: ${lines[0] ?? ""}`,
      proposal: baseModelNameOrPath
        ? `the adapter was made for ${JSON.stringify(baseModelNameOrPath)}`
        : "give the base that the adapter was made for",
      where: [...mismatched.map(({ path }) => path), ...missing.map(({ path }) => path)],
    },
  ];
}

/** Why no base takes the adapter in; merge refuses it with the same words. What changed its base before training is a finding of its own. */
export function findMergeBlocker(adapter: OpenedAdapter): Finding[] {
  const blocker = mergeBlocker(adapter);
  if (!blocker || blocker.kind === "base-changed-by-init") return [];
  return [{ code: "not-mergeable", severity: "note", message: blocker.why, proposal: blocker.hint, where: [] }];
}
