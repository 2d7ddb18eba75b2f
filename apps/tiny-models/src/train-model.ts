import { createWasmBackend } from "@weft/kernels-wasm";
import { enableRelaxedSimd } from "@weft/kernels-wasm/node";
import { loadCausalLM, type Weights } from "@weft/models";
import { Device, torchGenerator } from "@weft/tensor-core";
import type { Tokenizer } from "@weft/tokenizers";
import { fullModel, type StepRecord, train } from "@weft/training";
import { sourceOf } from "./initial/source.js";
import { type Recipe, SEED } from "./recipes.js";
import { batchesOf, rowsOf, tokensOf } from "./rows.js";
import type { Corpus } from "./texts.js";

/** Steps between two lines of progress. */
const LINE_STEPS = 50;

/** A model at the end of its training. */
export interface TrainedModel {
  /** On the device; f32. */
  readonly weights: Weights;
  /** Mean over the tokens of the validation text, in rows of which none sees another. */
  readonly loss: number;
  /** The same by the bytes of the text. */
  readonly bitsPerByte: number;
  dispose(): void;
}

/** Trains a model from its first values on. On one thread, so that it is the same bits wherever processors have a fused multiply-add. */
export async function trainModel(
  { config, initial, training }: Recipe,
  corpus: Corpus,
  tokenizer: Tokenizer,
  progress: (line: string) => void,
): Promise<TrainedModel> {
  const rows = rowsOf(tokensOf(corpus.training, tokenizer));
  const held = tokensOf(corpus.validation, tokenizer);
  enableRelaxedSimd();
  const device = new Device(await createWasmBackend({ threads: 1 }));
  const parameters = initial(config, torchGenerator(SEED));
  const model = fullModel((await loadCausalLM(config, sourceOf(parameters), { device })) as never);
  progress(`has ${[...parameters.values()].reduce((sum, { values }) => sum + values.length, 0)} parameters; ${rows.length} rows of text`);
  let last: StepRecord | undefined;
  const steps = train(model, (epoch) => batchesOf(rows, epoch), {
    ...training,
    evalData: () => batchesOf(rowsOf(held), 0, false),
    evalSteps: training.maxSteps!,
  });
  for await (const record of steps) {
    const { step, loss, tokensPerSecond } = (last = record);
    if (step % LINE_STEPS === 0)
      progress(`step ${step} of ${training.maxSteps}: loss ${loss.toFixed(3)}, ${tokensPerSecond.toFixed(0)} tokens/s`);
  }
  const { loss } = last!.evaluation!;
  const bytes = new TextEncoder().encode(corpus.validation.join("\n")).length;
  return {
    weights: model.model.weights,
    loss,
    bitsPerByte: (loss / Math.LN2) * (held.length / bytes),
    dispose: () => device.dispose(),
  };
}
