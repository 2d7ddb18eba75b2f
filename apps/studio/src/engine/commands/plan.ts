import { assertTrainable, coverageOf, encodedOf } from "@weft/datasets";
import { adapterConfig, epochsFrom, fitOf, largestBatch, stepsOf, timeOf, trainable, trainingOptions } from "@weft/fine-tuning";
import { ADAPTER_METHODS } from "@weft/methods";
import { newAdapter } from "../runs/prepare.js";
import { settingsOf } from "../runs/settings.js";
import type { Handler } from "./command-context.js";

/** What a training would take here: memory by the plan of its largest step, time by one that is measured. */
export const plan: Handler<"plan"> = async ({ source, config }, { documents, examples, turns, device }) => {
  const { model, data } = await documents.of(source, await device());
  const settings = settingsOf(config);
  const { train } = await examples.of(data, model, settings);
  assertTrainable(coverageOf(train.flatMap(encodedOf)));
  const batches = epochsFrom(trainable(train), settings, 0);
  const { maxMemory: _limit, ...unlimited } = settings;
  const options = trainingOptions(unlimited);
  return turns.take(async () => {
    const peft = await newAdapter(model, settings, batches);
    const rank = Number(adapterConfig(settings, model.document.name, ADAPTER_METHODS)["r"] ?? 0);
    const largest = largestBatch(batches);
    const fit = await fitOf(peft, largest, options, {
      rank,
      trainee: (r) => newAdapter(model, { ...settings, peft: { ...settings.peft, r } }, [largest]),
    });
    const steps = stepsOf(settings, batches.length);
    const { seconds, secondsPerStep } = await timeOf(peft, batches, options, steps);
    const { peakBytes, weightBytes, stateBytes } = fit.memory;
    return {
      steps,
      trainable: peft.describeTrainableParameters(),
      peakBytes,
      weightBytes,
      stateBytes,
      seconds,
      secondsPerStep,
      offers: fit.offers.map(({ name, value, peakBytes: bytes }) => ({ name, bytes, ...(value !== undefined && { value }) })),
    };
  });
};
