import { playwright } from "@vitest/browser-playwright";
import { defineConfig, type TestProjectConfiguration } from "vitest/config";
import { LongestFirst } from "./scripts/longest-first.js";
import { CHROMIUM_FLAGS, chromiumPath } from "./scripts/chromium.mjs";

const EXCLUDED = ["**/*.browser.test.ts", "**/node_modules/**", "**/dist/**"];
/** Packages of pure functions: their tests leave nothing behind in a process, so that all files of a worker load the modules once. */
const PURE =
  "packages/{adapters-*,convert,datasets,io-gguf,lora-recipes,methods,models,quant-nf4-awq,registry,tensor-core,tokenizers}/{src,test}/**/*.test.ts";

const unit: TestProjectConfiguration = {
  extends: true,
  test: {
    name: "unit",
    include: [
      "packages/*/{src,test}/**/*.test.ts",
      "apps/*/src/**/*.test.ts",
      "tests/**/*.test.ts",
      "scripts/**/*.test.ts",
      "examples/**/*.test.ts",
    ],
    exclude: [...EXCLUDED, PURE],
  },
};

const pure: TestProjectConfiguration = { extends: true, test: { name: "pure", include: [PURE], exclude: EXCLUDED, isolate: false } };

/** The browser build of the packages, in headless Chromium; threads need a page that is isolated from other origins. */
async function browser(): Promise<TestProjectConfiguration[]> {
  const executablePath = await chromiumPath();
  if (executablePath === undefined) return [];
  return [
    {
      extends: true,
      server: { headers: { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" } },
      test: {
        name: "browser",
        include: ["packages/*/src/**/*.browser.test.ts", "examples/**/*.browser.test.ts"],
        browser: {
          enabled: true,
          headless: true,
          screenshotFailures: false,
          provider: playwright({ launchOptions: { executablePath, args: CHROMIUM_FLAGS } }),
          instances: [{ browser: "chromium" }],
        },
      },
    },
  ];
}

export default defineConfig({
  test: {
    globalSetup: ["scripts/vitest-setup.ts"],
    setupFiles: ["scripts/equal-bytes.ts"],
    // Test processes inherit the environment that the set-up prepares for the software GPU.
    pool: "forks",
    // Many tests wait for a program that they start.
    maxWorkers: "100%",
    // The built program is tested as it is.
    server: { deps: { external: [/\/apps\/cli\/dist\//] } },
    testTimeout: 60_000,
    hookTimeout: 120_000,
    projects: [unit, pure, ...(await browser())],
    sequence: { sequencer: LongestFirst },
  },
});
