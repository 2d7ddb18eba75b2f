import {
  type BaseLayer,
  createAdapter,
  forwardBase,
  grad,
  type LayerSpec,
  mul,
  reshape,
  type Shape,
  sizeOf,
  slice,
  sum,
  tensor,
  type Tensor,
} from "@weft/tensor-core";
import { type Check, methodChecks } from "@weft/tensor-core/testing";
import { expect, it, test } from "vitest";
import { ADAPTION_PROMPT, AdaptionPromptConfig, LILY, LilyConfig, POLY, PolyConfig, XLORA, XLoraConfig } from "./index.js";

const linear: LayerSpec = { kind: "linear", shape: [12, 8], dtype: "f32", bias: true };
const wide: LayerSpec = { ...linear, shape: [8, 12], bias: false };
const tasks = (...ids: number[]): Tensor => tensor(Int32Array.from(ids), { shape: [ids.length] });
const wave = (shape: Shape, phase = 0): Tensor =>
  tensor(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i * i * 0.7 + phase)),
    { shape },
  );

const CHECKS: Check[] = [
  ...methodChecks(
    LILY,
    [linear, wide].map((layer) => ({ name: `[${layer.shape}]`, config: new LilyConfig({ r: 3, numB: 2, scaling: 0.7 }), layer })),
  ),
  ...methodChecks(
    POLY,
    [linear, wide].flatMap((layer) =>
      [1, 4].map((nSplits) => ({
        name: `[${layer.shape}], ${nSplits} splits`,
        config: new PolyConfig({ r: 2, nTasks: 3, nSkills: 2, nSplits }),
        layer,
        taskIds: tasks(2, 0),
      })),
    ),
  ),
];
test.each(CHECKS)("$name", ({ run }) => run());

/** The first three numbers and the last one. */
const ends = async (t: Tensor): Promise<number[]> => {
  const values = [...(await t.data())];
  return [...values.slice(0, 3), values.at(-1)!];
};

// torch.manual_seed(7), PEFT 0.21.2, a Linear(4, 6).
const fc = { weight: wave([6, 4]), bias: wave([6], 1) };
it("a new LILY has torch's numbers", async () => {
  const { params } = (await createAdapter(LILY, new LilyConfig({ r: 2, initWeights: false }), { fc }, { seed: 7 })).get("fc");
  expect(await ends(params["A.weight"]!)).toEqual([-0.11125802993774414, -0.2785535454750061, -0.12579792737960815, 0.43141376972198486]);
  expect(await ends(params["router.weight"]!)).toEqual([
    0.6470566391944885, 0.08132731914520264, -0.1224445179104805, -0.09127675741910934,
  ]);
  expect(await ends(params["B.weight"]!)).toEqual([0.19339735805988312, -0.3812136948108673, -0.33363863825798035, -0.158802330493927]);
});

it("a new POLY has torch's numbers", async () => {
  const config = { r: 2, nTasks: 2, nSkills: 2, nSplits: 2 };
  const { params } = (await createAdapter(POLY, new PolyConfig({ ...config, initWeights: false }), { fc }, { seed: 7 })).get("fc");
  expect(await ends(params["lora_A"]!)).toEqual([0.04938792809844017, 0.22515933215618134, -0.4259566068649292, -0.19899971783161163]);
  expect(await ends(params["lora_B"]!)).toEqual([0.31166496872901917, 0.664566695690155, 0.5414706468582153, -0.43097007274627686]);
  const zeros = (await createAdapter(POLY, new PolyConfig(config), { fc }, { seed: 7 })).get("fc").params;
  expect(await ends(zeros["lora_B"]!)).toEqual([0, 0, 0, 0]);
  expect(await ends(zeros["router.module_logits"]!)).toEqual([
    0.0004407608648762107, -0.000853896199259907, 0.0009398392867296934, 0.00038969508023001254,
  ]);
});

const polyOf = (taskIds?: Tensor): Tensor => {
  const config = new PolyConfig({ r: 2, nTasks: 3 });
  const params = Object.fromEntries(Object.entries(POLY.parameters(config, linear)).map(([name, { shape }], i) => [name, wave(shape, i)]));
  return POLY.forward(wave([2, 3, 8]), { weight: wave([12, 8]) }, params, { layer: linear, config, scale: 1, ...(taskIds && { taskIds }) });
};

it("a row whose task POLY does not have is NaN, the others are not", async () => {
  const finite = async (...ids: number[]) => [...(await polyOf(tasks(...ids)).data())].map(Number.isFinite);
  expect(await finite(2, 0)).not.toContain(false);
  expect(await finite(3, 0)).toEqual([...Array<boolean>(36).fill(false), ...Array<boolean>(36).fill(true)]);
  expect((await finite(1, -1)).indexOf(false)).toBe(36);
});

it("rows without a task, or with too few, are refused", () => {
  expect(() => polyOf()).toThrow("POLY needs the task of each row");
  expect(() => polyOf(tasks(1))).toThrow("taskIds is [1], expected [2]");
  expect(() => POLY.parameters(new PolyConfig({ nSplits: 3 }), linear)).toThrow("n_splits 3 must divide 8 and 12");
});

it("LILY on several layers needs a model, which says which of them have A and B in common", async () => {
  await expect(createAdapter(LILY, new LilyConfig(), { a: fc, b: fc })).rejects.toThrow("parameters in common by their place in a model");
  const layers = ["q", "q", "v", "q"].map((target, i) => ({ path: `${i}.${target}`, target, layer: linear }));
  const owners = LILY.tied!(new LilyConfig({ strideA: 2 }), layers);
  expect(owners.map((owner) => owner["A.weight"])).toEqual(["0.q", "0.q", "2.v", "3.q"]);
  expect(owners.map((owner) => owner["B.weight"])).toEqual(["0.q", "0.q", "2.v", "0.q"]);
  expect(LILY.tied!(new LilyConfig(), [layers[0]!, { ...layers[1]!, layer: wide }])[1]!["B.weight"]).toBe("1.q");
});

it("new adapters change nothing", async () => {
  const x = wave([2, 3, 4]);
  const lily = await createAdapter(LILY, new LilyConfig({ r: 2 }), { fc });
  const layer: LayerSpec = { kind: "linear", shape: [6, 4], dtype: "f32", bias: true };
  expect([...(await lily.forward("fc", x).data())]).toEqual([...(await forwardBase(layer, fc, x).data())]);
});

// Golden cases compare the whole with PEFT; here are its edges.
const attentionLayer: LayerSpec = { kind: "attention", shape: [8], dtype: "f32", bias: false };
const prompts = new AdaptionPromptConfig({ targetModules: "self_attn", adapterLen: 2, adapterLayers: 2 });

it("an adaption prompt is on the last attentions, and says what the model lacks", () => {
  const layers = [0, 1, 2].flatMap((i) => ["mlp", "self_attn"].map((name) => ({ path: `layers.${i}.${name}`, layer: attentionLayer })));
  expect(ADAPTION_PROMPT.choose!(prompts, layers)).toEqual(["layers.1.self_attn", "layers.2.self_attn"]);
  const four = new AdaptionPromptConfig({ ...prompts, adapterLayers: 4 });
  expect(() => ADAPTION_PROMPT.choose!(four, layers)).toThrow("adapter_layers is 4, but the model has 3 modules self_attn");
  expect(() => ADAPTION_PROMPT.choose!(new AdaptionPromptConfig({ targetModules: "attn" }), layers)).toThrow("adapter_layers is missing");
  expect(() => ADAPTION_PROMPT.parameters(new AdaptionPromptConfig(), attentionLayer)).toThrow("adapter_len is missing");
  expect(() => ADAPTION_PROMPT.parameters(prompts, linear)).toThrow("is for layers of kind attention, got linear");
});

it("an adaption prompt with a closed gate, or at strength 0, changes nothing", async () => {
  const heads = (x: Tensor): Tensor => reshape(x, [x.shape[0]!, 1, x.shape[1]!, 8]);
  const base: BaseLayer = {
    weight: wave([0]),
    forward: (x) => x,
    attention: { queries: heads, keys: heads, values: heads, project: (mixed) => reshape(mixed, [mixed.shape[0]!, mixed.shape[2]!, 8]) },
  };
  const x = wave([2, 3, 8]);
  const run = async (gate: number, scale: number): Promise<number[]> => {
    const params = { prompt: wave([1, 2, 8], 1), gate: tensor([gate]) };
    return [...(await ADAPTION_PROMPT.forward(x, base, params, { layer: attentionLayer, config: prompts, scale }).data())];
  };
  const plain = [...(await x.data())];
  expect(await run(0, 1)).toEqual(plain);
  expect(await run(1, 0)).toEqual(plain);
  expect(await run(1, 1)).not.toEqual(plain);
  expect(() => ADAPTION_PROMPT.forward(x, { weight: wave([0]) }, {}, { layer: attentionLayer, config: prompts, scale: 1 })).toThrow(
    "the model does not show the inside of its attention",
  );
});

// PEFT runs the first pass under torch.no_grad.
it("X-LoRA's shares follow the first pass, but no gradient goes back into it", async () => {
  const config = new XLoraConfig({ hiddenSize: 4, adapters: { a: "a", b: "b" } });
  const params = { "layers.0.weight": wave([2, 4]), "layers.0.bias": wave([2], 1) };
  const share = (hidden: Tensor, own = params): Tensor => {
    const shares = XLORA.begin!({ forward: () => ({ hiddenStates: [hidden] }) } as never, own, config) as (index: number) => Tensor;
    return sum(slice(shares(0), [undefined, undefined, [0, 1]]));
  };
  const hidden = wave([1, 3, 4]);
  const [plain, doubled] = [await share(hidden).item(), await share(mul(hidden, 2)).item()];
  expect(Math.abs(plain - doubled)).toBeGreaterThan(0.01);
  expect([...(await grad((h: Tensor) => share(h))(hidden).data())]).toEqual(Array<number>(12).fill(0));
  // The bias does learn: ∂Σ p₀/∂b₀ = Σ p₀(1 − p₀) over the tokens.
  const [h, w, b] = await Promise.all([hidden, params["layers.0.weight"], params["layers.0.bias"]].map((t) => t.data()));
  const expected = [0, 1, 2].reduce((total, token) => {
    const [z0, z1] = [0, 1].map((n) => [0, 1, 2, 3].reduce((z, i) => z + w![n * 4 + i]! * h![token * 4 + i]!, b![n]!));
    const p = 1 / (1 + Math.exp(z1! - z0!));
    return total + p * (1 - p);
  }, 0);
  const gradient = grad((bias: Tensor) => share(hidden, { ...params, "layers.0.bias": bias }))(params["layers.0.bias"]);
  expect((await gradient.data())[0]).toBeCloseTo(expected, 6);
});
