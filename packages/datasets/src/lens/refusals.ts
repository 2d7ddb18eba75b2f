import { ConfigError } from "@weft/tensor-core";
import { describePlace } from "../data-error.js";
import type { Coverage } from "./coverage.js";

/**
 * Why training on such data would be in vain: there are none, nothing is trained on, or never the token that ends an answer, so that the model does not learn to stop.
 * @returns the errors, none if all is well: kinds `dataset-empty`, `nothing-trained`, `end-never-trained`
 */
export function refusals(coverage: Coverage): ConfigError[] {
  const { examples, trained, tokens, end, untrained } = coverage;
  if (examples === 0 || tokens === 0)
    return [
      new ConfigError("there are no examples to train on", {
        kind: "dataset-empty",
        hint: "check the file, and what a filter or a split has left",
      }),
    ];
  if (trained === 0)
    return [
      new ConfigError(
        `nothing is trained on: none of the ${tokens} tokens of ${examples} examples has a label (the first: ${describePlace(untrained.places[0] ?? {})})`,
        {
          kind: "nothing-trained",
          hint: "look at an example with formatLens; check roles, the mask, and whether maxLength cuts the answers off",
        },
      ),
    ];
  if (end.trained === 0 && end.untrained > 0)
    return [
      new ConfigError(`the token that ends an answer is trained on in none of ${examples} examples: the model would not learn to stop`, {
        kind: "end-never-trained",
        hint: "end answers with that token (endToken), put it inside of {% generation %}, or raise maxLength if it is cut off",
      }),
    ];
  return [];
}

/** @throws ConfigError, the first of the refusals */
export function assertTrainable(coverage: Coverage): void {
  const [first] = refusals(coverage);
  if (first) throw first;
}
