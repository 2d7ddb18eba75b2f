import { defineConfig } from "vite";
import { POLICY } from "./headers.mjs";

/** The policy in the page itself, for hosts whose first answer has no headers; what only headers can say is left out. */
const metaPolicy = POLICY.split("; ")
  .filter((rule) => !rule.startsWith("frame-ancestors"))
  .join("; ");

/** The app: any host, any folder. `vite.sw.config.ts` then makes the service worker of what this has written. */
export default defineConfig({
  base: "./",
  oxc: { jsx: { importSource: "preact" } },
  worker: { format: "es" },
  build: {
    outDir: "dist/app",
    target: "es2022",
    // The policy allows no data: URLs to be fetched.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  plugins: [
    {
      name: "policy",
      transformIndexHtml: {
        order: "post",
        handler: () => [{ tag: "meta", attrs: { "http-equiv": "Content-Security-Policy", content: metaPolicy }, injectTo: "head-prepend" }],
      },
    },
  ],
});
