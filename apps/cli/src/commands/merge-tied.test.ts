import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkpointOf, copyFolder, editJson, f32, type StoredTensor, tensorsOf, writeTensors } from "@weft/checkpoint/testing";
import { FIXTURES, weftBuilt, temporaryFolder } from "../testing/cli.js";

/** Made by fixtures/make_tied.py: adapters of PEFT's on models with tied embeddings, and what the models compute with them unmerged. */
const TIED = join(FIXTURES, "tied");
const BASES = ["llama", "gpt2", "llava"];
const CASES = readdirSync(TIED).filter((name) => !BASES.includes(name));
const folder = temporaryFolder();
let made = 0;
const fresh = (): string => join(folder, String(made++));

type Tensors = ReadonlyMap<string, StoredTensor>;
const floats = ({ bytes }: StoredTensor): Float32Array => new Float32Array(Uint8Array.from(bytes).buffer);
const named = (tensors: Tensors, pattern: RegExp): StoredTensor | undefined => [...tensors].find(([name]) => pattern.test(name))?.[1];
const configOf = (path: string): { tie_word_embeddings?: boolean; vocab_size?: number; text_config?: { vocab_size: number } } =>
  JSON.parse(readFileSync(join(path, "config.json"), "utf8")) as never;

/** The two matrices of a checkpoint as transformers 5 loads it: a tied head that is not in the file is the embedding. */
function matrices(path: string): { embed: Float32Array; head: Float32Array; rows: number; separate: boolean } {
  const tensors = checkpointOf(path);
  const embed = named(tensors, /(embed_tokens|wte)\.weight$/)!;
  const head = named(tensors, /lm_head\.weight$/);
  expect(head !== undefined || configOf(path).tie_word_embeddings === true).toBe(true);
  return { embed: floats(embed), head: floats(head ?? embed), rows: embed.shape[0]!, separate: head !== undefined };
}

/** Largest difference, as a share of the largest value. */
const apart = (a: Float32Array, b: Float32Array): number => {
  expect(a.length).toBe(b.length);
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0) / b.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
};

const baseOf = (name: string): string => BASES.find((base) => name.startsWith(base)) ?? "llama";
/** Cases in which both matrices come out the same, so that they may stay one. */
const STAYS_ONE = new Set(
  "lora_embed_ensure lora_head_ensure save_embed_ensure tokens tokens_same tokens_alone gpt2_tokens resized resized_save_ensure resized_tokens".split(
    " ",
  ),
);

describe("a merge into a model with tied embeddings computes what the model computes unmerged", () => {
  it.each(CASES)("%s", async (name) => {
    const out = fresh();
    const ran = await weftBuilt("merge", join(TIED, baseOf(name)), "-a", join(TIED, name), "-o", out);
    expect(ran.code, ran.stderr).toBe(0);
    const expected = tensorsOf(join(TIED, name, "expected.safetensors"));
    const { embed, head, rows, separate } = matrices(out);
    expect(apart(embed, floats(expected.get("embed")!)), "embed").toBeLessThan(1e-6);
    expect(apart(head, floats(expected.get("head")!)), "head").toBeLessThan(1e-6);
    expect(separate).toBe(!STAYS_ONE.has(name));
    const config = configOf(out);
    expect(config.tie_word_embeddings).toBe(STAYS_ONE.has(name));
    expect((config.text_config ?? config).vocab_size).toBe(rows);
    expect([...checkpointOf(out).keys()].filter((key) => /token_adapter|original_module|modules_to_save|base_layer/.test(key))).toEqual([]);
  });
});

describe("two tied embeddings", () => {
  const LLAMA = join(TIED, "llama");
  const merge = async (base: string, adapter: string, ...more: string[]): Promise<{ out: string; code: number; stderr: string }> => {
    const out = fresh();
    return { out, ...(await weftBuilt("merge", base, "-a", adapter, "-o", out, ...more)) };
  };
  /** An adapter of the fixture without some of its tensors. */
  async function without(name: string, pattern: RegExp): Promise<string> {
    const copy = copyFolder(join(TIED, name), fresh());
    const file = join(copy, "adapter_model.safetensors");
    await writeTensors(file, new Map([...tensorsOf(file)].filter(([key]) => !pattern.test(key))));
    return copy;
  }

  it("with a head of fewer rows than the trained embedding are refused, for its new rows are nowhere", async () => {
    const adapter = await without("resized_save_embed", /lm_head|original_module|modules_to_save/);
    const { code, stderr } = await merge(LLAMA, adapter);
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/embed_tokens\.weight with 27 rows, and lm_head\.weight has 24.*[^]*--no-untie/),
    ]);
    const { out, code: together } = await merge(LLAMA, adapter, "--no-untie");
    expect(together).toBe(0);
    const { embed, rows, separate } = matrices(out);
    expect([rows, separate]).toEqual([27, false]);
    expect(apart(embed, floats(tensorsOf(join(TIED, "resized_save_embed/expected.safetensors")).get("embed")!))).toBe(0);
  });

  it("that are replaced by different matrices cannot stay one", async () => {
    const { code, stderr } = await merge(LLAMA, join(TIED, "save_both"), "--no-untie");
    expect([code, stderr]).toEqual([2, expect.stringContaining("cannot stay one")]);
  });

  it("that the file has both of, and different ones, are apart as transformers 5 loads them", async () => {
    const base = copyFolder(LLAMA, fresh());
    const tensors = new Map<string, StoredTensor>(checkpointOf(base));
    const head = f32([24, 8], (i) => Math.cos(i));
    await writeTensors(join(base, "model.safetensors"), tensors.set("lm_head.weight", head));
    const { out, code, stderr } = await merge(base, join(TIED, "tokens"));
    expect([code, stderr]).toEqual([0, expect.stringContaining("two different matrices")]);
    expect(configOf(out).tie_word_embeddings).toBe(false);
    expect(apart(matrices(out).head, floats(head))).toBe(0);
  });

  it("that the file has both of, and the same, are tied where the config does not say", async () => {
    const base = copyFolder(LLAMA, fresh());
    const tensors = new Map<string, StoredTensor>(checkpointOf(base));
    await writeTensors(join(base, "model.safetensors"), tensors.set("lm_head.weight", tensors.get("model.embed_tokens.weight")!));
    const { tie_word_embeddings: _, ...config } = configOf(base);
    writeFileSync(join(base, "config.json"), JSON.stringify(config));
    const { out, code, stderr } = await merge(base, join(TIED, "tokens"));
    expect(code, stderr).toBe(0);
    const { embed, head } = matrices(out);
    expect(apart(head, embed)).toBe(0);
  });

  it("of an encoder-decoder model are not untied by a flag", async () => {
    const base = copyFolder(LLAMA, fresh());
    editJson(join(base, "config.json"), { is_encoder_decoder: true });
    const { code, stderr } = await merge(base, join(TIED, "lora_head"));
    expect([code, stderr]).toEqual([2, expect.stringContaining("encoder-decoder")]);
  });
});

describe("an embedding and a head that are not tied", () => {
  it("of different numbers of rows are refused: transformers cannot load them", async () => {
    const base = copyFolder(join(FIXTURES, "peft/llama_base"), fresh());
    const adapter = copyFolder(join(FIXTURES, "peft/llama_lora"), fresh());
    const file = join(adapter, "adapter_model.safetensors");
    const head = tensorsOf(file).get("base_model.model.lm_head.weight")!;
    const longer = {
      ...head,
      shape: [head.shape[0]! + 2, head.shape[1]!],
      bytes: Buffer.concat([head.bytes, head.bytes.subarray(0, 8 * head.shape[1]!)]),
    };
    return writeTensors(file, new Map<string, StoredTensor>(tensorsOf(file)).set("base_model.model.lm_head.weight", longer)).then(
      async () => {
        const { code, stderr } = await weftBuilt("merge", base, "-a", adapter, "-o", fresh());
        expect([code, stderr]).toEqual([2, expect.stringMatching(/lm_head\.weight with 66 rows, and model\.embed_tokens\.weight has 64/)]);
      },
    );
  });
});
