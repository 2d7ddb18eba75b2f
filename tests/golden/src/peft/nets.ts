import { type BaseLayer, cast, forwardBase, type LayerSpec, type LayerKind, matmul, sum, tanh, type Tensor } from "@weft/tensor-core";

/** How `case.json` describes a layer. */
export interface LayerInfo {
  readonly type: string;
  readonly kernel_size?: readonly number[];
  readonly stride?: readonly number[];
  readonly padding?: readonly number[];
  readonly dilation?: readonly number[];
  readonly groups?: number;
}

/** The little networks of make_peft.py: layers in this order, tanh between them (nothing between for `emb`). */
const ORDER: Readonly<Record<string, readonly string[]>> = {
  mlp: ["lin0", "lin1", "head"],
  odd: ["lin0", "lin1"],
  tower: ["lin0", "lin1", "wide0", "wide1", "lin2"],
  emb: ["emb", "lin0"],
  gpt: ["c_attn", "c_proj"],
  conv1d: ["conv0", "conv1"],
  conv2d: ["conv0", "conv1"],
  conv3d: ["conv0"],
};

const KINDS: Readonly<Record<string, LayerKind>> = {
  Linear: "linear",
  Conv1D: "linear",
  Conv1d: "conv1d",
  Conv2d: "conv2d",
  Conv3d: "conv3d",
  Embedding: "embedding",
};

/** A layer of a net from its weight and its line in `case.json`. */
function layerSpec(info: LayerInfo, weight: Tensor, bias: Tensor | undefined): LayerSpec {
  const kind = KINDS[info.type]!;
  const spec: LayerSpec = { kind, shape: weight.shape, dtype: weight.dtype, bias: bias !== undefined, transposed: info.type === "Conv1D" };
  if (!info.kernel_size) return spec;
  return { ...spec, conv: { stride: info.stride!, padding: info.padding!, dilation: info.dilation!, groups: info.groups! } };
}

/** Runs a layer: the base alone unless the caller puts an adapter around it. */
export type RunLayer = (name: string, layer: LayerSpec, base: BaseLayer, x: Tensor) => Tensor;

export interface Net {
  readonly layers: ReadonlyMap<string, { readonly spec: LayerSpec; readonly base: BaseLayer }>;
  forward(x: Tensor, run?: RunLayer): Tensor;
}

/** The net of a case over its parameters (`lin0.weight` …). */
export function buildNet(name: string, infos: Readonly<Record<string, LayerInfo>>, parameters: ReadonlyMap<string, Tensor>): Net {
  if (name === "experts") return buildExperts(parameters);
  const layers = new Map(
    ORDER[name]!.map((layer) => {
      const weight = parameters.get(`${layer}.weight`)!;
      const bias = parameters.get(`${layer}.bias`);
      return [layer, { spec: layerSpec(infos[layer]!, weight, bias), base: { weight, bias } }] as const;
    }),
  );
  return {
    layers,
    forward(x, run = (_, spec, base, input) => forwardBase(spec, base, input)) {
      let h = x;
      let first = true;
      for (const [layer, { spec, base }] of layers) {
        h = run(layer, spec, base, first || name === "emb" ? h : tanh(h));
        first = false;
      }
      return h;
    },
  };
}

/** Raw expert parameters [E, in, out]: every expert sees x, the outputs are summed. */
function buildExperts(parameters: ReadonlyMap<string, Tensor>): Net {
  const layers = new Map(
    ["experts.w_up", "experts.w_down"].map((name) => {
      const weight = parameters.get(name)!;
      return [
        name,
        { spec: { kind: "parameter", shape: weight.shape, dtype: weight.dtype, bias: false } as LayerSpec, base: { weight } },
      ] as const;
    }),
  );
  return {
    layers,
    forward(x, run = (_, __, base) => base.weight) {
      const weight = (name: string): Tensor => {
        const { spec, base } = layers.get(name)!;
        return run(name, spec, base, x);
      };
      const up = tanh(matmul(x, weight("experts.w_up")));
      return sum(cast(matmul(up, weight("experts.w_down")), x.dtype), { axes: [0] });
    },
  };
}
