import { type AdapterMethod, createAdapter, forwardAdapters, type LayerSpec, sizeOf, tensor, type Tensor } from "@weft/tensor-core";
import { methodChecks } from "@weft/tensor-core/testing";
import { describe, expect, it, test } from "vitest";
import {
  DIAG_OFT,
  DYLORA,
  FULL,
  LOCON,
  LOHA,
  LohaConfig,
  LOKR,
  LokrConfig,
  LYCORIS_BOFT,
  LYCORIS_GLORA,
  LYCORIS_IA3,
  lycorisConfig,
  NORM,
  TLORA,
} from "./index.js";

const linear: LayerSpec = { kind: "linear", shape: [12, 8], dtype: "f32", bias: true };
const conv = { stride: [1, 2], padding: [1, 0], dilation: [2, 1], groups: 1 };
const conv2d: LayerSpec = { kind: "conv2d", shape: [12, 4, 3, 2], dtype: "f32", bias: true, conv };
const grouped: LayerSpec = { ...conv2d, conv: { ...conv, groups: 2 } };
const pointwise: LayerSpec = { ...conv2d, shape: [12, 4, 1, 1], bias: false };
const conv1d: LayerSpec = {
  kind: "conv1d",
  shape: [12, 4, 3],
  dtype: "f32",
  bias: true,
  conv: { stride: [2], padding: [1], dilation: [1], groups: 1 },
};
const conv3d: LayerSpec = {
  kind: "conv3d",
  shape: [12, 4, 2, 1, 2],
  dtype: "f32",
  bias: false,
  conv: { stride: [1, 1, 1], padding: [0, 0, 1], dilation: [1, 1, 1], groups: 1 },
};
const layerNorm: LayerSpec = { kind: "norm", shape: [8], dtype: "f32", bias: true, norm: { kind: "layer", eps: 1e-5 } };
const rmsNorm: LayerSpec = { ...layerNorm, bias: false, norm: { kind: "rms", eps: 1e-6 } };
const kinds = { linear, conv2d, grouped, conv1d, conv3d };

const on = <C>(config: C, layers: { readonly [name: string]: LayerSpec }, what = "") =>
  Object.entries(layers).map(([name, layer]) => ({ name: what ? `${name}, ${what}` : name, config, layer }));
const values = (shape: readonly number[], phase: number, size = 0.4): Tensor =>
  tensor(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => size * Math.sin(i * 1.7 + phase)),
    { shape },
  );

const locon = (more = {}) => lycorisConfig<never>(LOCON, { r: 3, alpha: 2, ...more });
const loha = (more = {}) => lycorisConfig<never>(LOHA, { r: 3, alpha: 2, ...more });
const lokr = (more = {}) => lycorisConfig<never>(LOKR, { r: 1, alpha: 2, ...more });
/** What LyCORIS does not fade by the strength stays at strength 0. */
const unfaded = (checks: ReturnType<typeof methodChecks>) => checks.filter(({ name }) => !name.includes("strength 0"));

const CHECKS = [
  ...methodChecks(LOCON, [
    ...on(locon(), kinds),
    ...on(locon({ use_tucker: true }), { conv2d, grouped, conv1d, pointwise }, "Tucker"),
    ...on(locon({ r: 0 }), { linear }, "rank 0"),
  ]),
  ...methodChecks(LOHA, [
    ...on(loha(), kinds),
    ...on(loha({ use_effective_conv2d: true }), { conv2d, grouped, conv1d }, "Tucker"),
    ...on(new LohaConfig({ r: 3, use_effective_conv2d: true }) as never, { linear, conv1d, conv2d }, "PEFT"),
  ]),
  ...methodChecks(LOKR, [
    ...on(lokr(), kinds),
    ...on(lokr({ use_effective_conv2d: true }), { conv2d, grouped, conv1d }, "Tucker"),
    ...on(lokr({ decompose_both: true, decompose_factor: 4 }), { linear, conv2d }, "both halves factored"),
    ...on(lokr({ full_matrix: true }), kinds, "both halves whole"),
    ...on(new LokrConfig({ r: 4 }) as never, { linear, conv1d, conv2d }, "PEFT"),
  ]),
  ...(
    [
      [LOCON, locon],
      [LOHA, loha],
      [LOKR, lokr],
    ] as const
  ).flatMap(([method, config]) =>
    unfaded(
      methodChecks(method as never, [
        ...on(config({ weight_decompose: true }), { linear, conv2d }, "DoRA"),
        ...on(config({ weight_decompose: true, wd_on_out: false }), { linear, conv2d, grouped }, "DoRA of inputs"),
      ]).slice(1),
    ),
  ),
  ...methodChecks(DYLORA, on(lycorisConfig<never>(DYLORA, { r: 4, alpha: 2 }), { linear, conv2d, grouped })),
  ...methodChecks(LYCORIS_GLORA, on(lycorisConfig<never>(LYCORIS_GLORA, { r: 3, alpha: 2 }), { linear, conv2d, conv1d })),
  ...methodChecks(TLORA, on(lycorisConfig<never>(TLORA, { r: 3, alpha: 2 }), { linear, pointwise })),
  ...methodChecks(LYCORIS_IA3, [
    ...on(lycorisConfig<never>(LYCORIS_IA3), kinds),
    ...on(lycorisConfig<never>(LYCORIS_IA3, { on_input: 1 }), kinds, "of the input"),
  ]),
  ...methodChecks(FULL, on(lycorisConfig<never>(FULL), { ...kinds, layerNorm })),
  ...methodChecks(NORM, on(lycorisConfig<never>(NORM), { layerNorm, rmsNorm })),
  ...methodChecks(DIAG_OFT, [
    ...on(lycorisConfig<never>(DIAG_OFT, { r: 3 }), kinds),
    ...on(lycorisConfig<never>(DIAG_OFT, { r: 3, alpha: 0.02 }), { linear }, "constrained"),
  ]),
  ...methodChecks(LYCORIS_BOFT, [
    ...on(lycorisConfig<never>(LYCORIS_BOFT, { r: 6 }), { linear, conv2d, conv1d }),
    ...on(lycorisConfig<never>(LYCORIS_BOFT, { r: 6, alpha: 0.02 }), { linear }, "constrained"),
    { name: "grouped", config: lycorisConfig<never>(LYCORIS_BOFT, { r: 6 }), layer: grouped, mergeable: false },
  ]),
  ...unfaded(methodChecks(DIAG_OFT, on(lycorisConfig<never>(DIAG_OFT, { r: 3, rescaled: true }), { linear, conv2d }, "rescaled"))),
  ...unfaded(methodChecks(LYCORIS_BOFT, on(lycorisConfig<never>(LYCORIS_BOFT, { r: 6, rescaled: true }), { linear, conv2d }, "rescaled"))),
];

describe("every method", () => {
  test.each(CHECKS)("$name", async ({ run }) => run());
});

it("adapters on one layer add up, DoRA and changed biases too", async () => {
  const weight = values(conv2d.shape, 0.3);
  const base = { weight, bias: values([12], 0.9) };
  const x = values([1, 4, 7, 6], 0.1, 1);
  const methods: readonly (readonly [AdapterMethod<never>, never])[] = [
    [LOCON as never, locon()],
    [LOHA as never, loha({ weight_decompose: true })],
    [LOKR as never, lokr()],
    [FULL as never, lycorisConfig<never>(FULL)],
  ];
  const attached = methods.map(([method, config]) => {
    const specs = Object.entries(method.parameters(config, conv2d));
    const params = Object.fromEntries(specs.map(([name, { shape }], i) => [name, values(shape, i)]));
    return { method, params, context: { layer: conv2d, config, scale: 0.5 } };
  });
  const run = async (adapters: typeof attached): Promise<ArrayLike<number>> => forwardAdapters(conv2d, base, adapters, x).data();
  const alone = await run([]);
  const each = await Promise.all(attached.map((a) => run([a])));
  const all = await run(attached);
  for (let i = 0; i < all.length; i++) {
    const want = each.reduce((sum, y) => sum + y[i]! - alone[i]!, alone[i]!);
    expect(Math.abs(all[i]! - want)).toBeLessThan(1e-5 * Math.max(1, Math.abs(want)) * 10);
  }
});

describe("a new adapter", () => {
  const weight = values([12, 8], 0.3);
  const bias = values([12], 0.9);
  const x = values([2, 8], 0.1, 1);
  const NEW: readonly (readonly [string, AdapterMethod<never>, { readonly [name: string]: unknown }])[] = [
    ["LoCon", LOCON as never, {}],
    ["LoCon with DoRA", LOCON as never, { weight_decompose: true }],
    ["LoHa with DoRA of inputs", LOHA as never, { weight_decompose: true, wd_on_out: false }],
    ["LoKr", LOKR as never, { r: 1 }],
    ["DyLoRA", DYLORA as never, {}],
    ["GLoRA", LYCORIS_GLORA as never, {}],
    ["T-LoRA", TLORA as never, {}],
    ["IA3", LYCORIS_IA3 as never, {}],
    ["Full", FULL as never, {}],
    ["diag-OFT", DIAG_OFT as never, { rescaled: true }],
    ["BOFT", LYCORIS_BOFT as never, { r: 6 }],
  ];
  test.each(NEW)("%s changes nothing yet", async (_, method, fields) => {
    const adapter = await createAdapter(method, lycorisConfig<never>(method, fields), { fc: { weight, bias } }, { seed: 3 });
    const layer = adapter.get("fc");
    const got = await layer.forward(x).data();
    layer.disable();
    const want = await layer.forward(x).data();
    want.forEach((v, i) => expect(got[i]).toBeCloseTo(v, 5));
    expect(layer.summary.trainable).toBeGreaterThan(0);
  });
  it("is made, and used, in the dtype in which it will be stored", async () => {
    const config = lycorisConfig<never>(LOCON, { r: 2, storage: "bf16" });
    const layer = (await createAdapter(LOCON as never, config, { fc: { weight } })).get("fc");
    expect(layer.params.down!.dtype).toBe("bf16");
    const down = values([2, 8], 0.2);
    layer.set("down", down);
    layer.set("up", values([12, 2], 0.4));
    const exact = await layer.forward(x).data();
    layer.set("down", tensor(Float32Array.from(await down.data()), { shape: [2, 8], dtype: "bf16" }));
    expect([...(await layer.forward(x).data())]).toEqual([...exact]);
  });
});
