import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../testing/memory-adapter.js";
import { type Made, numbers } from "../testing/memory-file.js";

const lora = (module: string): Record<string, Made> => ({
  [`${module}.lora_A.weight`]: numbers([2, 3]),
  [`${module}.lora_B.weight`]: numbers([4, 2], 1),
});

/** Alphas of the modules, and what is said. */
async function opened(
  tensors: Record<string, Made>,
  metadata: Record<string, string>,
): Promise<{ alphas: unknown[]; warnings: readonly string[] }> {
  const { modules, warnings } = await memoryAdapter(tensors, metadata);
  return {
    alphas: [...modules.values()].map(({ config }) => config?.loraAlpha ?? config?.alpha),
    warnings: warnings.map(({ message }) => message),
  };
}

describe("alpha out of the header of", () => {
  const [q, k] = ["transformer.blocks.0.attn1.to_q", "transformer.blocks.0.attn1.to_k"];

  test("finetrainers: PEFT's fields without a component", async () => {
    const lora_config = JSON.stringify({
      r: 2,
      lora_alpha: 8,
      init_lora_weights: true,
      target_modules: ["to_q"],
      alpha_pattern: { to_k: 5 },
    });
    expect(await opened({ ...lora(q), ...lora(k) }, { lora_config })).toEqual({ alphas: [5, 8], warnings: [] });
  });

  test("programs that keep lora_alpha alone, which is said", async () => {
    const { alphas, warnings } = await opened(lora(q), { lora_alpha: "16" });
    expect(alphas).toEqual([16]);
    expect(warnings).toEqual([expect.stringMatching(/lora_alpha = 16 of its header/)]);
  });

  test("musubi-tuner and kohya, before lora_alpha", async () => {
    const { alphas, warnings } = await opened(lora("diffusion_model.blocks.0.self_attn.q"), { ss_network_alpha: "3", lora_alpha: "16" });
    expect([alphas, warnings]).toEqual([[3], [expect.stringMatching(/ss_network_alpha = 3 of its header/)]]);
  });

  test("ai-toolkit, which leaves it out because it is the rank: nothing is unknown", async () => {
    expect(await opened(lora("diffusion_model.blocks.0.self_attn.q"), { software: '{"name": "ai-toolkit"}' })).toMatchObject({
      warnings: [],
    });
  });

  test("anything else: it is unknown, and said to be", async () => {
    const nothing = [{}, { lora_config: '{"rank": 2}' }, { lora_alpha: "Dynamic" }, { modelspec: "1" }];
    for (const metadata of nothing)
      expect(await opened(lora(q), metadata as Record<string, string>)).toMatchObject({
        warnings: [expect.stringMatching(/^no alpha is in the file/)],
      });
  });
});

test("modules that the header's configs do not name are told apart from those that they do", async () => {
  const lora_adapter_metadata = JSON.stringify({ "transformer.r": 2, "transformer.lora_alpha": 8 });
  const { alphas, warnings } = await opened({ ...lora("transformer.a"), ...lora("text_encoder.b") }, { lora_adapter_metadata });
  expect(alphas).toEqual([2, 8]);
  expect(warnings).toEqual([expect.stringMatching(/^modules without alpha .* scale 1: text_encoder\.b$/)]);
  const renamed = await opened(lora("diffusion_model.blocks.0.self_attn.q"), { lora_adapter_metadata });
  expect(renamed.warnings).toEqual([expect.stringMatching(/diffusion_model\.blocks\.0\.self_attn\.q/)]);
});
