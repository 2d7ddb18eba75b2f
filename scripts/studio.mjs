// `npm run studio`: installs and builds what the Training Studio needs, serves it on loopback, and prints the link.
import { build } from "./build.mjs";
import { install } from "./setup.mjs";

install("@weft/studio...");
process.stdout.write("building …\n");
build("@weft/studio...");
const { serveApp } = await import("../apps/studio/serve.mjs");
const asked = Number(process.argv[2] ?? 5180);
const { url } = await serveApp({ port: asked }).catch((error) => {
  if (error.code !== "EADDRINUSE") throw error;
  return serveApp();
});
process.stdout.write(`\nTraining Studio: ${url}\n\nEverything it does, it does in your browser. Ctrl-C ends the server.\n`);
