// Builds packages and apps: JavaScript by tsup through turbo (which skips what has not changed), types by tsc.
import { install, pnpm, run } from "./setup.mjs";

/** @param filter turbo's filter (`weft...` is the command line and what it needs); everything if not given */
export function build(filter) {
  pnpm(["exec", "turbo", "run", "build", "--output-logs=errors-only", ...(filter ? [`--filter=${filter}`] : [])], {
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1" },
  });
}

export function types() {
  run("npx", ["--no-install", "tsc", "-b"]);
}

if (import.meta.url === `file://${process.argv[1]}`) {
  install();
  build();
  types();
}
