import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { open } from "node:fs/promises";
import { type AdapterWarning, type OpenedAdapter, specialForm } from "@weft/adapter-files";
import type { ConvertModule } from "@weft/convert";
import type { Finding } from "./finding.js";

interface Values {
  readonly targetModules?: readonly string[] | string | null;
  readonly bias?: string;
  readonly useRslora?: boolean;
  readonly r?: number;
  readonly loraAlpha?: number;
}

/** A plain name, which as a pattern for whole paths matches nothing. */
const PLAIN_NAME = /^[A-Za-z0-9_]+$/;

/** Fields of PEFT's config that mean something else than they seem. */
export function findConfigTraps(adapter: OpenedAdapter): Finding[] {
  const { dialect, config, modules } = adapter;
  if (dialect !== "peft") return [];
  const { targetModules, bias, useRslora, r, loraAlpha } = config.values as Values;
  const findings: Finding[] = [];
  const add = (finding: Omit<Finding, "where">): void => void findings.push({ ...finding, where: [] });
  if (typeof targetModules === "string" && PLAIN_NAME.test(targetModules) && targetModules !== "all-linear" && !modules.has(targetModules))
    add({
      code: "target-string",
      severity: "error",
      message: `target_modules is the string "${targetModules}", which PEFT takes as a pattern for whole paths: it matches nothing`,
      proposal: `write a list: "target_modules": ["${targetModules}"]`,
    });
  const special = specialForm(adapter);
  if (special?.kind === "base-changed-by-init")
    add({
      code: "changed-base",
      severity: "warning",
      message: `${special.why}: the adapter belongs on that base, not on the original${special.determined ? "; PEFT and weft change it anew on loading, other programs do not" : ""}`,
      proposal: special.remedy,
    });
  if (bias !== undefined && bias !== "none")
    add({
      code: "trained-bias",
      severity: "note",
      message: `bias is "${bias}": with the adapter disabled the model is not the original, and serving engines refuse it`,
      proposal: "merge it, where the original is wanted beside it",
    });
  if (useRslora && r !== undefined && r > 1 && r === loraAlpha)
    add({
      code: "rslora-combined",
      severity: "note",
      message: `use_rslora with lora_alpha = r = ${r} gives a scale of ${Math.sqrt(r).toFixed(2)}: PEFT's add_weighted_adapter writes this where it means 1`,
      proposal: "if it was combined by PEFT from rsLoRA adapters, combine them with weft combine, or set use_rslora to false",
    });
  return findings;
}

/** Forms that the library of their own dialect reads otherwise, or not at all. */
export function findDialectTraps(adapter: OpenedAdapter, modules: readonly ConvertModule[]): Finding[] {
  const { dialect, unknown, warnings, weights } = adapter;
  const findings: Finding[] = [];
  const names = (test: (module: ConvertModule) => boolean): string[] => modules.filter(test).map(({ label }) => label);
  const add = (finding: Finding): void => void (finding.where.length > 0 && findings.push(finding));
  const whole = ({ method, parameters }: ConvertModule): boolean =>
    method === "LOKR" && parameters.has("lokr_w1") && parameters.has("lokr_w2");
  add({
    code: "lokr-whole-scale",
    severity: "warning",
    message: "LoKr modules with two whole halves have a scale: PEFT applies it, LyCORIS does not",
    proposal: "weft convert --fold-alpha works the scale into a half, so that both agree",
    where: dialect === "peft" ? names((module) => whole(module) && module.scale !== 1) : [],
  });
  add({
    code: "lycoris-cannot-load",
    severity: "note",
    message: "LyCORIS's own loader fails on these (Tucker LoKr, (IA)³, DoRA over input columns); others read them",
    proposal: "weft merge or weft convert --to peft where that has a form for it",
    where:
      dialect === "peft"
        ? []
        : names(
            ({ method, parameters }) =>
              parameters.has("lokr_t2") || method === "LYCORIS_IA3" || overInputs(parameters.get("dora_scale")?.shape),
          ),
  });
  const dotted = dialect === "kohya" ? [...weights.names()].filter((name) => /\.lora_magnitude_vector(\.weight)?$/.test(name)) : [];
  add({
    code: "dotted-dora-keys",
    severity: "error",
    message:
      "magnitudes (DoRA) under names with dots in a file of kohya's: diffusers' export writes them so, and readers of kohya's files drop them",
    proposal:
      "convert the original adapter anew: weft convert ORIGINAL --to kohya (diffusers' export has also lost lora_alpha); weft itself reads them",
    where: dotted,
  });
  add({
    code: "unused-tensors",
    severity: "warning",
    message: `${unknown.filter(({ name }) => !dotted.includes(name)).length} tensors belong to no module, and no reader uses them`,
    proposal: "weft inspect lists all names; a training wrapper's prefix may be left in them",
    where: unknown.map(({ name }) => name).filter((name) => !dotted.includes(name)),
  });
  if (adapter.alphaAssumed)
    add({
      code: "no-alpha",
      severity: "error",
      message: "nothing says alpha, and it has no default: merge and convert refuse the adapter",
      proposal: "put its adapter_config.json beside it, or give --alpha",
      where: [weights.location],
    });
  return [...findings, ...warnings.flatMap((warning) => findWarned(adapter, modules, warning))];
}

/** What opening the adapter warned of, as a finding; none where another finding says it. */
function findWarned({ config }: OpenedAdapter, modules: readonly ConvertModule[], { kind, message }: AdapterWarning): Finding[] {
  if (kind === "unused-tensors" || kind === "unknown-alpha") return [];
  if (kind === "no-alpha" || kind === "alpha-in-header") {
    const ranked = modules.filter(({ rank }) => rank !== undefined);
    const differ = kind === "no-alpha" && new Set(ranked.map(({ rank }) => rank)).size > 1;
    return [
      {
        code: "no-alpha",
        severity: differ || kind === "alpha-in-header" ? "warning" : "note",
        message: differ ? `${message}; its ranks differ, so readers that guess one alpha for all give other results` : message,
        proposal: "weft convert writes alphas; was it saved by a trainer that works them into the factors?",
        where: ranked.map(({ label }) => label),
      },
    ];
  }
  return [{ code: "opened-with-warning", severity: "warning", message, proposal: "see the file that it names", where: [config.peftType] }];
}

/** [1, in]: magnitudes of columns. */
const overInputs = (shape: readonly number[] | undefined): boolean =>
  shape !== undefined && shape.length > 1 && shape[0] === 1 && shape[1]! > 1;

/** kohya's hash of the data section, where the metadata has one: programs find an adapter by it. @param file the only file of the adapter */
export async function findStaleHash({ weights }: OpenedAdapter, file: string): Promise<Finding[]> {
  const told = weights.metadata.get("sshs_model_hash");
  // LyCORIS's begins with 0x and is of other bytes.
  if (told === undefined || told.startsWith("0x") || !existsSync(file)) return [];
  const handle = await open(file);
  const head = Buffer.alloc(8);
  await handle.read(head, 0, 8, 0);
  await handle.close();
  const hash = createHash("sha256");
  for await (const piece of createReadStream(file, { start: 8 + Number(head.readBigUInt64LE(0)) })) hash.update(piece as Buffer);
  if (hash.digest("hex") === told) return [];
  return [
    {
      code: "stale-hash",
      severity: "warning",
      message: "sshs_model_hash is not the hash of this file's tensors: they were changed after it was written",
      proposal: "weft convert --to kohya writes it anew",
      where: [file],
    },
  ];
}
