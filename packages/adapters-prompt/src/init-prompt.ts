import {
  type Params,
  type Shape,
  sizeOf,
  tensor,
  torchGenerator,
  torchKaimingUniform,
  torchNormal,
  torchUniform,
  type TorchGenerator,
} from "@weft/tensor-core";
import type { PromptConfigFields } from "./config.js";
import type { PromptMethod, PromptParameter, PromptSource } from "./prompt-method.js";

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
  const drawn: { [name: string]: Params[string] } = {};
  for (const [name, { shape, init }] of Object.entries(method.parameters(config)))
    drawn[name] = tensor(draw(init, shape, generator), { shape });
  return method.start ? method.start(drawn, config, generator, options) : drawn;
}

function draw(init: PromptParameter["init"], shape: Shape, generator: TorchGenerator): Float32Array {
  const count = sizeOf(shape);
  switch (init.kind) {
    case "normal":
      return torchNormal(generator, count, 0, init.std);
    case "uniform":
      return torchUniform(generator, count, -init.bound, init.bound);
    case "kaimingUniform":
      return torchKaimingUniform(generator, shape);
    default:
      return new Float32Array(count).fill(init.kind === "ones" ? 1 : 0);
  }
}

/** An `nn.Embedding`: N(0, 1). */
export const embeddingOf = (rows: number, width: number): PromptParameter => ({
  shape: [rows, width],
  init: { kind: "normal", std: 1 },
  trainable: true,
});

/** Weight and bias of an `nn.Linear` called `name`: U(±1/√in), or zeros. */
export function linearOf(name: string, from: number, to: number, zero = false): { readonly [name: string]: PromptParameter } {
  const zeros = { kind: "zeros" } as const;
  return {
    [`${name}.weight`]: { shape: [to, from], init: zero ? zeros : { kind: "kaimingUniform" }, trainable: true },
    [`${name}.bias`]: { shape: [to], init: zero ? zeros : { kind: "uniform", bound: 1 / Math.sqrt(from) }, trainable: true },
  };
}
