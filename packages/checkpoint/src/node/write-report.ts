import { writeReportFile } from "./report-file.js";
import { lossNumbers } from "../quantize/merge-loss.js";
import type { Requantized } from "./quantize/requantized.js";
import { isCopy } from "../plan/tensor-job.js";
import type { Resources } from "../plan/plan-memory.js";
import type { PreparedMerge } from "./prepare.js";
import type { ShardResults } from "./write-merged.js";

/** JSON with every tensor: what was done, how large the change is, what rounding cost, and its hash. */
export function writeReport(
  file: string,
  { output: plan, adapters, reports, notices }: PreparedMerge,
  { onePiece }: Pick<Resources, "onePiece">,
  { results, digests, requantized }: ShardResults & { readonly requantized?: Requantized | undefined },
): Promise<void> {
  const six = (x: number): number => Number(x.toPrecision(6));
  const whole = new Set(onePiece);
  const rounded = (numbers: object): object => Object.fromEntries(Object.entries(numbers).map(([key, x]) => [key, six(x as number)]));
  const numbersOf = (name: string): object => {
    const [loss, left] = [requantized?.losses.get(name), requantized?.residual?.left.get(name)];
    return { ...(loss && rounded(lossNumbers(loss))), ...(left !== undefined && { residualLeft: six(left) }) };
  };
  const tensors = plan.items.map((item) => {
    const result = results.get(item.name);
    const what = item.steps.length > 0 ? "merged" : item.patches.length > 0 ? "rows-replaced" : isCopy(item) ? "copied" : "converted";
    const { change } = result ?? {};
    return {
      name: item.name,
      what,
      dtype: item.dtype,
      shape: item.shape,
      file: plan.shards[item.shard]!.file,
      ...(whole.has(item.name) && { inOnePiece: true }),
      ...(item.stored && { storedIn: item.stored.tensors.map(({ name }) => name) }),
      ...(result ? result.sha256 !== undefined && { sha256: result.sha256 } : { resumed: true }),
      ...numbersOf(item.name),
      ...(change && { maxAbsChange: six(change.maxAbs), changeNorm: six(change.norm), maxRoundingError: six(change.rounding) }),
    };
  });
  const report = {
    adapters: adapters.map(({ path, adapter, scale }, i) => ({
      path,
      method: adapter.method,
      scale,
      modules: reports[i]!.matched.length,
      replaced: reports[i]!.replaced.map(({ name, change }) => ({ name, change })),
      unused: reports[i]!.unused.map(({ name }) => name),
    })),
    notices,
    ...(requantized && { requantized: rounded(lossNumbers(requantized.loss)) }),
    shards: plan.shards.map(({ file, layout }) => ({ file, bytes: layout.size, digest: digests.get(file) ?? null })),
    tensors,
  };
  return writeReportFile(file, report);
}
