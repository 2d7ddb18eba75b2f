import { LORA, LORA_FIELDS, type LoraConfigFields, loraScaling } from "@weft/adapters-lora";
import { type Attached, CapabilityError, encode, fromBytes, type LayerSpec, methodTable, readFields, type Tensor } from "@weft/tensor-core";
import { fromCoreDType, toCoreDType } from "@weft/io-safetensors";
import { readAdapterConfig } from "../config/read-config.js";
import type { ConvertModule } from "../dialects/convert/convert-module.js";
import type { LazyTensor } from "../dialects/convert/lazy-tensor.js";
import type { AdapterState } from "../model/adapter-state.js";

/** Convolutions by the number of axes of their weight. */
const CONVOLUTIONS = { 3: "conv1d", 4: "conv2d", 5: "conv3d" } as const;

/** A module's name across files of one model. */
export const moduleKey = ({ component, path }: ConvertModule): string => (component === "model" ? path : `${component}/${path}`);

/** Plain LoRAs as the adapter of a model that only they tell of. @throws CapabilityError for what factors alone do not hold */
export async function loraState(modules: readonly ConvertModule[]): Promise<AdapterState> {
  const r = Math.max(...modules.map(({ rank }) => rank!));
  const values = readFields(LORA_FIELDS, { r, loraAlpha: r });
  const layers = new Map<string, readonly Attached[]>();
  for (const module of modules) {
    const { parameters, rank, scale, label } = module;
    const other = [...parameters.keys()].find((name) => name !== "lora_down.weight" && name !== "lora_up.weight");
    if (other !== undefined)
      throw new CapabilityError(
        `${label}: a LoRA with ${other === "dora_scale" ? "magnitudes (DoRA)" : other} cannot be combined with others`,
        {
          kind: "not-combinable",
          tensor: label,
        },
      );
    const [A, B] = [await read(parameters.get("lora_down.weight")!), await read(parameters.get("lora_up.weight")!)];
    const config = { ...values, r: rank!, loraAlpha: scale * rank! };
    const attached = { method: LORA, params: { A, B }, context: { layer: layerOf(A, B), config, scale: 1 } };
    layers.set(moduleKey(module), [attached as unknown as Attached]);
  }
  const config = readAdapterConfig({ peft_type: "LORA", r, lora_alpha: r }, { methods: methodTable(LORA) });
  return { config, layers, shared: {}, replaced: new Map(), expected: new Map() };
}

async function read(t: LazyTensor): Promise<Tensor> {
  return fromBytes(await t.read(), t.shape, toCoreDType(t.dtype)!);
}

function layerOf(A: Tensor, B: Tensor): LayerSpec {
  const shape = [B.shape[0]!, ...A.shape.slice(1)];
  const common = { shape, dtype: "f32", bias: false } as const;
  if (shape.length === 2) return { ...common, kind: "linear" };
  const each = shape.slice(2);
  const conv = { stride: each.map(() => 1), padding: each.map(() => 0), dilation: each.map(() => 1), groups: 1 };
  return { ...common, kind: CONVOLUTIONS[shape.length as 3 | 4 | 5], conv };
}

/** The layers of a combined adapter as modules again; each takes its names from the first module of its key. */
export async function modulesOfState(state: AdapterState, named: ReadonlyMap<string, ConvertModule>): Promise<ConvertModule[]> {
  const modules: ConvertModule[] = [];
  for (const [key, [attached]] of state.layers) {
    const { params, context } = attached as Attached;
    const config = context.config as unknown as LoraConfigFields;
    const [down, up] = [await lazy(params.A!), await lazy(params.B!)];
    modules.push({
      ...named.get(key)!,
      method: "LOCON",
      rank: down.shape[0]!,
      scale: loraScaling(config),
      scalars: new Map(),
      parameters: new Map([
        ["lora_down.weight", down],
        ["lora_up.weight", up],
      ]),
    });
  }
  return modules;
}

async function lazy(t: Tensor): Promise<LazyTensor> {
  const bytes = encode(await t.data(), t.dtype);
  return { dtype: fromCoreDType(t.dtype), shape: t.shape, read: () => Promise.resolve(bytes) };
}
