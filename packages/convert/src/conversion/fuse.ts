import type { Part } from "@weft/adapter-files/dialects";
import type { ConvertModule } from "./convert-module.js";
import { roundingOf } from "./fold-scale.js";
import { computed, type LazyTensor, scaled, stacked, valuesOf } from "./lazy-tensor.js";

/** A module that the original keeps as a part of a fused weight. */
export interface FusePart {
  readonly module: ConvertModule;
  readonly part: Part;
}

/** Why parts cannot become one module; undefined if they can. */
export function whyNotFused(parts: readonly FusePart[]): string | undefined {
  const plain = parts.every(
    ({ module }) => module.method === "LOCON" && !module.parameters.has("lora_mid.weight") && !module.parameters.has("lora_up.bias"),
  );
  if (!plain) return "only plain LoRA can be fused";
  const doras = parts.filter(({ module }) => module.parameters.has("dora_scale")).length;
  return doras > 0 && (doras < parts.length || parts.length < parts[0]!.part.sizes.length)
    ? "DoRA on some parts of a fused weight only has no fused form"
    : undefined;
}

/**
 * One module of a fused weight out of its parts: down factors one below the other, up factors block diagonal; the rank is the sum. Parts with the
 * same down factor share it. Parts that are missing change nothing. The scale is that of the first part; others are worked into their up factor.
 */
export async function fuseModules(path: string, given: readonly FusePart[]): Promise<ConvertModule> {
  const parts = [...given].toSorted((a, b) => a.part.index - b.part.index);
  const [{ module: first, part }] = parts as [FusePart];
  const unit = parts[0]!.module.parameters.get("lora_up.weight")!.shape[0]! / part.sizes[part.index]!;
  const out = part.sizes.reduce((a, b) => a + b, 0) * unit;
  const starts = part.sizes.map((_, i) => part.sizes.slice(0, i).reduce((a, b) => a + b, 0) * unit);
  const scale = parts.find(({ module }) => module.scale !== 0)?.module.scale ?? 0;
  const downs = parts.map(({ module }) => module.parameters.get("lora_down.weight")!);
  const ups = parts.map(({ module }) => scaled(module.parameters.get("lora_up.weight")!, scale === 0 ? 1 : module.scale / scale));
  const roundings = parts
    .map(({ module }) => roundingOf(scale === 0 ? 1 : module.scale / scale))
    .filter(({ rounded }) => rounded !== undefined);
  const shared = await isShared(downs);
  const ranks = downs.map(({ shape }) => shape[0]!);
  const rank = shared ? ranks[0]! : ranks.reduce((a, b) => a + b, 0);
  const dtypes = new Set([...downs, ...ups].map(({ dtype }) => dtype));
  const dtype = dtypes.size === 1 ? ([...dtypes][0] as "F32" | "F16" | "BF16") : "F32";
  const up = computed(dtype, [out, rank], async () => {
    const values = new Float32Array(out * rank);
    for (const [i, t] of ups.entries()) {
      const own = await valuesOf(t);
      const column = shared ? 0 : ranks.slice(0, i).reduce((a, b) => a + b, 0);
      const width = ranks[i]!;
      const start = starts[parts[i]!.part.index]!;
      for (let row = 0; row < t.shape[0]!; row++)
        for (let k = 0; k < width; k++) values[(start + row) * rank + column + k] = own[row * width + k]!;
    }
    return values;
  });
  const magnitudes = parts.map(({ module }) => module.parameters.get("dora_scale")).filter((t) => t !== undefined);
  return {
    ...first,
    path,
    parameters: new Map([
      ["lora_down.weight", shared ? downs[0]! : stacked(downs.map((t) => (dtypes.size === 1 ? t : inF32(t))))],
      ["lora_up.weight", up],
      ...(magnitudes.length > 0 ? ([["dora_scale", stacked(magnitudes)]] as const) : []),
    ]),
    rank,
    scale,
    ...roundings[0],
    pieces: parts.flatMap(({ module, part: { index, sizes } }) =>
      module.pieces.map((piece) => ({ ...piece, targetRows: [starts[index]!, starts[index]! + sizes[index]! * unit] as const })),
    ),
  };
}

const inF32 = (t: LazyTensor): LazyTensor => computed("F32", t.shape, () => valuesOf(t));

async function isShared(downs: readonly LazyTensor[]): Promise<boolean> {
  const [first, ...rest] = downs as [LazyTensor, ...LazyTensor[]];
  if (rest.length === 0 || rest.some(({ dtype, shape }) => dtype !== first.dtype || shape.join() !== first.shape.join())) return false;
  const bytes = await first.read();
  for (const t of rest) {
    const other = await t.read();
    if (bytes.some((byte, i) => byte !== other[i])) return false;
  }
  return true;
}
