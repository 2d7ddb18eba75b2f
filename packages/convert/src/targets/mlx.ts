import type { ConvertModule, Loss } from "../conversion/convert-module.js";
import { computed, type LazyTensor, reshaped, scaled, transpose, valuesOf } from "../conversion/lazy-tensor.js";
import { roundingOf } from "../conversion/fold-scale.js";
import { MLX } from "@weft/adapter-files/dialects";
import { partialDora } from "./lora-config.js";
import { asPeftLora } from "./lora-module.js";
import { namedTensors } from "./named-tensors.js";
import type { ConvertTarget } from "./target.js";

/** mlx-lm: one rank and one scale for all modules; linear layers; factors transposed. Smaller ranks are filled up with zeros, which changes nothing. */
export const TO_MLX: ConvertTarget = {
  name: "mlx",
  style: "as-is",
  fit(module) {
    if (module.component !== "model") return "mlx-lm is for language models";
    const lora = asPeftLora(module);
    if (typeof lora === "string") return lora;
    if (lora.parameters.has("lora_up.bias")) return "mlx-lm's LoRA has no bias";
    return lora.parameters.get("lora_down.weight")!.shape.length === 2 ? lora : "mlx-lm has no LoRA for convolutions";
  },
  write(modules) {
    const scale = modules.find((module) => module.scale !== 0)?.scale ?? 1;
    const rank = Math.max(...modules.map((module) => module.rank!));
    const dora = modules.filter(({ parameters }) => parameters.has("dora_scale"));
    const losses = [...unevenScales(modules, scale), ...partialDora(modules, "mlx-lm")];
    const {
      tensors,
      modules: named,
      losses: unnamed,
    } = namedTensors(
      modules.map((module) => inMlx(module, scale, rank)),
      MLX,
      false,
    );
    const config = {
      fine_tune_type: dora.length > 0 ? "dora" : "lora",
      lora_parameters: { dropout: 0, keys: keysOf(modules), rank, scale },
      // All layers: modules without factors of their own keep the zeros that they begin with.
      num_layers: -1,
    };
    const file = {
      path: "adapters.safetensors",
      tensors,
      metadata: new Map<string, string>(),
      config: `${JSON.stringify(config, undefined, 4)}\n`,
      modules: named,
    };
    return { files: [{ ...file, hashed: false }], losses: [...losses, ...unnamed] };
  },
};

/** Modules whose scale is not that of all, and does not differ by a power of two. */
const unevenScales = (modules: readonly ConvertModule[], scale: number): Loss[] =>
  modules.flatMap(({ label, scale: own }) => {
    const { rounded } = roundingOf(own / scale);
    return rounded === undefined
      ? []
      : [{ module: label, message: `${label}: its scale is ${own}, mlx-lm has ${scale} for all modules; ${rounded}`, keeps: true }];
  });

function inMlx(module: ConvertModule, scale: number, rank: number): ConvertModule {
  const [down, up] = [module.parameters.get("lora_down.weight")!, module.parameters.get("lora_up.weight")!];
  const parameters = new Map<string, LazyTensor>(module.parameters);
  parameters.set("lora_down.weight", transpose(padRows(down, rank)));
  parameters.set("lora_up.weight", padRows(transpose(scaled(up, module.scale / scale)), rank));
  const magnitude = parameters.get("dora_scale");
  if (magnitude) parameters.set("dora_scale", reshaped(magnitude, [up.shape[0]!]));
  return { ...module, parameters };
}

/** Zero rows behind those of a matrix. */
function padRows(t: LazyTensor, rows: number): LazyTensor {
  if (t.shape[0] === rows) return t;
  const dtype = t.dtype === "F16" || t.dtype === "BF16" ? t.dtype : "F32";
  return computed(dtype, [rows, t.shape[1]!], async () => {
    const values = new Float32Array(rows * t.shape[1]!);
    values.set(Array.from(await valuesOf(t)));
    return values;
  });
}

/** Names within a layer, as mlx-lm lists them; modules outside of layers by their whole path. */
const keysOf = (modules: readonly ConvertModule[]): string[] =>
  [...new Set(modules.map(({ path }) => /^(?:.*\.)?layers\.\d+\.(.+)$/.exec(path)?.[1] ?? path))].toSorted();
