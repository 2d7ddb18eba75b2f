// A library of somebody's over the published packages, with declarations: what its exports infer must be nameable through `/node` alone.
import { ADAPTER_METHODS } from "@weft/methods";
import { loadPretrained } from "@weft/models/node";
import { loadPeftModel, savePretrained } from "@weft/registry/node";

export const model = await loadPretrained("base");
export const peft = await loadPeftModel(model, "adapter", { methods: ADAPTER_METHODS });
await savePretrained(peft, "out");
