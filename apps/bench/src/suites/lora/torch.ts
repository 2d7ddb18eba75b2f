import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Python } from "../../peers/python.js";
import type { Contestant } from "../../turns.js";
import type { LoraCase } from "./case.js";

/** The forward of a LoRA layer in torch; its operands go there by way of files in `folder`. */
export async function torchLora(lora: LoraCase, threads: number, python: Python, folder: string): Promise<Contestant> {
  const shapes = { x: [lora.m, lora.inputs], w: [lora.out, lora.inputs], a: [lora.r, lora.inputs], b: [lora.out, lora.r] };
  for (const [name, shape] of Object.entries(shapes)) {
    const file = join(folder, name);
    writeFileSync(file, lora[name as keyof typeof shapes]);
    await python.call({ cmd: "load", name, file, shape, dtype: "f32" });
  }
  return {
    name: "torch",
    turn: async (seconds) =>
      (await python.call({ cmd: "time", op: "lora", args: ["$x", "$w", "$a", "$b", lora.scale], threads, seconds }))["seconds"] as number,
  };
}
