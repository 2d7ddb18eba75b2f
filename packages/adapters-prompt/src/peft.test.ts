import { add, gradients, mul, reshape, sin, sum, tensor, type Tensor, writeFields, arange, cast } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { cptLoss, type CptConfigFields, initPrompt, promptConfig, promptOf, type Prompt, CPT } from "./index.js";
import { FIXTURE, gap, methodOf, unpack, unpackAll } from "./testing.js";

/** Box–Muller's logarithm and cosine differ in the last bits between machines; everything else is drawn bit for bit. */
const DRAWN = 2 ** -19;
/** f32 in another order of summation. */
const COMPUTED = 2e-6;
const GRADIENT = 1e-5;

const tensorsOf = ({ virtualTokens, pastKeyValues }: Prompt): Tensor[] =>
  virtualTokens ? [virtualTokens] : pastKeyValues!.flatMap(({ key, value }) => [key, value]);

/** The fixture's Σ prompt·sin(i), i running through all tensors. */
function probe(tensors: readonly Tensor[]): Tensor {
  let at = 0;
  let total = tensor(0);
  for (const t of tensors) {
    total = add(total, sum(mul(reshape(t, [-1]), sin(cast(add(arange(t.size), at), "f32")))));
    at += t.size;
  }
  return total;
}

describe.each(FIXTURE.cases)("$name", (c) => {
  const method = methodOf(c.config);
  const model = FIXTURE.models[c.config["task_type"] as string]!;
  // PEFT's own fields, before it filled in what the model says.
  const bare = Object.fromEntries(
    Object.entries(c.config).filter(([name]) => !/^(token_dim|num_layers|num_attention_heads|num_transformer_submodules)$/.test(name)),
  );
  const config = promptConfig(method, bare, model);
  const tasks = c.tasks && tensor(Int32Array.from(c.tasks));
  const params = unpackAll(c.params);
  const submodules = c.config["num_transformer_submodules"] as number;
  const run = (p: typeof params): Tensor[] => {
    const saved = method.encode(p, config);
    const parts = method.kind === "embeddings" ? [0, 1].slice(0, submodules) : [0];
    return parts.flatMap((submodule) =>
      tensorsOf(promptOf(method, config, saved, { ...(tasks && { tasks }), submodule: submodule as 0 | 1 })),
    );
  };

  it("the model's sizes complete the config as in PEFT, and its fields are PEFT's", () => {
    const common = /^(auto_mapping|base_model_name_or_path|inference_mode|peft_type|peft_version|revision|task_type)$/;
    const own = Object.fromEntries(Object.entries(c.config).filter(([name]) => !common.test(name)));
    expect(writeFields(method.fields, config as never)).toEqual(own);
    expect(promptConfig(method, c.config)).toEqual(config);
  });

  it("parameters start with torch's numbers", async () => {
    const started = await initPrompt(method, config, {
      seed: c.seed,
      wordEmbeddings: unpack(FIXTURE.wordEmbeddings),
      saved: unpackAll(FIXTURE.source),
      ...(c.textIds && { textIds: c.textIds }),
    });
    expect(Object.keys(started).toSorted()).toEqual(Object.keys(c.start).toSorted());
    const specs = method.parameters(config);
    for (const [name, want] of Object.entries(c.start))
      expect(await gap(started[name]!, want), name).toBeLessThanOrEqual(specs[name]!.init.kind === "normal" ? DRAWN : 0);
    const count = Object.entries(specs).reduce((total, [name, { trainable }]) => total + (trainable ? started[name]!.size : 0), 0);
    expect(count).toBe(c.trainable);
  });

  it("gives what PEFT saves, and puts in front what PEFT does", async () => {
    const saved = method.encode(params, config);
    expect(Object.keys(saved).toSorted()).toEqual(Object.keys(c.saved).toSorted());
    for (const [name, want] of Object.entries(c.saved)) expect(await gap(saved[name]!, want), name).toBeLessThan(COMPUTED);
    const got = run(params);
    if (method.kind === "embeddings" && submodules === 2) {
      const [whole] = c.prompt;
      const rows = await Promise.all(got.map((t) => t.data()));
      expect(rows.flatMap((r) => [...r])).toEqual([...Float32Array.from(whole!.values)]);
    } else {
      expect(got.length).toBe(c.prompt.length);
      for (const [i, want] of c.prompt.entries()) expect(await gap(got[i]!, want)).toBeLessThan(COMPUTED);
    }
  });

  it("gradients are torch's", async () => {
    const names = Object.entries(method.parameters(config)).flatMap(([name, { trainable }]) => (trainable ? [name] : []));
    expect(names.toSorted()).toEqual(Object.keys(c.grads).toSorted());
    const loss = probe(run(params));
    const grads = gradients(
      loss,
      names.map((name) => params[name]!),
    );
    for (const [i, name] of names.entries()) expect(await gap(grads[i]!, c.grads[name]!), name).toBeLessThan(GRADIENT);
  });

  it("parameters follow from the file again, unless an encoder made them", async () => {
    const saved = unpackAll(c.saved);
    const encoded = Object.keys(c.params).some((name) => /head|transform/.test(name));
    if (encoded) expect(() => method.restore(saved, config)).toThrow("training cannot go on");
    else {
      const again = method.encode(method.restore(saved, config), config);
      for (const [name, want] of Object.entries(c.saved)) expect(await gap(again[name]!, want), name).toBe(0);
    }
  });
});

describe("CPT's loss", () => {
  it.each(FIXTURE.cptLoss)("$config.opt_weighted_loss_type, types $types", async ({ config: fields, labels, types, logits, loss }) => {
    const config = promptConfig(CPT, { ...fields, task_type: "CAUSAL_LM", token_dim: 8 }) as CptConfigFields;
    const rows = tensor(Int32Array.from(labels.flat()), { shape: [labels.length, labels[0]!.length] });
    expect(Math.abs((await cptLoss(unpack(logits), rows, config, types ?? undefined).item()) - loss)).toBeLessThan(COMPUTED);
  });
});
