import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    globalSetup: ["scripts/vitest-setup.ts"],
    // Test processes inherit the environment that the set-up prepares for the software GPU.
    pool: "forks",
    testTimeout: 60_000,
    hookTimeout: 120_000,
    projects: [
      { extends: true, test: { name: "unit", include: ["packages/*/{src,test}/**/*.test.ts", "apps/*/src/**/*.test.ts", "tests/**/*.test.ts", "scripts/**/*.test.ts"], exclude: ["**/*.browser.test.ts", "**/node_modules/**", "**/dist/**"] } },
    ],
  },
});
