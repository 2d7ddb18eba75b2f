// Merges a PEFT adapter into a checkpoint with the library: BASE ADAPTER OUT [SCALE].
import { mergeCheckpoint } from "@weft/checkpoint/node";
import { ADAPTER_METHODS } from "@weft/methods";

const [base, adapter, out, scale = "1"] = process.argv.slice(2);
if (!base || !adapter || !out) throw new Error("usage: merge.ts BASE ADAPTER OUT [SCALE]");

const { merged, tensors, notices } = await mergeCheckpoint({
  base,
  adapters: [{ path: adapter, scale: Number(scale) }],
  out,
  methods: ADAPTER_METHODS, // a table of your own keeps out what you do not need
  maxMemory: 256e6,
});
for (const notice of notices) console.log(`note: ${notice}`);
console.log(`${merged} of ${tensors} tensors merged; written to ${out}`);
