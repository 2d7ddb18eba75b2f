import {
  add,
  concat,
  linear,
  mul,
  type ParameterSpec,
  type Params,
  rows,
  sigmoid,
  split,
  tanh,
  type Tensor,
  zeros,
} from "@weft/tensor-core";

export interface LstmShape {
  /** How its parameters' names begin, with a dot: `lstm_head.`. */
  readonly prefix: string;
  readonly inputs: number;
  readonly hidden: number;
  readonly layers: number;
}

const DIRECTIONS = ["", "_reverse"] as const;

/** Parameters of a bidirectional `nn.LSTM` under torch's names and in its order; all U(±1/√hidden). */
export function lstmParameters({ prefix, inputs, hidden, layers }: LstmShape): { readonly [name: string]: ParameterSpec } {
  const parameters: { [name: string]: ParameterSpec } = {};
  for (let layer = 0; layer < layers; layer++)
    for (const suffix of DIRECTIONS)
      for (const [name, shape] of [
        ["weight_ih", [4 * hidden, layer === 0 ? inputs : 2 * hidden]],
        ["weight_hh", [4 * hidden, hidden]],
        ["bias_ih", [4 * hidden]],
        ["bias_hh", [4 * hidden]],
      ] as const)
        parameters[`${prefix}${name}_l${layer}${suffix}`] = {
          shape,
          init: { kind: "uniform", bound: 1 / Math.sqrt(hidden) },
          trainable: true,
        };
  return parameters;
}

/** One direction of one layer, in the order of `x` [length, inputs]: the states h [length, hidden]. */
function direction(x: Tensor, at: (name: string) => Tensor, hidden: number, reverse: boolean): Tensor {
  const inputs = add(linear(x, at("weight_ih"), at("bias_ih")), at("bias_hh"));
  const length = x.shape[0]!;
  const states: Tensor[] = [];
  let [h, c] = [zeros([1, hidden]), zeros([1, hidden])];
  for (let step = 0; step < length; step++) {
    const t = reverse ? length - 1 - step : step;
    const gates = add(rows(inputs, t, t + 1), linear(h, at("weight_hh")));
    const [i, f, g, o] = split(gates, Array<number>(4).fill(hidden), 1) as [Tensor, Tensor, Tensor, Tensor];
    c = add(mul(sigmoid(f), c), mul(sigmoid(i), tanh(g)));
    h = mul(sigmoid(o), tanh(c));
    states[t] = h;
  }
  return concat(states, 0);
}

/**
 * A bidirectional LSTM over one sequence x [length, inputs] → [length, 2·hidden]: per step i, f, o = σ(Wx + b + Uh + b'), g = tanh(…),
 * c ← f⊙c + i⊙g, h ← o⊙tanh(c), from zeros; both directions side by side; `dropout` between layers.
 * @see Hochreiter & Schmidhuber 1997; torch `nn.LSTM`
 */
export function lstm(x: Tensor, params: Params, { prefix, hidden, layers }: LstmShape, dropout?: (x: Tensor) => Tensor): Tensor {
  let y = x;
  for (let layer = 0; layer < layers; layer++) {
    const input = layer > 0 && dropout ? dropout(y) : y;
    y = concat(
      DIRECTIONS.map((suffix) => direction(input, (name) => params[`${prefix}${name}_l${layer}${suffix}`]!, hidden, suffix !== "")),
      1,
    );
  }
  return y;
}
