import { ADAPTER_METHODS } from "@weft/methods";
import { openWeights } from "@weft/io-safetensors/node";
import { assertMatch, describeReport, matchAdapter } from "@weft/adapter-files";
import { openAdapterFolder } from "@weft/adapter-files/node";

const adapter = await openAdapterFolder("fixtures/peft/llama_lora", { methods: ADAPTER_METHODS });
const base = await openWeights("fixtures/peft/llama_base");
const report = await matchAdapter(adapter, base);
console.log(describeReport(report).join("\n"));
assertMatch(report, adapter);
for (const { weight, layer, config } of report.matched) console.log(weight, layer?.kind, `r = ${config.r}`);
await Promise.all([adapter.weights.close(), base.close()]);
