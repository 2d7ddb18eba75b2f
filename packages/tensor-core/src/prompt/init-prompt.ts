import { initParameters } from "../adapter/init.js";
import type { Params, ParameterSpec } from "../adapter/method.js";
import { torchGenerator } from "../random/index.js";
import type { PromptConfigFields } from "./prompt-config.js";
import type { PromptMethod, PromptSource } from "./prompt-method.js";

/**
 * The parameters of a new prompt: the numbers that PEFT gets after `torch.manual_seed(seed)`.
 * @throws ConfigError if the config asks for a start that `source` does not have
 */
export async function initPrompt<C extends PromptConfigFields>(
  method: PromptMethod<C>,
  config: C,
  options: { readonly seed?: number } & PromptSource = {},
): Promise<Params> {
  const generator = torchGenerator(options.seed ?? 0);
  const drawn = initParameters(method.parameters(config), generator);
  return method.start ? method.start(drawn, config, generator, options) : drawn;
}

/** An `nn.Embedding`: N(0, 1). */
export const embeddingOf = (rows: number, width: number): ParameterSpec => ({
  shape: [rows, width],
  init: { kind: "normal", std: 1 },
  trainable: true,
});

/** Weight and bias of an `nn.Linear` called `name`: U(±1/√in), or zeros. */
export function linearOf(name: string, from: number, to: number, zero = false): { readonly [name: string]: ParameterSpec } {
  const zeros = { kind: "zeros" } as const;
  return {
    [`${name}.weight`]: { shape: [to, from], init: zero ? zeros : { kind: "kaimingUniform" }, trainable: true },
    [`${name}.bias`]: { shape: [to], init: zero ? zeros : { kind: "uniform", bound: 1 / Math.sqrt(from) }, trainable: true },
  };
}
