import { abs, add, exp, log, minimum, mul, neg, sub, tanh, type Tensor } from "@weft/tensor-core";

/** log(1 / (1 + e⁻ˣ)) = min(x, 0) - log(1 + e^-|x|), finite for every finite x. */
export const logSigmoid = (x: Tensor): Tensor => sub(minimum(x, 0), log(add(exp(neg(abs(x))), 1)));

/** log(1 - eˣ) for x < 0, by 1 - eˣ = -tanh(x/2)·(eˣ + 1), which keeps its digits near 0. */
export const log1mExp = (x: Tensor): Tensor => log(mul(neg(tanh(mul(x, 0.5))), add(exp(x), 1)));
