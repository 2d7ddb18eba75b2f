import { GPTQ_FILES, type QuantizedWeight, requantize, gptq, toPacked, unpack } from "@weft/quant-nf4-awq";
import { dequantize, type Device } from "@weft/tensor-core";
import { Comparison } from "../case.js";
import { largestGap } from "./compare.js";
import type { Fixture } from "./fixture.js";

/** What the manifest says of a case of gptq.safetensors. */
interface About {
  readonly bits: 4;
  readonly group_size: number;
  readonly sym: boolean;
}

/** GPTQ's layout in both versions: codes, values, and each written as it was. */
export async function gptqCase(
  { fixture, name, about }: { readonly fixture: Fixture; readonly name: string; readonly about: About },
  device: Device,
): Promise<Comparison> {
  const check = new Comparison(2 ** -11); // of the largest: the original's values are those before scales were rounded to f16
  const weights = new Map<string, QuantizedWeight>();
  for (const [version, format] of [
    ["v1", "gptq"],
    ["v2", "gptq_v2"],
  ] as const) {
    const tensors = new Map(["qweight", "scales", "g_idx"].map((part) => [part, fixture.view(`${name}.${part}`)]));
    tensors.set("qzeros", fixture.view(`${name}.qzeros_${version}`));
    const weight = GPTQ_FILES.read(tensors, {
      config: { bits: about.bits, group_size: about.group_size, sym: about.sym, checkpoint_format: format },
    });
    weights.set(version, weight);
    check.within(`${version}: codes`, largestGap(await unpack(weight, device), fixture.bytes(`${name}.codes`)), 0);
    await check.tensors(version, dequantize(toPacked({ ...weight, dtype: "f32" }, device)), fixture.tensor(`${name}.quantized`, device));
  }
  const [v1, v2] = [weights.get("v1")!, weights.get("v2")!];
  const again = await requantize(v1, v2.format, device);
  check.exact("v1 to v2: error", again.error, 0);
  for (const [part, view] of GPTQ_FILES.write!(again.weight))
    check.bytes(`v1 to v2: ${part}`, view.data, fixture.bytes(`${name}.${part === "qzeros" ? "qzeros_v2" : part}`));
  if (!about.sym) return check;
  const back = await requantize(v2, gptq({ groupSize: about.group_size, sym: about.sym }), device);
  check.bytes("v2 to v1: qzeros", back.weight.parts.qzeros!, fixture.bytes(`${name}.qzeros_v1`));
  return check;
}
