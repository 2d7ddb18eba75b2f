import { readdir, realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import type { AdaptedCausalLM, TextGenerator } from "@weft/generation";
import { BASE, PeftModel } from "@weft/registry";
import { loadAdapter } from "@weft/registry/node";
import { ApiError } from "../http/api-error.js";
import type { Settings } from "../options.js";
import { Exclusive } from "./exclusive.js";

/** What clients may name as `model`: the base, and each adapter. Adapters come and go while the server runs. */
export class ServedModels {
  private readonly generator: TextGenerator;
  private readonly settings: Settings;
  private readonly changes = new Exclusive();

  constructor(generator: TextGenerator, settings: Settings) {
    this.generator = generator;
    this.settings = settings;
  }

  get adapters(): readonly string[] {
    return this.generator.engine.adapters;
  }

  get names(): readonly string[] {
    return [this.settings.modelName, ...this.adapters];
  }

  /** The adapter of a model's name, as the engine takes it. @throws ApiError 404 */
  adapterOf(model: string): string | undefined {
    this.assertThere(model);
    if (model !== this.settings.modelName) return model;
    return this.adapters.length > 0 ? BASE : undefined;
  }

  /** @throws ApiError 404 */
  assertThere(model: string): void {
    if (this.names.includes(model)) return;
    throw new ApiError(404, `there is no model ${JSON.stringify(model)}; there are ${this.names.join(", ")}`, {
      param: "model",
      code: "model_not_found",
    });
  }

  /** Loads an adapter, which requests may name from then on. @throws ApiError 400, 403; what `loadAdapter` throws */
  load(name: string, path: string): Promise<void> {
    return this.changes.run(async () => {
      if (this.names.includes(name)) throw new ApiError(400, `there is a model ${JSON.stringify(name)} already`, { param: "lora_name" });
      if (this.adapters.length >= this.settings.maxAdapters)
        throw new ApiError(400, `there are ${this.adapters.length} adapters already: unload one first`, { code: "too_many_adapters" });
      const folder = await this.allowed(path);
      const peft = this.adapted();
      await loadAdapter(peft as PeftModel<never, unknown>, folder, name);
      try {
        await this.generator.engine.setAdapters([...this.adapters, name]);
      } catch (error) {
        peft.deleteAdapter(name);
        throw error;
      }
    });
  }

  /** Takes an adapter away. @throws ApiError 404, 409 while requests use it */
  unload(name: string): Promise<void> {
    return this.changes.run(async () => {
      if (!this.adapters.includes(name)) throw new ApiError(404, `there is no adapter ${JSON.stringify(name)}`, { param: "lora_name" });
      const rest = this.adapters.filter((other) => other !== name);
      await this.generator.engine.setAdapters(rest).catch((error: Error) => {
        throw new ApiError(409, error.message, { param: "lora_name", code: "adapter_in_use" });
      });
      this.adapted().deleteAdapter(name);
    });
  }

  private adapted(): AdaptedCausalLM {
    const { model } = this.generator.engine;
    if (model instanceof PeftModel) return model;
    throw new ApiError(400, "the server was started without adapters, so that none can be loaded", { code: "no_adapters" });
  }

  /** The real path of a folder that may be read, of which nothing leads out. @throws ApiError 403 */
  private async allowed(path: string): Promise<string> {
    const refused = new ApiError(403, `${JSON.stringify(path)} is not below a folder that adapters may be loaded from`, {
      param: "lora_path",
    });
    const roots = await Promise.all(this.settings.adapterFolders.map((root) => realpath(root)));
    const assertBelow = async (place: string): Promise<string> => {
      const real = await realpath(place).catch(() => undefined);
      if (real !== undefined && roots.some((root) => real.startsWith(root.endsWith(sep) ? root : root + sep))) return real;
      throw refused;
    };
    const folder = await assertBelow(path);
    for (const name of await readdir(folder).catch(() => [])) await assertBelow(join(folder, name));
    return folder;
  }
}
