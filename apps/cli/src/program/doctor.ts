import { Command } from "@commander-js/extra-typings";
import { examples } from "./examples.js";
import type { Runner } from "./runner.js";

export const doctorCommand = (run: Runner) =>
  new Command("doctor")
    .description("check what this machine offers")
    .addHelpText("after", examples(["for a bug report", "weft doctor --json"]))
    .action(run(async () => (await import("../commands/doctor.js")).doctor));
