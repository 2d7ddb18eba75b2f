import type { AdapterModule, AdapterTensor } from "../opened-adapter.js";
import type { BaseTensors } from "../report/base-index.js";
import { exchanged, type Placement, placeBox, placeJoined, placeTransposed, placeWhole } from "../report/placement.js";
import type { BaseTarget } from "./names/base-names.js";
import { partRows } from "./names/name-map.js";
import { isLastContext } from "./names/sd3.js";

/** The weights of a base by module paths, and those that only parts of them or several together are. */
export class PlacedWeights {
  /** By names of tensors that the base does not have. */
  readonly placements: Map<string, Placement> = new Map();
  private readonly names: ReadonlySet<string>;

  constructor(private readonly base: BaseTensors) {
    this.names = new Set(base.names());
  }

  /** The weight's shape; undefined if it is quantised, so that nothing is known of it. */
  shapeOf(path: string): readonly number[] | undefined {
    const name = this.tensor(path, "weight");
    if (name === undefined) return undefined;
    const { shape } = this.base.info(name);
    return this.isTurned(path) ? exchanged(shape) : shape;
  }

  /** OpenCLIP's projection of the text is a parameter [in, out], that of transformers a layer. */
  isTurned(path: string): boolean {
    return /(?:^|\.)text_projection$/.test(path) && this.names.has(path);
  }

  /** A module whose weight is stored [in, out]. */
  turned(path: string): string {
    return this.put(`${path}[out, in]`, (part) => (part === "weight" ? placeTransposed(this.whole(path)) : undefined));
  }

  /** A fused projection whose parameters belong to the module above it. */
  isFused(path: string): boolean {
    return this.names.has(`${path}_weight`);
  }

  /** The modules one below the other as one. */
  join(paths: readonly string[]): string {
    return this.put(paths.join(" + "), (part) => {
      const tensors = paths.map((path) => this.tensor(path, part));
      return tensors.every((name) => name !== undefined)
        ? placeJoined(
            tensors.map((name) => this.whole(name!)),
            0,
          )
        : undefined;
    });
  }

  /** Ranges of a module's rows, one below the other, as a module. */
  rows(path: string, ranges: readonly (readonly [start: number, stop: number])[]): string {
    const label = ranges.map(([start, stop]) => `${start}:${stop}`).join(", ");
    return this.put(`${path}[${label}]`, (part) => {
      const name = this.tensor(path, part);
      return name === undefined
        ? undefined
        : placeJoined(
            ranges.map((range) => placeBox(this.whole(name), [range])),
            0,
          );
    });
  }

  private put(path: string, place: (part: "weight" | "bias") => Placement | undefined): string {
    for (const part of ["weight", "bias"] as const) {
      const placement = place(part);
      if (placement) this.placements.set(`${path}.${part}`, placement);
    }
    return path;
  }

  private whole(name: string): Placement {
    return placeWhole(name, this.base.info(name));
  }

  /** torch's and OpenCLIP's attentions have `in_proj_weight` and `in_proj_bias`; a parameter is its own weight. */
  tensor(path: string, part: "weight" | "bias"): string | undefined {
    const names = [`${path}.${part}`, `${path}_${part}`, ...(part === "weight" ? [path] : [])];
    return names.find((name) => this.names.has(name));
  }
}

/**
 * A module at its place in a base, or its parts at theirs.
 * @param group one target, or the parts of the adapter's fused weight
 * @returns why it cannot be put there
 */
export function placeModule(
  module: AdapterModule,
  group: readonly BaseTarget[],
  weights: PlacedWeights,
): readonly AdapterModule[] | string {
  const name = module.name ?? module.path;
  const at = (path: string, tensors = module.tensors): AdapterModule => {
    const { name: _, flat: __, ...rest } = module;
    return { ...rest, path, name, tensors };
  };
  const [target] = group as [BaseTarget];
  if (target.part) {
    const parts = group.map((part) => cut(module, part));
    if (parts.every((tensors) => tensors !== undefined)) return parts.map((tensors, i) => at(group[i]!.path, tensors));
    if (group.length === target.part.sizes.length) return [at(weights.join(group.map(({ path }) => path)))];
    return `${name} is one weight for ${target.path} and others, of which the base has ${group.length} of ${target.part.sizes.length}; ${module.method ?? "its method"} cannot be cut`;
  }
  const shape = weights.shapeOf(target.path);
  if (!shape) return [at(target.path)];
  const rows = shape[0] ?? 1;
  if (target.within) {
    const range = partRows(target.within, rows);
    return range
      ? [at(weights.rows(target.path, [range]))]
      : `${name} is a part of ${target.path}, whose ${rows} rows do not divide as its family's do`;
  }
  if (target.swapped || (target.renamed && isLastContext(target.path, rows, shape[1] ?? 1))) {
    const half = rows / 2;
    return [
      at(
        weights.rows(target.path, [
          [half, rows],
          [0, half],
        ]),
      ),
    ];
  }
  const path = weights.isFused(target.path)
    ? weights.rows(target.path, [[0, rows]])
    : weights.isTurned(target.path)
      ? weights.turned(target.path)
      : target.path;
  return [at(path, module.method === "LORA" ? withKernel(module.tensors, shape) : module.tensors)];
}

/** The tensors of a LoRA for some rows of its weight; undefined where it cannot be cut by rows. */
function cut({ method, tensors }: AdapterModule, { part }: BaseTarget): AdapterModule["tensors"] | undefined {
  const lora = method === "LORA" || (method === "LOCON" && !tensors.has("lora_mid.weight"));
  const up = tensors.get("lora_B.weight") ?? tensors.get("lora_up.weight");
  const rows = up && partRows(part!, up.shape[0]!);
  // All other tensors have the weight's rows: magnitudes of input columns do not.
  if (!lora || !rows || ![...tensors].every(([key, { shape }]) => DOWN.has(key) || shape[0] === up.shape[0])) return undefined;
  const own = (tensor: AdapterTensor): AdapterTensor => ({ ...tensor, shape: [rows[1] - rows[0], ...tensor.shape.slice(1)], rows });
  return new Map([...tensors].map(([key, tensor]) => [key, DOWN.has(key) ? tensor : own(tensor)]));
}

/** The factor that parts of a fused weight share. */
const DOWN: ReadonlySet<string> = new Set(["lora_A.weight", "lora_down.weight"]);

/** Factors of a 1×1 convolution that is a linear layer elsewhere, or the reverse: the same elements with other axes. */
function withKernel(tensors: AdapterModule["tensors"], shape: readonly number[]): AdapterModule["tensors"] {
  const [a, b] = [tensors.get("lora_A.weight"), tensors.get("lora_B.weight")];
  const kernel = shape.slice(2);
  if (!a || !b || a.shape.length === shape.length || shape.length < 2 || [...kernel, ...a.shape.slice(2)].some((d) => d !== 1))
    return tensors;
  const ones = kernel.map(() => 1);
  const magnitude = tensors.get("lora_magnitude_vector");
  return new Map([
    ...tensors,
    ["lora_A.weight", { ...a, shape: [...a.shape.slice(0, 2), ...ones] }],
    ["lora_B.weight", { ...b, shape: [...b.shape.slice(0, 2), ...ones] }],
    ...(magnitude
      ? ([["lora_magnitude_vector", { ...magnitude, shape: ones.length > 0 ? [1, b.shape[0]!, ...ones] : [b.shape[0]!] }]] as const)
      : []),
  ]);
}
