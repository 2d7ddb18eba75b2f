import type { MethodTable } from "@weft/tensor-core";
import type { WeightSource } from "@weft/io-safetensors";
import type { ConvertModule, Loss } from "../conversion/convert-module.js";
import type { LazyTensor } from "../conversion/lazy-tensor.js";
import type { Naming } from "@weft/adapter-files/dialects";

/** The dialects that adapters are converted to. */
export const TARGET_NAMES = ["peft", "kohya", "diffusers", "lycoris", "comfyui", "mlx"] as const;
/** A dialect that can be written. */
export type TargetName = (typeof TARGET_NAMES)[number];

/** Which names a target has for the denoiser's modules; `kohya`: the original's, but diffusers' for SD 1 and 2. */
export type NameStyle = "diffusers" | "original" | "kohya" | "as-is";

/** A file of tensors to be written. */
export interface ConvertedFile {
  /** Path below the output folder. */
  readonly path: string;
  readonly tensors: ReadonlyMap<string, LazyTensor>;
  readonly metadata: ReadonlyMap<string, string>;
  /** The adapter_config.json beside it, where the dialect has one. */
  readonly config?: string;
  /** The modules in it, by the keys that they have when the file is opened. */
  readonly modules: ReadonlyMap<string, ConvertModule>;
  /** kohya's hashes of the tensors belong into the metadata. */
  readonly hashed: boolean;
}

/** What a dialect is written with, besides the modules. */
export interface WriteContext {
  /** Whose metadata is kept. */
  readonly source: Pick<WeightSource, "metadata">;
  readonly naming: Naming;
  /** What configs are written by. */
  readonly methods: MethodTable;
  /** The config of a PEFT adapter that is converted. */
  readonly baseModel: string | null;
}

/** A dialect that adapters are converted to. */
export interface ConvertTarget {
  readonly name: TargetName;
  readonly style: NameStyle;
  /** The module as the dialect can hold it, or why it cannot. */
  fit(module: ConvertModule): ConvertModule | string;
  /** Files of modules that fit; modules that only all together show to be impossible are losses. */
  write(
    modules: readonly ConvertModule[],
    context: WriteContext,
  ): { readonly files: readonly ConvertedFile[]; readonly losses: readonly Loss[] };
}
