// Builds packages and apps: JavaScript by tsup through turbo (which skips what has not changed), types by tsc.
import { install, isMain, npx, pnpm } from "./setup.mjs";

/** @param filter turbo's filter (`@weft/cli...` is the command line and what it needs); everything if not given */
export function build(filter) {
  pnpm(["exec", "turbo", "run", "build", "--output-logs=errors-only", ...(filter ? [`--filter=${filter}`] : [])], {
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1" },
  });
}

function types() {
  npx(["--no-install", "tsc", "-b"]);
}

if (isMain(import.meta.url)) {
  install();
  build();
  types();
}
