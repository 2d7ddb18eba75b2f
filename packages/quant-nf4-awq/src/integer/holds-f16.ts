import { roundF16 } from "../f16.js";

/** True if f16 holds all of these numbers exactly. */
export const holdsF16 = (values: Float32Array): boolean => values.every((v) => roundF16(v) === v);
