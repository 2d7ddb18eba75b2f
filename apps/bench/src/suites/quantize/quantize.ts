import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fourBit, GGUF_TYPES } from "@weft/quant-nf4-awq";
import type { Suite } from "../../context.js";
import { packedProducts } from "../core/cases/packed.js";
import { numbers } from "../matmul/product.js";
import { measureDequantize } from "./dequantize.js";
import { ENCODERS, measureEncoder } from "./encode.js";

export const quantizeSuite: Suite = {
  name: "quantize",
  summary:
    "a weight of 4096 × 4096 to four, six and eight bits and back, one thread, against bitsandbytes, gguf-py and ggml's C, whose bytes it has; products with packed weights against f32",
  async run(context) {
    const folder = mkdtempSync(join(tmpdir(), "weft-bench-"));
    try {
      const size = context.quick ? 256 : 4096;
      const weight = numbers(size * size, 17);
      const python = await context.python();
      if (python) {
        const file = join(folder, "w");
        writeFileSync(file, new Uint8Array(weight.buffer, weight.byteOffset, weight.byteLength));
        await python.call({ cmd: "load", name: "w", file, shape: [size, size], dtype: "f32" });
      }
      const subject = { weight, size, folder, python };
      for (const encoder of ENCODERS.filter(({ name }) => name.includes(context.only))) await measureEncoder(encoder, subject, context);
      if ("dequantize".includes(context.only)) await measureDequantize(subject, context);
      if (!"products".includes(context.only)) return;
      const renamed = {
        ...context,
        emit: (finding: Parameters<typeof context.emit>[0]) => context.emit({ ...finding, suite: "quantize" }),
      };
      await packedProducts(renamed, [
        { rows: 1, format: fourBit(), goal: 2.5 },
        { rows: 1, format: GGUF_TYPES.Q4_0, goal: 2.5 },
        { rows: 1, format: GGUF_TYPES.Q8_0, goal: 2 },
        { rows: 128, format: fourBit(), goal: 0.8 },
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};
