import { sizeOf } from "@weft/tensor-core";
import { THREEFRY_PARITY, THREEFRY_ROTATIONS } from "@weft/tensor-core/program";
import { Shader } from "../../wgsl/shader.js";
import type { Kernel } from "../kernel.js";

/** Twenty rounds, written out; a key word is added after every fourth. */
function rounds(): string {
  return Array.from({ length: 20 }, (_, round) => {
    const r = THREEFRY_ROTATIONS[round % 8]!;
    const s = (round + 1) / 4;
    const key = round % 4 === 3 ? ` x += k${s % 3}; y += k${(s + 1) % 3} + ${s}u;` : "";
    return `x += y; y = ((y << ${r}u) | (y >> ${32 - r}u)) ^ x;${key}`;
  }).join("\n");
}

/** The primitive `random`: Threefry-2x32, two words per thread. @see Salmon et al. 2011 */
export const random: Kernel = ({ inputs, outputs }, context) => {
  const [key, y] = [inputs[0]!, outputs[0]!];
  const shader = new Shader("random", context);
  const [k, out] = [shader.input(key), shader.output(y)];
  const count = sizeOf(y.shape);
  const [n, offset] = [shader.u32(count), shader.u32(y.offset)];
  const body = `if (tid * 2u >= ${n}) { return; }
let k0 = ${k.loadBits(shader.u32(key.offset))};
let k1 = ${k.loadBits(shader.u32(key.offset + 1))};
let k2 = k0 ^ k1 ^ ${THREEFRY_PARITY}u;
var x = tid + k0;
var y = k1;
${rounds()}
${out.storeBits(`${offset} + tid * 2u`, "x")}
if (tid * 2u + 1u < ${n}) { ${out.storeBits(`${offset} + tid * 2u + 1u`, "y")} }`;
  return [shader.dispatch(body, Math.ceil(count / 2 / shader.workgroup))];
};
