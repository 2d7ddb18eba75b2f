import { enableRelaxedSimd } from "@weft/kernels-wasm/node";
import type { Suite } from "../../context.js";
import { CORE_CASES } from "./cases/index.js";

export const coreSuite: Suite = {
  name: "core",
  summary: "what a call, a training step and a decoding step cost beside their kernels, and the kernels that they rest on; --case for one",
  async run(context) {
    // Before the first WebAssembly of the process.
    enableRelaxedSimd();
    const chosen = CORE_CASES.filter(({ name }) => name.includes(context.only));
    if (chosen.length === 0)
      throw new RangeError(`no case of core has "${context.only}" in its name: ${CORE_CASES.map((c) => c.name).join(", ")}`);
    for (const c of chosen) await c.run(context);
  },
};
