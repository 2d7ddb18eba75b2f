import { ADAPTER_METHODS } from "@weft/methods";
import { openSafetensors } from "@weft/io-safetensors";
import { describe, expect, test } from "vitest";
import { openAdapter } from "../open-adapter.js";
import type { OpenedAdapter } from "../opened-adapter.js";

type Shapes = { readonly [name: string]: readonly number[] };

/** An adapter whose file holds these tensors, and nothing that matters in them. */
async function open(config: object, shapes: Shapes, adapterName?: string): Promise<OpenedAdapter> {
  const header: Record<string, unknown> = {};
  let offset = 0;
  for (const [name, shape] of Object.entries(shapes))
    header[name] = { dtype: "F32", shape, data_offsets: [offset, (offset += 4 * shape.reduce((a, b) => a * b, 1))] };
  const json = new TextEncoder().encode(JSON.stringify(header));
  const file = new Uint8Array(8 + json.length + offset);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  const weights = await openSafetensors(file);
  return openAdapter(
    { config: { peft_type: "LORA", r: 2, ...config }, weights },
    { methods: ADAPTER_METHODS, ...(adapterName === undefined ? {} : { adapterName }) },
  );
}
const named = (name: string): Shapes => ({
  [`base_model.model.a.q.lora_A.${name}.weight`]: [2, 6],
  [`base_model.model.a.q.lora_B.${name}.weight`]: [4, 2],
  [`base_model.model.e.lora_embedding_A.${name}`]: [2, 9],
  [`base_model.model.e.lora_embedding_B.${name}`]: [6, 2],
  [`base_model.model.head.modules_to_save.${name}.weight`]: [3, 6],
});
const places = ({ modules, modulesToSave, unknown }: OpenedAdapter): unknown => [
  [...modules].map(([path, { tensors }]) => [path, [...tensors.keys()]]),
  [...modulesToSave.keys()],
  unknown.length,
];
const WANTED = [[["a.q", ["lora_A.weight", "lora_B.weight"]], ["e", ["lora_embedding_A", "lora_embedding_B"]]], ["head.weight"], 0]; // prettier-ignore
const saved = { modules_to_save: ["head"] };

describe("an adapter's name within the keys of a PEFT file", () => {
  test.each(["default", "my_adapter", "0"])("%s is found out", async (name) => {
    expect(places(await open(saved, named(name)))).toEqual(WANTED);
  });
  test("two are named and refused; one of them may be chosen", async () => {
    const both = { ...named("chat"), ...named("code") };
    await expect(open(saved, both)).rejects.toMatchObject({ kind: "several-adapters", message: expect.stringContaining("chat, code") as unknown }); // prettier-ignore
    await expect(open(saved, both, "other")).rejects.toMatchObject({ kind: "no-such-adapter" });
    const code = await open(saved, both, "code");
    expect(places(code)).toEqual(WANTED);
    expect(code.modulesToSave.get("head.weight")!.name).toContain("code");
    expect(code.warnings).toEqual([
      { kind: "other-adapters", message: expect.stringContaining("5 tensors of adapters other than code left out") as unknown },
    ]);
  });
  test("parts of a parameter's own name are none", async () => {
    const { modules } = await open({ peft_type: "IA3" }, { "base_model.model.a.q.ia3_l": [4, 1] });
    expect([...modules.get("a.q")!.tensors.keys()]).toEqual(["ia3_l"]);
  });
  test("a method's parameters without `.weight`", async () => {
    const { modules } = await open({ peft_type: "IA3" }, { "base_model.model.a.q.ia3_l.mine": [4, 1] });
    expect([...modules.get("a.q")!.tensors.keys()]).toEqual(["ia3_l"]);
  });
});
