import type { WeightSource } from "@weft/io-safetensors";
import { asPlainLora, type ConvertModule, readFactors } from "@weft/convert";
import { lowRankSvd, matrix } from "@weft/tensor-core/linalg";
import { valuesOf } from "@weft/checkpoint";
import type { Finding } from "./finding.js";

/** Singular values below this share of the largest are nothing but rounding, by the dtype of the factors. */
const ROUNDING: { readonly [dtype: string]: number } = { F32: 1e-6, F16: 1e-3, BF16: 8e-3 };
/** Ranks beyond this are not decomposed: seconds per module. */
const MAX_RANK = 256;
/** Share of ‖ΔW‖² that half the rank must hold for the rank to count as oversized. */
const ENOUGH = 0.9999;

/** Tensors that hold NaN or infinities. */
export async function findNonFinite(weights: WeightSource, signal: AbortSignal): Promise<Finding[]> {
  const where: string[] = [];
  for (const name of weights.names()) {
    signal.throwIfAborted();
    const { data, dtype } = await weights.read(name);
    const values = valuesOf(data, dtype);
    if (values && !Array.prototype.every.call(values, Number.isFinite)) where.push(name);
  }
  if (where.length === 0) return [];
  return [
    {
      code: "non-finite",
      severity: "error",
      message: `${where.length} tensors hold NaN or infinite values, which make every output NaN`,
      proposal: "go back to a checkpoint from before the loss became NaN; weft inspect --stats counts the values",
      where,
    },
  ];
}

/** Modules that change nothing, and ranks that do nothing. @param path of the adapter, for commands to propose */
export async function findDeadRanks(modules: readonly ConvertModule[], path: string, signal: AbortSignal): Promise<Finding[]> {
  const inert: string[] = [];
  const dead: { readonly name: string; readonly rank: number; readonly alive: number }[] = [];
  const large: { readonly name: string; readonly enough: number }[] = [];
  for (const module of modules) {
    signal.throwIfAborted();
    const plain = asPlainLora(module);
    if (typeof plain === "string" || plain.rank! > MAX_RANK) continue;
    const { out, rank, inputs, up, down } = await readFactors(plain);
    const { s } = lowRankSvd(matrix(out, rank, up), matrix(rank, inputs, down));
    // NaN is a finding of its own.
    if (Number.isNaN(s[0])) continue;
    if (s[0] === 0 || module.scale === 0) {
      inert.push(module.label);
      continue;
    }
    if (plain !== module) continue;
    const { dtype } = module.parameters.get("lora_up.weight")!;
    const alive = s.filter((x) => x > (ROUNDING[dtype] ?? ROUNDING["BF16"]!) * s[0]!).length;
    const total = s.reduce((sum, x) => sum + x * x, 0);
    let [kept, enough] = [0, 0];
    while (kept < ENOUGH * total) kept += s[enough++]! ** 2;
    if (alive < Math.min(rank, out, inputs)) dead.push({ name: module.label, rank, alive });
    else if (rank > 2 && enough <= rank / 2) large.push({ name: module.label, enough });
  }
  return [
    ...(inert.length > 0 ? [inertFinding(inert, modules.length)] : []),
    ...(dead.length > 0
      ? [
          {
            code: "dead-rank",
            severity: "warning",
            message: `${dead.length} modules use fewer ranks than they have: ${dead[0]!.name} ${dead[0]!.alive} of ${dead[0]!.rank}`,
            proposal: `weft resize ${path} --rank ${Math.max(...dead.map(({ alive }) => alive))} -o OUT writes the same change in less`,
            where: dead.map(({ name }) => name),
          } as const,
        ]
      : []),
    ...(large.length > 0
      ? [
          {
            code: "oversized-rank",
            severity: "note",
            message: `half of the rank or less holds ${100 * ENOUGH} % of ‖ΔW‖² of ${large.length} modules`,
            proposal: `weft resize ${path} --rank ${Math.max(...large.map(({ enough }) => enough))} -o OUT loses next to nothing of them`,
            where: large.map(({ name }) => name),
          } as const,
        ]
      : []),
  ];
}

function inertFinding(where: readonly string[], total: number): Finding {
  const all = where.length === total;
  return {
    code: "inert",
    severity: all ? "error" : "warning",
    message: all
      ? "no module changes anything: every up factor (B) is zero, or alpha is"
      : `${where.length} of ${total} modules change nothing: their up factor (B) is zero, or their alpha`,
    proposal: all
      ? "this is an adapter as it begins: was it saved before training, or trained without gradients?"
      : "did these layers take part in training? leave them out of target_modules to save memory",
    where,
  };
}
