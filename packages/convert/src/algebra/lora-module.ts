import { encode } from "@weft/tensor-core";
import { toCoreDType } from "@weft/io-safetensors";
import type { ConvertModule } from "../conversion/convert-module.js";
import { type LazyTensor, valuesOf } from "../conversion/lazy-tensor.js";
import { splitRoot } from "@weft/adapter-files/dialects";
import type { Extracted } from "./extract-delta.js";
import type { Factors } from "./factors.js";

/** Dtypes that factors are written in. */
export type FactorDType = "F32" | "F16" | "BF16";

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** A tensor that is kept in memory, in the bytes that it is written as; f32 values are not copied. */
export function storedTensor(dtype: FactorDType, shape: readonly number[], values: Float32Array): LazyTensor {
  const bytes = dtype === "F32" ? new Uint8Array(values.buffer, values.byteOffset, values.byteLength) : encode(values, toCoreDType(dtype)!);
  return { dtype, shape, read: () => Promise.resolve(bytes) };
}

/** A plain LoRA's factors. @param module one that `asPlainLora` gives */
export async function readFactors({ parameters }: ConvertModule): Promise<Factors> {
  const [up, down] = [parameters.get("lora_up.weight")!, parameters.get("lora_down.weight")!];
  return {
    out: up.shape[0]!,
    rank: down.shape[0]!,
    inputs: product(down.shape.slice(1)),
    up: Float32Array.from(await valuesOf(up)),
    down: Float32Array.from(await valuesOf(down)),
  };
}

/** A plain LoRA with other factors, the same scale and whatever else it has. */
export function withFactors(module: ConvertModule, { out, rank, up, down }: Factors, dtype: FactorDType): ConvertModule {
  const [, ...inputs] = module.parameters.get("lora_down.weight")!.shape;
  const tail = module.parameters.get("lora_up.weight")!.shape.slice(2);
  return {
    ...module,
    rank,
    parameters: new Map([
      ...module.parameters,
      ["lora_down.weight", storedTensor(dtype, [rank, ...inputs], down)],
      ["lora_up.weight", storedTensor(dtype, [out, rank, ...tail], up)],
    ]),
  };
}

/** What was extracted for a module, as a module of an adapter. @param path of the weight's module in the checkpoint */
export function extractedModule(path: string, { shape, factors, tucker }: Extracted, dtype: FactorDType): ConvertModule {
  const { out, rank, up, down } = factors;
  const [channels, ...kernel] = shape.slice(1) as [number, ...number[]];
  const ones = kernel.map(() => 1);
  return {
    ...newModule(path, shape),
    method: "LOCON",
    rank,
    parameters: new Map<string, LazyTensor>([
      [
        "lora_down.weight",
        tucker
          ? storedTensor(dtype, [tucker.inner, channels, ...ones], tucker.down)
          : storedTensor(dtype, [rank, channels, ...kernel], down),
      ],
      ...(tucker ? ([["lora_mid.weight", storedTensor(dtype, [rank, tucker.inner, ...kernel], tucker.mid)]] as const) : []),
      ["lora_up.weight", storedTensor(dtype, [out, rank, ...ones], up)],
    ]),
  };
}

/** ΔW itself as a module: LyCORIS's `diff`. */
export function wholeModule(path: string, shape: readonly number[], values: Float32Array, dtype: FactorDType): ConvertModule {
  return {
    ...newModule(path, shape),
    method: "FULL",
    rank: undefined,
    parameters: new Map([["diff", storedTensor(dtype, shape, values)]]),
  };
}

function newModule(path: string, shape: readonly number[]): Omit<ConvertModule, "method" | "rank" | "parameters"> {
  const own = splitRoot(path);
  return {
    label: path,
    component: own.component ?? "model",
    path: own.path,
    guessed: false,
    scale: 1,
    scalars: new Map(),
    pieces: [{ source: path }],
    weightShape: shape,
  };
}
