import type { LayerHook, LlamaForCausalLM } from "@weft/models";
import { adamwStep, type Device, loraLinear, reshape, softmaxCrossEntropy, type Tensor, valueAndGrad } from "@weft/tensor-core";
import { numbers } from "../matmul/product.js";

/** Parameters or moments by their name. */
type Named = { readonly [name: string]: Tensor };

/** What a training step goes on with. */
export type TrainingState = {
  readonly params: Named;
  readonly m: Named;
  readonly v: Named;
};

export type StepInputs = {
  readonly ids: Tensor;
  /** i32 [batch·length]. */
  readonly labels: Tensor;
  readonly lr: Tensor;
  /** Number of the step from 1, f32 []. */
  readonly step: Tensor;
};

/** LoRA on every linear layer of the blocks, trained by AdamW. */
export interface LoraTraining {
  readonly state: TrainingState;
  readonly inputs: StepInputs;
  readonly step: (state: TrainingState, inputs: StepInputs) => { loss: Tensor; state: TrainingState };
}

const ADAMW = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01 };

export function loraTraining(device: Device, model: LlamaForCausalLM, { rank, tokens }: { rank: number; tokens: number }): LoraTraining {
  const targets = model.layers().filter(({ path, layer }) => layer.kind === "linear" && path !== "lm_head");
  const make = (shape: readonly number[], scale: number, seed: number): Tensor =>
    device.tensor(
      numbers(
        shape.reduce((a, b) => a * b, 1),
        seed,
      ).map((x) => scale * x),
      { shape },
    );
  const params = Object.fromEntries(
    targets.flatMap(({ path, layer }, i) => [
      [`${path}.a`, make([rank, layer.shape[1]!], 0.05, 8 * i + 3)],
      [`${path}.b`, make([layer.shape[0]!, rank], 0.05, 8 * i + 7)],
    ]),
  );
  const zeros = (): Named => Object.fromEntries(Object.entries(params).map(([name, t]) => [name, make(t.shape, 0, 3)]));
  const ids = Int32Array.from({ length: tokens }, (_, i) => (i * 31 + 7) % model.config.vocabSize);

  const hookFor =
    (p: Named): LayerHook =>
    (path, _layer, base, x) =>
      p[`${path}.a`] && loraLinear(x, base.weight, p[`${path}.a`]!, p[`${path}.b`]!, 2);
  const lossOf = valueAndGrad((p: Named, input: StepInputs): Tensor => {
    const { logits } = model.forward({ inputIds: input.ids }, hookFor(p));
    return softmaxCrossEntropy(reshape(logits, [-1, model.config.vocabSize]), input.labels);
  });
  return {
    state: { params, m: zeros(), v: zeros() },
    inputs: {
      ids: device.tensor(ids, { shape: [1, tokens] }),
      labels: device.tensor(ids.map((id) => (id + 31) % model.config.vocabSize)),
      lr: device.tensor(1e-3),
      step: device.tensor(1),
    },
    step(state, inputs) {
      const { value, grads } = lossOf(state.params, inputs);
      const next = Object.entries(state.params).map(([name, p]) => {
        const moments = { p, g: grads[name]!, m: state.m[name]!, v: state.v[name]! };
        return [name, adamwStep({ ...moments, lr: inputs.lr, step: inputs.step }, ADAMW)] as const;
      });
      const part = (key: "p" | "m" | "v"): Named => Object.fromEntries(next.map(([name, r]) => [name, r[key]]));
      return { loss: value, state: { params: part("p"), m: part("m"), v: part("v") } };
    },
  };
}
