import { type Attached, encode, type MethodTable, type Tensor } from "@weft/tensor-core";
import { fromCoreDType } from "@weft/io-safetensors";
import { asPlainLora, type ConvertModule, type LazyTensor, plainSource, type Source } from "@weft/convert";
import { readAdapterConfig } from "@weft/adapter-files";
import type { AdapterState } from "./adapter-state.js";

const lazy = (t: Tensor): LazyTensor => ({
  dtype: fromCoreDType(t.dtype),
  shape: t.shape,
  read: async () => encode(await t.data(), t.dtype),
});

/** A layer's LoHa or LoKr as its file's module. */
function moduleOf(path: string, { method, params, context }: Attached): ConvertModule {
  const { layer, config } = context;
  const values = config as { readonly r: number; readonly alpha: number | null };
  const keys = method.keys(layer);
  return {
    label: path,
    component: "model",
    path,
    guessed: false,
    method: method.name,
    parameters: new Map(Object.entries(params).map(([name, t]) => [keys[name]![0]!, lazy(t)])),
    rank: values.r,
    scale: values.r === 0 ? 0 : values.alpha === null ? 1 : values.alpha / values.r,
    scalars: new Map(),
    pieces: [],
    weightShape: layer.shape,
  };
}

/**
 * The same change of the weights as a plain LoRA, exactly, as `combineModules` has it of files: a LoHa of rank r has rank r², a LoKr the product of the
 * ranks of its halves. A LoRA is what it is.
 * @returns the adapter, or why it has no such form
 */
export async function asLoraState(state: AdapterState, methods: MethodTable): Promise<AdapterState | string> {
  const { config, layers, replaced, expected } = state;
  const lora = methods.get("LORA")?.method;
  if ([...layers.values()].every(([first]) => first?.method.factors)) return state;
  if (!lora) return `${config.peftType} adapters are combined as LoRAs, and LORA is not among the methods`;
  if (config.peftType !== "LOHA" && config.peftType !== "LOKR") return `${config.peftType} adapters are not combined by their factors`;
  if (replaced.size + expected.size > 0) return `a ${config.peftType} that brings weights of its own cannot be combined with others`;
  const sources = new Map<string, Source>();
  for (const [path, [first, more]] of layers) {
    const { layer, config: own } = first!.context;
    const scrambled = config.peftType === "LOKR" && layer.kind === "conv1d" && (own as { readonly dialect?: string }).dialect !== "lycoris";
    if (more || scrambled || (layer.conv?.groups ?? 1) !== 1) return `${path}: this ${config.peftType} has no form as LoRA`;
    const module = asPlainLora(moduleOf(path, first!));
    if (typeof module === "string") return `${path}: ${module}`;
    sources.set(path, await plainSource(module));
  }
  const r = Math.max(...[...sources.values()].map(({ A }) => A.shape[0]!));
  const made = readAdapterConfig({ peft_type: "LORA", r, lora_alpha: r }, { methods });
  const attached = [...sources].map(([path, { A, B, scale }]): [string, readonly Attached[]] => {
    const { layer } = layers.get(path)![0]!.context;
    const rank = A.shape[0]!;
    const context = { layer, config: { ...made.values, r: rank, loraAlpha: scale * rank }, scale: 1 };
    return [path, [{ method: lora, params: { A, B }, context } as unknown as Attached]];
  });
  return { config: made, layers: new Map(attached), shared: {}, replaced: new Map(), expected: new Map() };
}
